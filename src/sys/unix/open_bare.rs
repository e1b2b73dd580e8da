//! Descriptors that neither block nor outlive an `exec`, where the calls that open them take no
//! flags: they are told so right after. A program that another thread starts between the two has
//! the descriptor too, which no call here can prevent.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use libc::{c_int, sockaddr_in6, socklen_t};

use super::{cvt, own, own_both, set_nonblocking};

pub(super) fn socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers, and what the call answers is a new descriptor.
    let socket = unsafe { own(libc::socket(family, kind, 0)) }?;
    // What std does: a broken connection is an error of the call that meets it, and no signal.
    // What is accepted inherits it.
    #[cfg(target_vendor = "apple")]
    {
        let (fd, name, on) = (socket.as_raw_fd(), libc::SO_NOSIGPIPE, 1 as c_int);
        let (from, length) = ((&raw const on).cast(), size_of_val(&on) as socklen_t);
        // SAFETY: the kernel reads `length` bytes, which is what `on` has.
        cvt(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, name, from, length) })?;
    }
    tell(&socket).map(|()| socket)
}

/// Accepts a connection, and tells how long its peer's address is, which may be cut short.
pub(super) fn accept(listener: RawFd, peer: &mut sockaddr_in6) -> io::Result<(OwnedFd, socklen_t)> {
    let mut length = size_of_val(peer) as socklen_t;
    let to = (&raw mut *peer).cast();
    // SAFETY: the kernel writes no more to `peer` than `length` said at first, and answers a new
    // descriptor.
    let socket = unsafe { own(libc::accept(listener, to, &mut length)) }?;
    tell(&socket).map(|()| (socket, length))
}

pub(super) fn pair(kind: c_int) -> io::Result<[OwnedFd; 2]> {
    // SAFETY: the kernel writes two new descriptors where it is told to.
    let both = unsafe { own_both(|fds| libc::socketpair(libc::AF_UNIX, kind, 0, fds)) }?;
    both.iter().try_for_each(tell).map(|()| both)
}

/// The end to read from, and the end to write to.
pub(super) fn pipe() -> io::Result<[OwnedFd; 2]> {
    // SAFETY: the kernel writes two new descriptors where it is told to.
    let both = unsafe { own_both(|fds| libc::pipe(fds)) }?;
    both.iter().try_for_each(tell).map(|()| both)
}

fn tell(fd: &OwnedFd) -> io::Result<()> {
    // SAFETY: no pointers, and the descriptor is open while `fd` lives.
    cvt(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    set_nonblocking(fd, true)
}
