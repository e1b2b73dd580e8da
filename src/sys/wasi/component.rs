//! The door to a component's host: wasi-libc, whose `poll(2)` stands in for `poll_oneoff`.
//!
//! It has what `abi.rs` has for the poller. wasi-libc (2026) tells neither hang-ups nor errors, and
//! refuses the whole list for one descriptor that it cannot wait for: then each is asked alone.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use libc::{POLLIN, POLLNVAL, POLLOUT, c_int, c_short, pollfd};
use wasi::{ERRNO_BADF, EVENTTYPE_CLOCK, Event, Fd, Subscription};

use crate::error::{ErrorKind, error};
use crate::sys::Direction;

/// A component's host calls a stream readable until a read would block.
pub(super) const SHORT_IS_ALL: bool = false;

/// The list for the C library; kept, so that a wait allocates nothing.
static LIST: Mutex<Vec<pollfd>> = Mutex::new(Vec::new());

/// A libc call's answer as a result: -1 is the last error.
pub(super) fn cvt(answer: c_int) -> io::Result<c_int> {
    if answer == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer)
    }
}

/// Waits for one of `rows` and writes to `events`, which has room for as many. Returns how many
/// events there are. Neighbours of one descriptor are asked for as one: for reading alone wasi-libc
/// calls a stream ready when it is connected.
pub(super) fn poll(rows: &[Subscription], events: &mut [Event]) -> io::Result<usize> {
    let list = &mut *LIST.lock().unwrap_or_else(PoisonError::into_inner);
    list.clear();
    let (clock, rows) = match rows.split_first() {
        Some((first, rest)) if first.u.tag == EVENTTYPE_CLOCK.raw() => (Some(first), rest),
        _ => (None, rows),
    };
    for row in rows {
        let (fd, events, revents) = (fd(row), asked(row), 0);
        match list.last_mut() {
            Some(last) if last.fd == fd => last.events |= events,
            _ => list.push(pollfd {
                fd,
                events,
                revents,
            }),
        }
    }
    // SAFETY: its tag says that it is a clock.
    let sleep = clock.map(|row| Duration::from_nanos(unsafe { row.u.u.clock.timeout }));
    wait(list, sleep)?;
    let (mut at, mut count) = (0, 0);
    for row in rows {
        at += usize::from(list[at].fd != fd(row));
        let revents = list[at].revents;
        if revents & (asked(row) | POLLNVAL) != 0 {
            events[count] = super::NO_EVENT;
            events[count].userdata = row.userdata;
            if revents & POLLNVAL != 0 {
                events[count].error = ERRNO_BADF;
            }
            count += 1;
        }
    }
    if let (0, Some(clock)) = (count, clock) {
        events[0] = super::NO_EVENT;
        events[0].userdata = clock.userdata;
        count = 1;
    }
    Ok(count)
}

fn fd(row: &Subscription) -> c_int {
    // SAFETY: no row but the first is a clock, and both kinds of the others are a number.
    unsafe { row.u.u.fd_read.file_descriptor as c_int }
}

fn asked(row: &Subscription) -> c_short {
    [POLLIN, POLLOUT][Direction::of_row(row.userdata) as usize]
}

/// Returns when there is an answer or the time is over. The C library may wake up for nothing.
fn wait(list: &mut [pollfd], sleep: Option<Duration>) -> io::Result<()> {
    let start = Instant::now();
    loop {
        // A clock of one nanosecond stands for none.
        let left = sleep.map(|sleep| match sleep.as_nanos() {
            0 | 1 => 0,
            _ => sleep
                .saturating_sub(start.elapsed())
                .as_nanos()
                .div_ceil(1_000_000),
        });
        let timeout = left.map_or(-1, |left| left.min(i32::MAX as u128) as c_int);
        let answers = ask(list, timeout).or_else(|_| alone(list))?;
        if answers > 0 || timeout == 0 {
            return Ok(());
        }
    }
}

fn ask(list: &mut [pollfd], timeout: c_int) -> io::Result<c_int> {
    // SAFETY: the C library reads and writes as many entries as there are.
    cvt(unsafe { libc::poll(list.as_mut_ptr(), list.len() as libc::nfds_t, timeout) })
}

fn alone(list: &mut [pollfd]) -> io::Result<c_int> {
    for entry in &mut *list {
        if ask(std::slice::from_mut(entry), 0).is_err() {
            entry.revents = POLLNVAL;
        }
    }
    let told = list.iter().filter(|entry| entry.revents != 0);
    Ok(told.count() as c_int)
}

/// The monotonic clock in nanoseconds, since it was first asked for.
pub(super) fn now() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Fails for what is no descriptor, and for files, which would be ready for ever.
pub(super) fn pollable(fd: Fd) -> io::Result<()> {
    // SAFETY: the structure consists of integers, for which zero is a value.
    let mut about: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the C library writes one such structure there.
    cvt(unsafe { libc::fstat(fd as c_int, &mut about) })?;
    if matches!(about.st_mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFDIR) {
        let what = "the descriptor is a file";
        let advice = "the host cannot wait for it; read or write it without registering";
        return Err(error(ErrorKind::InvalidInput, what, advice));
    }
    Ok(())
}

/// A timeout of zero needs no stand-in here.
pub(super) fn spare() -> Option<OwnedFd> {
    None
}
