//! kqueue: the kernel keeps the table and makes the edges, a row for each filter of a descriptor.
//!
//! A source is up to two rows, `EVFILT_READ` and `EVFILT_WRITE`, each edge-triggered (`EV_CLEAR`)
//! and with the user's token as its data, so there is no table, no lock and no row here. A row is
//! added or deleted by a change of its own, which has a receipt of its own. Adding one that is
//! there gives it the new token and reports what is ready again; one no longer wanted is deleted,
//! be it there or not. A descriptor that closes takes its rows along. The kernel writes its events
//! straight into the user's `Events`, two for a source that is ready both ways: an
//! [`Event`](crate::event::Event) is the kernel's own struct and is translated when it is asked.
//!
//! The kernel takes a second registration for a change of the first. It has no row for urgent data:
//! that interest is accepted and never fires. The waker is a row of `EVFILT_USER` in the queue,
//! named by the number of its own duplicate of it, which no other waker has meanwhile.
#![allow(unsafe_code)]

mod descriptor;

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;
use std::{mem, ptr};

use libc::{EV_ADD, EV_CLEAR, EV_DELETE, EV_EOF, EV_ERROR, EV_RECEIPT};
use libc::{EVFILT_READ, EVFILT_USER, EVFILT_WRITE};

use super::{cvt, own};
use crate::error::no_capacity;
use crate::event::Event as PublicEvent;
use crate::ready::Ready;
use crate::sys::{self, KernelRow};
use crate::{Interest, Token};

// On Linux there is a model of these calls, so that what stands here is run there.
#[cfg(mio_kqueue_model)]
#[path = "../../../native-tests/kevent/mod.rs"]
mod libc;

#[derive(Debug)]
pub(crate) struct Selector {
    pub(super) queue: OwnedFd,
}

impl sys::Selector for Selector {
    type Source = RawFd;
    type Row = KernelRow;
    type Event = Event;

