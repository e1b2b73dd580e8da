//! TCP and UDP sockets with std's names, over the host's calls.
//!
//! Each is an owned descriptor and makes exactly the host calls that its operation needs: three to
//! connect or accept, one to read or write. Closing is one too, without the shutdown that WasmEdge
//! guests are used to. What the host has no call for is an error of kind `Unsupported`; only
//! `set_nodelay` is accepted without effect, since it changes how soon bytes arrive and not which,
//! and programs give up where it fails.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::abi::sock::{self, Flag, Kind, PEEK, TAKE};
use crate::error::Error;

/// What all sockets are.
pub(super) struct Socket {
    pub(super) fd: OwnedFd,
    /// Whether this library opened it, and so knows that it is a socket.
    pub(super) trusted: bool,
}

impl Socket {
    pub(super) fn opened(fd: OwnedFd) -> Socket {
        Socket { fd, trusted: true }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    #[inline]
    pub(super) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        sock::recv(self.fd(), &mut [IoSliceMut::new(buffer)], TAKE)
    }

    #[inline]
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        sock::send(self.fd(), &[IoSlice::new(bytes)])
    }

    fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        sock::recv(self.fd(), &mut [IoSliceMut::new(buffer)], PEEK)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        sock::local_addr(self.fd())?.ip()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        sock::peer_addr(self.fd())?.ip()
    }
}

/// A type of socket with what each of them has.
macro_rules! socket_type {
    ($name:ident) => {
        pub(crate) struct $name($crate::sys::imp::socket::Socket);

        impl $name {
            pub(crate) fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                $crate::sys::imp::abi::sock::take_error(self.0.fd())
            }
        }

        impl $crate::io_source::AsSource for $name {
            #[inline]
            fn source(&self) -> $crate::sys::imp::Source {
                $crate::sys::imp::Source {
                    fd: std::os::fd::AsRawFd::as_raw_fd(self) as wasi::Fd,
                    trusted: self.0.trusted,
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let fd = std::os::fd::AsRawFd::as_raw_fd(self);
                f.debug_struct(stringify!($name)).field("fd", &fd).finish()
            }
        }

        impl std::os::fd::AsFd for $name {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.0.fd()
            }
        }

        impl std::os::fd::AsRawFd for $name {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&self.0.fd)
            }
        }

        impl std::os::fd::IntoRawFd for $name {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                std::os::fd::IntoRawFd::into_raw_fd(self.0.fd)
            }
        }

        #[allow(unsafe_code)]
        impl std::os::fd::FromRawFd for $name {
            unsafe fn from_raw_fd(fd: std::os::fd::RawFd) -> $name {
                // SAFETY: the caller owns `fd`, as this function asks.
                unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) }.into()
            }
        }

        impl From<std::os::fd::OwnedFd> for $name {
            fn from(fd: std::os::fd::OwnedFd) -> $name {
                let trusted = false;
                $name($crate::sys::imp::socket::Socket { fd, trusted })
            }
        }

        impl From<$name> for std::os::fd::OwnedFd {
            fn from(socket: $name) -> std::os::fd::OwnedFd {
                socket.0.fd
            }
        }
    };
}
pub(super) use socket_type;

/// Bytes out and in, each by one call to the host, however many pieces they are in.
macro_rules! byte_stream {
    ($name:ident) => {
        impl $name {
            pub(crate) fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                $crate::sys::imp::abi::sock::shutdown(self.0.fd(), how)
            }
        }

        impl std::io::Read for &$name {
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.recv(buffer)
            }

            #[inline]
            fn read_vectored(
                &mut self,
                pieces: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                use $crate::sys::imp::abi::sock;
                sock::recv(self.0.fd(), pieces, sock::TAKE)
            }
        }

        impl std::io::Write for &$name {
            #[inline]
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.send(bytes)
            }

            #[inline]
            fn write_vectored(
                &mut self,
                pieces: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                $crate::sys::imp::abi::sock::send(self.0.fd(), pieces)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}
pub(super) use byte_stream;
