//! epoll: the kernel keeps the table and makes the edges.
//!
//! Each source is one entry of the kernel's interest list, edge-triggered, with the user's token
//! as its data, so there is no table, no lock and no row here. The kernel writes its events
//! straight into the user's `Events`: an [`Event`](crate::event::Event) is the kernel's own struct
//! and is translated when it is asked. A descriptor that closes leaves the list by itself, unless
//! a duplicate of it is open.
//!
//! The waker is an `eventfd`, edge-triggered as well: it is written and never read, but where its
//! counter is full, once in 2^64 wakes, it is set back.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use libc::{EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP};

use super::{cvt, own};
use crate::error::no_capacity;
use crate::event::Event as PublicEvent;
use crate::ready::Ready;
use crate::sys::{self, KernelRow, Selector as _};
use crate::{Interest, Token};

#[derive(Debug)]
pub(crate) struct Selector {
    pub(super) queue: OwnedFd,
}

impl sys::Selector for Selector {
    type Source = RawFd;
    type Row = KernelRow;
    type Event = Event;

    fn new() -> io::Result<Selector> {
        // SAFETY: no pointers, and what the call answers is new.
        let queue = unsafe { own(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }?;
        Ok(Selector { queue })
    }

    fn try_clone(&self) -> io::Result<Selector> {
        let queue = self.queue.try_clone()?;
        Ok(Selector { queue })
    }

    #[inline]
    fn subscribe(&self, fd: RawFd, token: Token, interest: Interest) -> io::Result<KernelRow> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, flags(interest))?;
        Ok(KernelRow)
    }

    #[inline]
    fn modify(&self, _: &KernelRow, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, flags(interest))
    }

    #[inline]
    fn unsubscribe(&self, _: KernelRow, fd: RawFd) -> io::Result<()> {
        let (queue, none) = (self.queue.as_raw_fd(), std::ptr::null_mut());
        // SAFETY: only numbers go in; kernels since 2.6.9 read no event, so there is none.
        cvt(unsafe { libc::epoll_ctl(queue, libc::EPOLL_CTL_DEL, fd, none) }).map(|_| ())
    }

    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        // The kernel refuses a room of 0, and less than there is will do.
        let room = events.capacity() as i32;
        let list = events.as_mut_ptr().cast::<libc::epoll_event>();
        let queue = self.queue.as_raw_fd();
        // SAFETY: `PublicEvent` is transparent over `Event`, and that over `epoll_event`; the
        // vector owns `room` of them, and the kernel writes no more than that.
        let count = unsafe { libc::epoll_wait(queue, list, room, milliseconds(timeout)) };
        if count < 0 {
            return Err(refused(events.capacity()));
        }
        // SAFETY: the kernel has written the first `count`, and `count <= room <= capacity`.
        unsafe { events.set_len(count as usize) };
        Ok(())
    }
}

impl Selector {
    #[inline]
    fn control(&self, operation: i32, fd: RawFd, token: Token, events: u32) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events,
            u64: token.0 as u64,
        };
        // SAFETY: `event` lives through the call, and the kernel keeps no pointer to it.
        cvt(unsafe { libc::epoll_ctl(self.queue.as_raw_fd(), operation, fd, &mut event) })
            .map(|_| ())
    }
}

#[derive(Copy, Clone)]
#[repr(transparent)]
pub(crate) struct Event(libc::epoll_event);

const _: () = assert!(size_of::<PublicEvent>() == size_of::<libc::epoll_event>());
const _: () = assert!(align_of::<PublicEvent>() == align_of::<libc::epoll_event>());

impl sys::RawEvent for Event {
    #[inline]
    fn token(&self) -> Token {
        Token(self.0.u64 as usize)
    }

    #[inline]
    fn is(&self, ready: Ready) -> bool {
        let events = self.0.events as i32;
        let any = |bits: i32| events & bits != 0;
        // A half-closed peer is RDHUP, together with IN since there is an end to be read. A pipe's
        // writer whose reader has gone sees ERR, alone or beside OUT.
        match ready {
            Ready::READABLE => any(EPOLLIN | EPOLLPRI),
            Ready::WRITABLE => any(EPOLLOUT),
            Ready::ERROR => any(EPOLLERR),
            Ready::READ_CLOSED => any(EPOLLHUP) || (any(EPOLLIN) && any(EPOLLRDHUP)),
            Ready::WRITE_CLOSED => {
                any(EPOLLHUP) || (any(EPOLLOUT) && any(EPOLLERR)) || events == EPOLLERR
            }
            Ready::PRIORITY => any(EPOLLPRI),
            _ => false,
        }
    }
}

#[cold]
#[inline(never)]
fn refused(room: usize) -> io::Error {
    let error = io::Error::last_os_error();
    if room == 0 { no_capacity() } else { error }
}

#[inline]
fn flags(interest: Interest) -> u32 {
    let when = |wanted: bool, bits: i32| if wanted { bits } else { 0 };
    let flags = EPOLLET
        | when(interest.is_readable(), EPOLLIN | EPOLLRDHUP)
        | when(interest.is_writable(), EPOLLOUT)
        | when(interest.is_priority(), EPOLLPRI);
    flags as u32
}

/// Rounded up, so that no wait ends early; what does not fit is the longest wait there is.
#[inline]
fn milliseconds(timeout: Option<Duration>) -> i32 {
    match timeout {
        None => -1,
        Some(timeout) => {
            let longest = i32::MAX as u64;
            let whole = timeout.as_secs().min(longest / 1_000) * 1_000;
            let partial = timeout.subsec_nanos().saturating_add(999_999) / 1_000_000;
            (whole + u64::from(partial)).min(longest) as i32
        }
    }
}

#[derive(Debug)]
pub(crate) struct Waker {
    counter: File,
}

impl sys::Wake for Waker {
    type Selector = Selector;

    fn new(selector: &Selector, token: Token) -> io::Result<Waker> {
        // SAFETY: no pointers, and what the call answers is new.
        let counter = unsafe { own(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }?;
        let counter = File::from(counter);
        selector.subscribe(counter.as_raw_fd(), token, Interest::READABLE)?;
        Ok(Waker { counter })
    }

    fn wake(&self) -> io::Result<()> {
        loop {
            match (&self.counter).write(&1_u64.to_ne_bytes()) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.reset()?,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Waker {
    /// Empties the counter. Another thread may have done so first.
    #[cold]
    fn reset(&self) -> io::Result<()> {
        match (&self.counter).read(&mut [0; 8]) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}
