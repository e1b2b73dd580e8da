//! TCP and UDP sockets with std's names, over the host's calls.
//!
//! Each is an owned descriptor and makes exactly the host calls that its operation needs: three to
//! connect or accept, one to read or write. Closing is one too, without the shutdown that WasmEdge
//! guests are used to. What the host has no call for is an error of kind `Unsupported`; only
//! `set_nodelay` is accepted without effect, since it changes how soon bytes arrive and not which,
//! and programs give up where it fails.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::abi::sock::{self, Flag, Kind, PEEK, TAKE};
use crate::error::{ErrorKind, error};
use crate::sys::Buffer;

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

    #[inline]
    pub(super) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        sock::recv(self.fd.as_fd(), &mut [IoSliceMut::new(buffer)], TAKE)
    }

    #[inline]
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        sock::send(self.fd.as_fd(), &[IoSlice::new(bytes)])
    }

    fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        sock::recv(self.fd.as_fd(), &mut [IoSliceMut::new(buffer)], PEEK)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        sock::local_addr(self.fd.as_fd())?.ip()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        sock::peer_addr(self.fd.as_fd())?.ip()
    }
}

/// A type of socket with what each of them has.
macro_rules! socket_type {
    ($name:ident, datagrams: $datagrams:literal) => {
        pub(crate) struct $name(super::socket::Socket);

        const _: () = {
            use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
            use std::{fmt, io};

            impl $name {
                pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
                    super::abi::sock::take_error(self.as_fd())
                }
            }

            impl crate::io_source::AsSource for $name {
                #[inline]
                fn source(&self) -> super::Source {
                    super::Source {
                        fd: self.as_raw_fd() as wasi::Fd,
                        trusted: self.0.trusted,
                        datagrams: $datagrams,
                    }
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let fd = self.as_raw_fd();
                    f.debug_struct(stringify!($name)).field("fd", &fd).finish()
                }
            }

            impl AsFd for $name {
                #[inline]
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.0.fd.as_fd()
                }
            }

            impl AsRawFd for $name {
                #[inline]
                fn as_raw_fd(&self) -> RawFd {
                    self.0.fd.as_raw_fd()
                }
            }

            impl IntoRawFd for $name {
                fn into_raw_fd(self) -> RawFd {
                    self.0.fd.into_raw_fd()
                }
            }

            #[allow(unsafe_code)]
            impl FromRawFd for $name {
                unsafe fn from_raw_fd(fd: RawFd) -> $name {
                    // SAFETY: the caller gives `fd` away, as this function demands.
                    unsafe { OwnedFd::from_raw_fd(fd) }.into()
                }
            }

            impl From<OwnedFd> for $name {
                fn from(fd: OwnedFd) -> $name {
                    $name(super::socket::Socket { fd, trusted: false })
                }
            }

            impl From<$name> for OwnedFd {
                fn from(socket: $name) -> OwnedFd {
                    socket.0.fd
                }
            }
        };
    };
}
pub(super) use socket_type;

/// Bytes in and out, each by one call to the host, however many pieces they are in.
macro_rules! byte_stream {
    ($name:ident) => {
        const _: () = {
            use super::abi::sock::{TAKE, recv, send, shutdown};
            use std::io::{self, IoSlice, IoSliceMut, Read, Write};
            use std::net::Shutdown;
            use std::os::fd::AsFd;

            impl $name {
                pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                    shutdown(self.as_fd(), how)
                }
            }

            impl Read for &$name {
                #[inline]
                fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                    self.0.recv(buffer)
                }

                #[inline]
                fn read_vectored(&mut self, pieces: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                    recv(self.as_fd(), pieces, TAKE)
                }
            }

            impl Write for &$name {
                #[inline]
                fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                    self.0.send(bytes)
                }

                #[inline]
                fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
                    send(self.as_fd(), pieces)
                }

                fn flush(&mut self) -> io::Result<()> {
                    Ok(())
                }
            }
        };
    };
}
pub(super) use byte_stream;

/// Methods for options that the host has no call to reach.
macro_rules! unreachable_options {
    ($($name:ident($($argument:ty),*) -> $answer:ty;)*) => {$(
        pub(crate) fn $name(&self, $(_: $argument),*) -> io::Result<$answer> {
            no_option(stringify!($name))
        }
    )*};
}

#[cold]
fn no_option<T>(call: &'static str) -> io::Result<T> {
    let advice = "no WasmEdge up to 0.17 gives its guests this socket option";
    Err(error(ErrorKind::Unsupported, call, advice))
}