    fn new() -> io::Result<Selector> {
        // SAFETY: nothing goes in, and what the call answers is a new descriptor.
        let queue = unsafe { own(libc::kqueue()) }?;
        // SAFETY: no pointers, and the descriptor is open while `queue` lives.
        cvt(unsafe { libc::fcntl(queue.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        Ok(Selector { queue })
    }

    fn try_clone(&self) -> io::Result<Selector> {
        let queue = self.queue.try_clone()?;
        Ok(Selector { queue })
    }

    fn subscribe(&self, fd: RawFd, token: Token, interest: Interest) -> io::Result<KernelRow> {
        let mut changes = changes(fd, token, Some(interest));
        // The rows that are wanted are neighbours: the first, the second, both or neither. Where
        // one of two is refused, the other is not to stay.
        let wanted = usize::from(!interest.is_readable())..1 + usize::from(interest.is_writable());
        let added = control(&self.queue, &mut changes[wanted]).map(|()| KernelRow);
        added.inspect_err(|_| drop(self.unsubscribe(KernelRow, fd)))
    }

    fn modify(&self, _: &KernelRow, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        control(&self.queue, &mut changes(fd, token, Some(interest)))
    }

    fn unsubscribe(&self, _: KernelRow, fd: RawFd) -> io::Result<()> {
        control(&self.queue, &mut changes(fd, Token(0), None))
    }

    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        // The kernel would take a room of 0 for a question that needs no answer.
        if events.capacity() == 0 {
            return Err(no_capacity());
        }
        let room = (events.as_mut_ptr().cast(), events.capacity());
        // SAFETY: `PublicEvent` is transparent over `Event`, and that over `libc::kevent`; the
        // vector owns that many of them.
        let count = unsafe { kevent(&self.queue, (ptr::null(), 0), room, timeout) }?;
        // SAFETY: the kernel has written the first `count`, which is no more than there is room.
        unsafe { events.set_len(count) };
        Ok(())
    }
}

/// Sends the changes. Each gets a receipt, which takes its place.
fn control(queue: &OwnedFd, changes: &mut [libc::kevent]) -> io::Result<()> {
    let (list, count) = (changes.as_mut_ptr(), changes.len());
    // SAFETY: both lists are `changes`, which the manuals allow.
    match unsafe { kevent(queue, (list, count), (list, count), Some(Duration::ZERO)) } {
        // All changes are made by then.
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
        answer => answer?,
    };
    for receipt in changes {
        // A row that is to go may not be there. The reader of a pipe that is to be written to may
        // have gone: the write will tell.
        let code = receipt.data as i32;
        let harmless = [0, libc::ENOENT, libc::EPIPE].contains(&code);
        if receipt.flags & EV_ERROR != 0 && !harmless {
            return Err(io::Error::from_raw_os_error(code));
        }
    }
    Ok(())
}

/// The one call, for as many changes and as much room as it is told. It answers how many came out.
unsafe fn kevent(
    queue: &OwnedFd,
    (changes, count): (*const libc::kevent, usize),
    (events, room): (*mut libc::kevent, usize),
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let timeout = timeout.map(timespec);
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let (queue, count) = (queue.as_raw_fd(), count as _);
    let room = room.min(i32::MAX as usize) as _;
    // SAFETY: the caller's promise, and `timeout` lives through the call.
    cvt(unsafe { libc::kevent(queue, changes, count, events, room, timeout) }).map(|n| n as usize)
}

#[derive(Copy, Clone)]
#[repr(transparent)]
pub(crate) struct Event(libc::kevent);

const _: () = assert!(size_of::<PublicEvent>() == size_of::<libc::kevent>());
const _: () = assert!(align_of::<PublicEvent>() == align_of::<libc::kevent>());

// SAFETY: it is plain data: the pointer in it is a number, and nobody follows it.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl sys::RawEvent for Event {
    #[inline]
    fn token(&self) -> Token {
        Token(self.0.udata as usize)
    }

    #[inline]
    fn is(&self, ready: Ready) -> bool {
        let (filter, ended) = (self.0.filter, self.0.flags & EV_EOF != 0);
        // A connection that has broken has the error beside its end.
        match ready {
            Ready::READABLE => filter == EVFILT_READ || filter == EVFILT_USER,
            Ready::WRITABLE => filter == EVFILT_WRITE,
            Ready::ERROR => self.0.flags & EV_ERROR != 0 || (ended && self.0.fflags != 0),
            Ready::READ_CLOSED => filter == EVFILT_READ && ended,
            Ready::WRITE_CLOSED => filter == EVFILT_WRITE && ended,
            Ready::AIO => filter == libc::EVFILT_AIO,
            #[cfg(target_os = "freebsd")]
            Ready::LIO => filter == libc::EVFILT_LIO,
            _ => false,
        }
    }
}

/// A change of the row for reading and one of that for writing: each is to be there, or not.
fn changes(fd: RawFd, token: Token, interest: Option<Interest>) -> [libc::kevent; 2] {
    let flags = |on| if on { EV_ADD | EV_CLEAR } else { EV_DELETE };
    let [mut read, mut write] = [change(fd, token); 2];
    (read.filter, write.filter) = (EVFILT_READ, EVFILT_WRITE);
    read.flags |= flags(interest.is_some_and(Interest::is_readable));
    write.flags |= flags(interest.is_some_and(Interest::is_writable));
    [read, write]
}

/// What every change has, be it of a descriptor or of a waker.
fn change(ident: RawFd, token: Token) -> libc::kevent {
    // SAFETY: it is numbers and a pointer that nobody follows, and zero is a value of each.
    let mut change: libc::kevent = unsafe { mem::zeroed() };
    (change.ident, change.udata) = (ident as usize, token.0 as _);
    change.flags = EV_RECEIPT;
    change
}

/// Rounded up to microseconds, which is what Apple's kernels count in, so that no wait ends early.
/// They refuse more than a hundred million seconds, so that is the longest wait there is.
fn timespec(timeout: Duration) -> libc::timespec {
    let micros = timeout.subsec_nanos().div_ceil(1_000);
    libc::timespec {
        tv_sec: (timeout.as_secs().min(99_999_999) + u64::from(micros / 1_000_000)) as _,
        tv_nsec: (micros % 1_000_000 * 1_000) as _,
    }
}

#[derive(Debug)]
pub(crate) struct Waker {
    queue: OwnedFd,
    token: Token,
}

impl sys::Wake for Waker {
    type Selector = Selector;

    fn new(selector: &Selector, token: Token) -> io::Result<Waker> {
        let queue = selector.queue.try_clone()?;
        let waker = Waker { queue, token };
        waker.control(|row| row.flags |= EV_ADD | EV_CLEAR)?;
        Ok(waker)
    }

    fn wake(&self) -> io::Result<()> {
        // `EV_CLEAR` beside it would take the trigger back.
        self.control(|row| row.fflags = libc::NOTE_TRIGGER)
    }
}

impl Waker {
    fn control(&self, edit: impl FnOnce(&mut libc::kevent)) -> io::Result<()> {
        let mut row = change(self.queue.as_raw_fd(), self.token);
        row.filter = EVFILT_USER;
        edit(&mut row);
        control(&self.queue, &mut [row])
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        // The queue is open and the row is there: nothing is left to go wrong.
        let _ = self.control(|row| row.flags |= EV_DELETE);
    }
}
