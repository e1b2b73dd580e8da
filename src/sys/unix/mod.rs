//! Unix: which queue, and the sockets, which are std's own.

#[cfg(feature = "os-ext")]
pub(crate) mod pipe;
// One of these lines holds, or none: then it is `queue.rs`, which says what is supported.
#[cfg_attr(mio_unsupported_force_poll_poll, path = "poll.rs")]
#[cfg_attr(
    all(
        not(mio_unsupported_force_poll_poll),
        any(target_os = "linux", target_os = "android")
    ),
    path = "epoll.rs"
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
impl<T: std::os::fd::AsRawFd> crate::io_source::AsSource for T {
    #[inline]
    fn source(&self) -> std::os::fd::RawFd {
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
