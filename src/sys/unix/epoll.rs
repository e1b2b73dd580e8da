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

mod bits;
mod descriptor;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use self::bits::{RDHUP, milliseconds, says, wanted};
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
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest)?;
        Ok(KernelRow)
    }

    #[inline]
    fn modify(&self, _: &KernelRow, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    #[inline]
    fn unsubscribe(&self, _: KernelRow, fd: RawFd) -> io::Result<()> {
        let (queue, none) = (self.queue.as_raw_fd(), std::ptr::null_mut());
        // SAFETY: only numbers go in; kernels since 2.6.9 read no event, so there is none.
        cvt(unsafe { libc::epoll_ctl(queue, libc::EPOLL_CTL_DEL, fd, none) }).map(|_| ())
    }

    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        // The kernel refuses a room of 0, or of some hundred millions: less than there is will do.
        let room = events.capacity().min(1 << 24) as i32;
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
    fn control(&self, operation: i32, fd: RawFd, token: Token, i: Interest) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: wanted(libc::EPOLLET, i) as u32,
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

// The bits of an event are poll(2)'s.
const _: () =
    assert!(libc::EPOLLIN == libc::POLLIN as i32 && libc::EPOLLOUT == libc::POLLOUT as i32);
const _: () =
    assert!(libc::EPOLLPRI == libc::POLLPRI as i32 && libc::EPOLLERR == libc::POLLERR as i32);
const _: () = assert!(libc::EPOLLHUP == libc::POLLHUP as i32 && libc::EPOLLRDHUP == RDHUP as i32);
const _: () = assert!(size_of::<PublicEvent>() == size_of::<libc::epoll_event>());
const _: () = assert!(align_of::<PublicEvent>() == align_of::<libc::epoll_event>());

impl sys::RawEvent for Event {
    #[inline]
    fn token(&self) -> Token {
        Token(self.0.u64 as usize)
    }

    #[inline]
    fn is(&self, ready: Ready) -> bool {
        says(self.0.events as i32, ready)
    }
}

#[cold]
#[inline(never)]
fn refused(room: usize) -> io::Error {
    let error = io::Error::last_os_error();
    if room == 0 { no_capacity() } else { error }
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
