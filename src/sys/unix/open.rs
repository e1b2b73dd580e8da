//! Descriptors that neither block nor outlive an `exec`: the calls that open them say so.
//!
//! `open_bare.rs` has the same functions for the systems whose calls take no such flags.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use libc::{c_int, sockaddr_in6, socklen_t};

use super::{own, own_both};

const FLAGS: c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

pub(super) fn socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers, and what the call answers is a new descriptor.
    unsafe { own(libc::socket(family, kind | FLAGS, 0)) }
}

/// Accepts a connection, and tells how long its peer's address is, which may be cut short.
#[inline]
pub(super) fn accept(listener: RawFd, peer: &mut sockaddr_in6) -> io::Result<(OwnedFd, socklen_t)> {
    let mut length = size_of_val(peer) as socklen_t;
    let to = (&raw mut *peer).cast();
    // SAFETY: the kernel writes no more to `peer` than `length` said at first, and answers a new
    // descriptor.
    let socket = unsafe { own(libc::accept4(listener, to, &mut length, FLAGS)) }?;
    Ok((socket, length))
}

pub(super) fn pair(kind: c_int) -> io::Result<[OwnedFd; 2]> {
    // SAFETY: the kernel writes two new descriptors where it is told to.
    unsafe { own_both(|fds| libc::socketpair(libc::AF_UNIX, kind | FLAGS, 0, fds)) }
}

/// The end to read from, and the end to write to.
pub(super) fn pipe() -> io::Result<[OwnedFd; 2]> {
    // SAFETY: the kernel writes two new descriptors where it is told to.
    unsafe { own_both(|fds| libc::pipe2(fds, libc::O_NONBLOCK | libc::O_CLOEXEC)) }
}
