//! Unix: which queue, how descriptors are opened, and the sockets, which are std's own.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::c_int;

#[cfg_attr(
    any(
        all(target_os = "android", target_arch = "x86"),
        mio_kqueue_model,
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
        target_os = "aix",
        target_os = "fuchsia",
        target_os = "haiku",
        target_os = "hurd",
        target_os = "nto",
        target_os = "solaris",
    ),
    path = "poll.rs"
)]
mod queue;
#[cfg(feature = "net")]
#[path = "net.rs"]
pub(crate) mod socket;
#[cfg(feature = "os-ext")]
pub(crate) mod source_fd;

pub(crate) use queue::{Selector, Waker};

#[cfg(any(feature = "net", feature = "os-ext"))]
impl<T: std::os::fd::AsRawFd> crate::io_source::AsSource for T {
    #[inline]
    fn source(&self) -> std::os::fd::RawFd {
        self.as_raw_fd()
    }
}

// What each set of features uses a part of.
const _: fn() = || _ = (open::FLAGS, open::accept4, pipe);

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

/// The descriptor that a call has answered, which is to be a new one.
#[inline]
unsafe fn own(answer: c_int) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise.
    cvt(answer).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A new pipe: the end to read from, and the end to write to.
fn pipe() -> io::Result<[OwnedFd; 2]> {
    let mut fds = [-1; 2];
    // SAFETY: the kernel writes two descriptors to `fds`.
    cvt(unsafe { open::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) })?;
    // SAFETY: they are new.
    let [from, to] = fds.map(|fd| unsafe { open::own(fd) });
    Ok([from?, to?])
}
