//! How a descriptor is opened so that it neither blocks nor outlives an `exec`, where no call takes
//! flags: it is told so right after. An `exec` that another thread makes in between takes it along.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use libc::{c_int, sockaddr, socklen_t};

use super::cvt;

pub(super) const FLAGS: c_int = 0;

pub(super) unsafe fn accept4(fd: RawFd, to: *mut sockaddr, n: *mut socklen_t, _: c_int) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { libc::accept(fd, to, n) }
}

pub(super) unsafe fn pipe2(fds: *mut c_int, _: c_int) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { libc::pipe(fds) }
}

pub(super) unsafe fn own(answer: c_int) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise.
    let fd = unsafe { super::own(answer) }?;
    for (what, flag) in [
        (libc::F_SETFD, libc::FD_CLOEXEC),
        (libc::F_SETFL, libc::O_NONBLOCK),
    ] {
        // SAFETY: no pointers.
        cvt(unsafe { libc::fcntl(fd.as_raw_fd(), what, flag) })?;
    }
    // As std has it, a broken connection is an error and no signal. A pipe does not know it.
    #[cfg(target_vendor = "apple")]
    // SAFETY: the kernel reads 4 bytes of an integer that has as many.
    unsafe {
        let (level, on) = (libc::SOL_SOCKET, std::ptr::from_ref(&1_i32));
        libc::setsockopt(fd.as_raw_fd(), level, libc::SO_NOSIGPIPE, on.cast(), 4);
    }
    Ok(fd)
}
