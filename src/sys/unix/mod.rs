//! Unix: which queue, and the sockets, which are std's own.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::{Poll, Registry};

#[cfg(feature = "os-ext")]
pub(crate) mod pipe;
// One of these lines holds, or none: then it is `queue.rs`, which says what is supported.
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "epoll.rs")]
mod queue;
#[cfg(feature = "net")]
pub(crate) mod socket;
#[cfg(feature = "os-ext")]
pub(crate) mod source_fd;
#[cfg(feature = "net")]
pub(crate) mod uds;

pub(crate) use queue::{Selector, Waker};

impl AsRawFd for Poll {
    fn as_raw_fd(&self) -> RawFd {
        self.registry().as_raw_fd()
    }
}

impl AsRawFd for Registry {
    fn as_raw_fd(&self) -> RawFd {
        self.selector.queue.as_raw_fd()
    }
}

impl AsFd for Registry {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.selector.queue.as_fd()
    }
}

#[cfg(any(feature = "net", feature = "os-ext"))]
impl<T: AsRawFd> crate::io_source::AsSource for T {
    #[inline]
    fn source(&self) -> RawFd {
        self.as_raw_fd()
    }
}

/// A libc call's answer as a result: -1 is the thread's last error.
#[inline]
fn cvt(answer: libc::c_int) -> std::io::Result<libc::c_int> {
    if answer == -1 {
        Err(last_error())
    } else {
        Ok(answer)
    }
}

#[cold]
#[inline(never)]
fn last_error() -> std::io::Error {
    std::io::Error::last_os_error()
}
