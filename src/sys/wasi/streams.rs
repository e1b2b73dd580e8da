//! The sockets of a component: std's, over the C library, as on Unix.

#[path = "../unix/socket.rs"]
mod unix;

use std::os::fd::AsRawFd;

pub(crate) use self::unix::*;
use super::abi::cvt;
use super::{Role, Source};
use crate::io_source::AsSource;

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
