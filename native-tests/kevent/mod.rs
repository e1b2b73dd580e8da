//! `kqueue` and `kevent` on Linux, so that the adapter over them is run where there is no kqueue.
//!
//! Built with `--cfg mio_kqueue_model`, the library takes this module for its `libc`. What it
//! promises is what the manuals of FreeBSD, NetBSD, OpenBSD, DragonFly and macOS promise in common,
//! and no more: each rule names its place, `kqueue(2)` being FreeBSD's. A call that a BSD refuses
//! whatever its arguments are at the time is a defect of the caller, and panics here.
//!
//! Below it a queue is one `epoll` for each of the filters `EVFILT_READ` and `EVFILT_WRITE` and an
//! `eventfd` for `EVFILT_USER`, under one more `epoll` that waits for the three. What the caller
//! holds for it is one end of a pair of sockets: its inode is the queue's name, whatever duplicate
//! is handed in, and once the last is closed the other end knows.
//!
//! Taken on trust, since Linux cannot tell or a manual does not:
//! - When an edge comes is epoll's word: a BSD reports room to write more often.
//! - The error of a connection cannot be looked at without taking it, so that `fflags` are `EIO`
//!   for any. `data` is 0 but in receipts.
//! - `EVFILT_WRITE` ends (`EV_EOF`) where both directions have; a BSD says so too where this side
//!   alone has shut down its own.
//! - A process that is stopped and continued has been interrupted, as on Linux.
//! - Regular files are refused as epoll refuses them. A BSD watches them.
//! - `AIO` is a number only: nothing here makes such events.
#![allow(unsafe_code, non_camel_case_types)]

mod queue;

use std::time::Duration;

pub use ::libc::*;

use self::queue::Queue;

// FreeBSD's numbers, sys/event.h.
pub const EVFILT_READ: i16 = -1;
pub const EVFILT_WRITE: i16 = -2;
pub const EVFILT_AIO: i16 = -3;
pub const EVFILT_USER: i16 = -11;
pub const EV_ADD: u16 = 0x0001;
pub const EV_DELETE: u16 = 0x0002;
pub const EV_CLEAR: u16 = 0x0020;
pub const EV_RECEIPT: u16 = 0x0040;
pub const EV_ERROR: u16 = 0x4000;
pub const EV_EOF: u16 = 0x8000;
pub const NOTE_TRIGGER: u32 = 0x0100_0000;

/// macOS refuses to wait for longer (XNU, bsd/kern/kern_time.c, `itimerfix`).
const LONGEST_WAIT: time_t = 100_000_000;

#[repr(C)]
#[derive(Copy, Clone, Debug)]
pub struct kevent {
    pub ident: uintptr_t,
    pub filter: i16,
    pub flags: u16,
    pub fflags: u32,
    pub data: i64,
    pub udata: *mut c_void,
}

/// The caller's room for events, as far as it is filled.
struct Room {
    list: *mut kevent,
    size: usize,
    filled: usize,
}

impl Room {
    fn left(&self) -> usize {
        self.size - self.filled
    }

    fn push(&mut self, event: kevent) {
        assert!(self.left() > 0);
        // SAFETY: the caller of `kevent` promises room for `size`, and it is not all filled.
        unsafe { self.list.add(self.filled).write(event) };
        self.filled += 1;
    }
}

/// # Safety
///
/// None is needed: it is unsafe as the foreign function is whose place it takes.
pub unsafe fn kqueue() -> c_int {
    answer(Queue::open())
}

/// kqueue(2), DESCRIPTION: changes go in, then events come out, as many as there is room for.
///
/// # Safety
///
/// There are `nchanges` at `changelist`, there is room for `nevents` at `eventlist`, and `timeout`
/// is null or points to one.
pub unsafe fn kevent(
    kq: c_int,
    changelist: *const kevent,
    nchanges: c_int,
    eventlist: *mut kevent,
    nevents: c_int,
    timeout: *const timespec,
) -> c_int {
    // ERRORS, [EBADF], [EFAULT] and [EINVAL].
    let queue = Queue::of(kq).unwrap_or_else(|| panic!("descriptor {kq} is no queue"));
    assert!(nchanges >= 0 && nevents >= 0, "a negative count");
    assert!(nchanges == 0 || !changelist.is_null(), "no changes");
    assert!(nevents == 0 || !eventlist.is_null(), "no room for events");
    // SAFETY: the caller's promise.
    let timeout = unsafe { timeout.as_ref() }.map(duration);
    let mut room = Room {
        list: eventlist,
        size: nevents as usize,
        filled: 0,
    };
    for at in 0..nchanges as usize {
        // "The same array can be used for the changelist and eventlist": so it is read before its
        // receipt, which comes no later in the list, is written.
        // SAFETY: the caller's promise.
        let change = unsafe { changelist.add(at).read() };
        let error = queue.change(&change).err().unwrap_or(0);
        // EV_RECEIPT: "forces EV_ERROR to always be returned", with `data` 0 for success. RETURN
        // VALUES: an error takes room in the eventlist; where there is none, it is the call's own.
        if error != 0 || change.flags & EV_RECEIPT != 0 {
            if room.left() == 0 {
                return answer(if error == 0 { Ok(0) } else { Err(error) });
            }
            room.push(kevent {
                flags: EV_ERROR,
                data: error.into(),
                ..change
            });
        }
    }
    // EV_RECEIPT: "without draining any pending events". DESCRIPTION: with `nevents` 0 it returns
    // at once, whatever the timeout is.
    if room.filled == 0 && room.size > 0 {
        if let Err(error) = queue.wait(&mut room, timeout) {
            return answer(Err(error));
        }
    }
    room.filled as c_int
}

/// As libc's calls answer: -1 for an error, which is the thread's last then.
fn answer(result: Result<c_int, c_int>) -> c_int {
    result.unwrap_or_else(|code| {
        // SAFETY: the place is the thread's own.
        unsafe { *__errno_location() = code };
        -1
    })
}

fn duration(timeout: &timespec) -> Duration {
    assert!((0..1_000_000_000).contains(&timeout.tv_nsec), "nanoseconds");
    // It cuts off what is less than a microsecond, too, so that the wait would end early
    // (bsd/kern/kern_event.c, `kevent_get_timeout`).
    assert_eq!(timeout.tv_nsec % 1_000, 0, "a part of a microsecond");
    assert!((0..=LONGEST_WAIT).contains(&timeout.tv_sec), "seconds");
    Duration::new(timeout.tv_sec as u64, timeout.tv_nsec as u32)
}
