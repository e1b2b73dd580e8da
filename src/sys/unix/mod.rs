//! Unix: which queue, how descriptors are opened, and the sockets, which are std's own.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::c_int;

#[cfg_attr(
    any(
        all(target_os = "android", target_arch = "x86"),
        target_os = "aix",
        target_os = "espidf",
        target_os = "haiku",
        target_os = "nto",
        target_os = "redox",
        target_os = "vita",
        target_vendor = "apple",
    ),
    path = "open_bare.rs"
)]
mod open;
#[cfg(feature = "os-ext")]
pub(crate) mod pipe;
// One of these lines holds, or none: then it is `queue.rs`, which says what is supported.
#[cfg_attr(
    all(
        not(any(mio_kqueue_model, mio_unsupported_force_poll_poll)),
        any(target_os = "android", target_os = "illumos", target_os = "linux"),
    ),
    path = "epoll.rs"
)]
#[cfg_attr(
    all(
        not(mio_unsupported_force_poll_poll),
        any(
            mio_kqueue_model,
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd",
            target_vendor = "apple",
        ),
    ),
    path = "kqueue.rs"
)]
#[cfg_attr(
    any(
        mio_unsupported_force_poll_poll,
        target_os = "haiku",
        target_os = "hurd",
        target_os = "solaris"
    ),
    path = "poll.rs"
)]
mod queue;
#[cfg(feature = "net")]
pub(crate) mod socket;
#[cfg(feature = "os-ext")]
pub(crate) mod source_fd;
#[cfg(feature = "net")]
pub(crate) mod uds;

pub(crate) use queue::{Selector, Waker};

#[cfg(any(feature = "net", feature = "os-ext"))]
impl<T: AsRawFd> crate::io_source::AsSource for T {
    #[inline]
    fn source(&self) -> std::os::fd::RawFd {
        self.as_raw_fd()
    }
}

// What each system and set of features uses a part of.
const _: fn() = || {
    let _ = (open::socket, open::accept, open::pair, open::pipe);
    let _ = set_nonblocking::<OwnedFd>;
};

/// A libc call's answer as a result: -1 is the thread's last error.
#[inline]
fn cvt(answer: c_int) -> io::Result<c_int> {
    if answer == -1 {
        Err(last_error())
    } else {
        Ok(answer)
    }
}

#[cold]
#[inline(never)]
fn last_error() -> io::Error {
    io::Error::last_os_error()
}

/// The descriptor that a call has answered.
///
/// # Safety
///
/// It is new: nobody else has it.
#[inline]
unsafe fn own(answer: c_int) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise.
    cvt(answer).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The two descriptors that a call has written.
///
/// # Safety
///
/// Where `make` succeeds, it has written two that are new.
unsafe fn own_both(make: impl FnOnce(*mut c_int) -> c_int) -> io::Result<[OwnedFd; 2]> {
    let mut fds = [-1; 2];
    cvt(make(fds.as_mut_ptr()))?;
    // SAFETY: the caller's promise.
    Ok(fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// By `fcntl`, since the `ioctl` for it is not for every descriptor on every system.
fn set_nonblocking<T: AsRawFd>(fd: &T, nonblocking: bool) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    // SAFETY: no pointers.
    let flags = cvt(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    let on = if nonblocking { libc::O_NONBLOCK } else { 0 };
    // SAFETY: no pointers.
    cvt(unsafe { libc::fcntl(fd, libc::F_SETFL, flags & !libc::O_NONBLOCK | on) }).map(drop)
}
