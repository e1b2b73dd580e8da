//! The sockets of a component: std's, over the C library, as on Unix.
#![allow(unsafe_code)]

#[path = "../unix/socket.rs"]
mod unix;

use std::os::fd::AsRawFd;

pub(crate) use self::unix::*;
use super::abi::cvt;
use super::{Role, Source};
use crate::io_source::AsSource;

/// How a descriptor is opened, by the names that Unix has in `open.rs`.
mod open {
    pub(super) use libc::accept4;
    use std::io;
    use std::os::fd::{FromRawFd, OwnedFd};

    pub(super) const FLAGS: libc::c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

    /// The descriptor that a call has answered, which is to be a new one.
    pub(super) unsafe fn own(answer: libc::c_int) -> io::Result<OwnedFd> {
        // SAFETY: the caller's promise.
        super::cvt(answer).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

macro_rules! source {
    ($($socket:ty: $role:ident),+) => {$(
        impl AsSource for $socket {
            #[inline]
            fn source(&self) -> Source {
                Source {
                    fd: self.as_raw_fd() as wasi::Fd,
                    trusted: false,
                    role: Role::$role,
                }
            }
        }
    )+};
}

source!(TcpListener: Listener, TcpStream: Stream, UdpSocket: Datagrams);