socket_type!(TcpStream, datagrams: false);
byte_stream!(TcpStream);

impl TcpStream {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    #[inline]
    pub(crate) fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buffer)
    }

    /// Accepted without effect: see the head of this file.
    pub(crate) fn set_nodelay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// What holds, whatever was set.
    pub(crate) fn nodelay(&self) -> io::Result<bool> {
        Ok(false)
    }

    unreachable_options! {
        set_ttl(u32) -> ();
        ttl() -> u32;
    }
}

/// A stream that is connected, or on its way.
pub(crate) fn tcp_connect(to: SocketAddr) -> io::Result<TcpStream> {
    let fd = sock::connected(Kind::Stream, &to.into())?;
    Ok(TcpStream(Socket::opened(fd)))
}

socket_type!(TcpListener, datagrams: false);

impl TcpListener {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    unreachable_options! {
        set_ttl(u32) -> ();
        ttl() -> u32;
    }
}

pub(crate) fn tcp_bind(at: SocketAddr) -> io::Result<TcpListener> {
    let fd = sock::listening(&at.into())?;
    Ok(TcpListener(Socket::opened(fd)))
}

/// The next connection that is still one: WasmEdge (0.14 to 0.17) also hands out those that the
/// peer has reset while they were queued, which then have no address.
pub(crate) fn tcp_accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    const NOTCONN: Option<i32> = Some(wasi::ERRNO_NOTCONN.raw() as i32);
    loop {
        let fd = sock::accept(listener.as_fd())?;
        match sock::origin(fd.as_fd()) {
            Err(error) if error.raw_os_error() == NOTCONN => {}
            origin => return Ok((TcpStream(Socket::opened(fd)), origin?.ip()?)),
        }
    }
}

socket_type!(UdpSocket, datagrams: true);

impl UdpSocket {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<()> {
        sock::connect(self.as_fd(), &to.into())
    }

    #[inline]
    pub(crate) fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        sock::send_to(self.as_fd(), bytes, &to.into())
    }

    #[inline]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    #[inline]
    pub(crate) fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = sock::recv_from(self.as_fd(), buffer, TAKE)?;
        Ok((length, from.ip()?))
    }

    #[inline]
    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer)
    }

    pub(crate) fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = sock::recv_from(self.as_fd(), buffer, PEEK)?;
        Ok((length, from.ip()?))
    }

    pub(crate) fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buffer)
    }

    pub(crate) fn set_broadcast(&self, on: bool) -> io::Result<()> {
        sock::set_flag(self.as_fd(), Flag::Broadcast, on)
    }

    pub(crate) fn broadcast(&self) -> io::Result<bool> {
        sock::flag(self.as_fd(), Flag::Broadcast)
    }

    unreachable_options! {
        set_multicast_loop_v4(bool) -> ();
        multicast_loop_v4() -> bool;
        set_multicast_ttl_v4(u32) -> ();
        multicast_ttl_v4() -> u32;
        set_multicast_loop_v6(bool) -> ();
        multicast_loop_v6() -> bool;
        set_ttl(u32) -> ();
        ttl() -> u32;
        join_multicast_v4(&Ipv4Addr, &Ipv4Addr) -> ();
        join_multicast_v6(&Ipv6Addr, u32) -> ();
        leave_multicast_v4(&Ipv4Addr, &Ipv4Addr) -> ();
        leave_multicast_v6(&Ipv6Addr, u32) -> ();
    }
}

pub(crate) fn udp_bind(at: SocketAddr) -> io::Result<UdpSocket> {
    let fd = sock::bound(Kind::Datagram, &at.into())?;
    Ok(UdpSocket(Socket::opened(fd)))
}

pub(crate) fn udp_only_v6(_: &UdpSocket) -> io::Result<bool> {
    no_option("only_v6")
}

pub(crate) fn buffer(socket: &impl AsFd, buffer: Buffer) -> io::Result<usize> {
    sock::buffer(socket.as_fd(), buffer)
}

pub(crate) fn set_buffer(socket: &impl AsFd, buffer: Buffer, bytes: usize) -> io::Result<()> {
    sock::set_buffer(socket.as_fd(), buffer, bytes)
}

pub(crate) fn linger(socket: &TcpStream) -> io::Result<Option<Duration>> {
    sock::linger(socket.as_fd())
}

pub(crate) fn set_linger(socket: &TcpStream, time: Option<Duration>) -> io::Result<()> {
    sock::set_linger(socket.as_fd(), time)
}
