//! TCP and UDP: std's sockets, opened so that nothing waits.
//!
//! std opens its sockets blocking, so connect and accept are made here, at one system call each
//! beside the opening. A bind is no hot path: std's will do.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::cvt;
use crate::error::{ErrorKind, error};
use crate::sys::Buffer;

pub(crate) use std::net::{TcpListener, TcpStream, UdpSocket};

/// As many connections as may wait to be accepted, where the system's own limit is not lower.
const BACKLOG: libc::c_int = 1024;

pub(crate) fn tcp_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    // std's stream waits for the connection. Its datagram socket makes the bare call, which the
    // kernel takes for any socket.
    let socket = UdpSocket::from(open(family, libc::SOCK_STREAM)?);
    match socket.connect(address) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(OwnedFd::from(socket).into()),
    }
}

pub(crate) fn tcp_bind(address: SocketAddr) -> io::Result<TcpListener> {
    // std sets `SO_REUSEADDR` where that is safe.
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    // std listens with a backlog of 128, and a second call replaces it.
    // SAFETY: no pointers, and the descriptor is open while `listener` lives.
    cvt(unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) })?;
    Ok(listener)
}

#[inline]
pub(crate) fn tcp_accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let accepted = accept(listener.as_raw_fd())?;
    Ok((accepted.socket.into(), ip(&accepted.address)?))
}

pub(crate) fn udp_bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

pub(crate) fn udp_only_v6(socket: &UdpSocket) -> io::Result<bool> {
    option(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY).map(|only: libc::c_int| only != 0)
}

pub(crate) fn buffer(socket: &impl AsRawFd, buffer: Buffer) -> io::Result<usize> {
    option(socket, libc::SOL_SOCKET, size_option(buffer)).map(|size: libc::c_int| size as usize)
}

pub(crate) fn set_buffer(socket: &impl AsRawFd, buffer: Buffer, bytes: usize) -> io::Result<()> {
    let size = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set_option(socket, size_option(buffer), size)
}

fn size_option(buffer: Buffer) -> libc::c_int {
    match buffer {
        Buffer::Send => libc::SO_SNDBUF,
        Buffer::Receive => libc::SO_RCVBUF,
    }
}

pub(crate) fn linger(socket: &TcpStream) -> io::Result<Option<Duration>> {
    let linger: libc::linger = option(socket, libc::SOL_SOCKET, libc::SO_LINGER)?;
    Ok((linger.l_onoff != 0).then(|| Duration::from_secs(linger.l_linger as u64)))
}

pub(crate) fn set_linger(socket: &TcpStream, time: Option<Duration>) -> io::Result<()> {
    let seconds = time.map_or(0, |time| i32::try_from(time.as_secs()).unwrap_or(i32::MAX));
    let linger = libc::linger {
        l_onoff: time.is_some().into(),
        l_linger: seconds,
    };
    set_option(socket, libc::SO_LINGER, linger)
}

/// Reads an option. `T` is the structure of integers that the option has.
fn option<T: Copy>(socket: &impl AsRawFd, level: libc::c_int, name: libc::c_int) -> io::Result<T> {
    // SAFETY: the structure consists of integers, for which zero is a value.
    let mut value: T = unsafe { std::mem::zeroed() };
    let mut length = size_of::<T>() as libc::socklen_t;
    let (fd, to) = (socket.as_raw_fd(), (&raw mut value).cast());
    // SAFETY: the kernel writes at most `length` bytes to `value`, and the new length to `length`.
    cvt(unsafe { libc::getsockopt(fd, level, name, to, &mut length) })?;
    Ok(value)
}

fn set_option<T: Copy>(socket: &impl AsRawFd, name: libc::c_int, value: T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let (fd, from) = (socket.as_raw_fd(), (&raw const value).cast());
    // SAFETY: the kernel reads `length` bytes, which is what `value` has.
    cvt(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, name, from, length) }).map(|_| ())
}

/// Opens a socket that neither blocks nor outlives an `exec`.
pub(super) fn open(family: libc::c_int, kind: libc::c_int) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    let fd = cvt(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A connection, and the address of its peer. A Unix socket's does not fit and is cut short.
pub(super) struct Accepted {
    pub(super) socket: OwnedFd,
    pub(super) address: libc::sockaddr_in6,
    pub(super) address_length: libc::socklen_t,
}

/// Accepts a connection that neither blocks nor outlives an `exec`.
#[inline]
pub(super) fn accept(listener: RawFd) -> io::Result<Accepted> {
    // SAFETY: the structure consists of integers, for which zero is a value.
    let mut address: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    let mut address_length = size_of_val(&address) as libc::socklen_t;
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let to = (&raw mut address).cast();
    // SAFETY: the kernel writes no more to `address` than `address_length` said at first.
    let socket = cvt(unsafe { libc::accept4(listener, to, &mut address_length, flags) })?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    Ok(Accepted {
        socket,
        address,
        address_length,
    })
}

// IPv4's structure is shorter, and has its address where IPv6's has the flow's label.
const _: () = {
    use libc::{sockaddr_in, sockaddr_in6};
    use std::mem::offset_of;
    assert!(size_of::<sockaddr_in>() <= size_of::<sockaddr_in6>());
    assert!(offset_of!(sockaddr_in, sin_port) == offset_of!(sockaddr_in6, sin6_port));
    assert!(offset_of!(sockaddr_in, sin_addr) == offset_of!(sockaddr_in6, sin6_flowinfo));
};

#[inline]
fn ip(address: &libc::sockaddr_in6) -> io::Result<SocketAddr> {
    let port = u16::from_be(address.sin6_port);
    let (flow, scope) = (address.sin6_flowinfo, address.sin6_scope_id);
    match libc::c_int::from(address.sin6_family) {
        libc::AF_INET => {
            let ip = Ipv4Addr::from(flow.to_ne_bytes());
            Ok(SocketAddrV4::new(ip, port).into())
        }
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
            Ok(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => {
            let what = "the accepted socket's peer has no IP address";
            let advice = "use the listener of its family";
            Err(error(ErrorKind::InvalidInput, what, advice))
        }
    }
}
