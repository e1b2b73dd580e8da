//! TCP and UDP: std's sockets, opened so that nothing waits.
//!
//! std opens its sockets blocking, so connect and accept are made here, at one system call each
//! beside the opening. A bind is no hot path: std's will do.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use libc::{c_int, sockaddr_in6, socklen_t};

use super::{cvt, open};
use crate::error::{ErrorKind, error};

pub(crate) use std::net::{TcpListener, TcpStream, UdpSocket};

/// As many connections as may wait to be accepted, where the system's own limit is not lower.
const BACKLOG: c_int = 1024;

pub(crate) fn tcp_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    // std's stream waits for the connection. Its datagram socket makes the bare call, which the
    // kernel takes for any socket.
    let socket = UdpSocket::from(new(family, libc::SOCK_STREAM)?);
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
    let (socket, address, _) = accept(listener.as_raw_fd())?;
    Ok((socket.into(), ip(&address)?))
}

pub(crate) fn udp_bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

pub(crate) fn udp_only_v6(socket: &UdpSocket) -> io::Result<bool> {
    option(socket, (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)).map(|[only]| only != 0)
}

/// An option's level and name. Each is one integer, only linger two: on or off, and seconds.
type Name = (c_int, c_int);
pub(crate) const SEND_BUFFER: Name = (libc::SOL_SOCKET, libc::SO_SNDBUF);
pub(crate) const RECEIVE_BUFFER: Name = (libc::SOL_SOCKET, libc::SO_RCVBUF);
// Apple's `SO_LINGER` counts ticks of a clock; its `SO_LINGER_SEC` is what the others have.
const APPLE: bool = cfg!(target_vendor = "apple");
pub(crate) const LINGER: Name = (libc::SOL_SOCKET, [libc::SO_LINGER, 0x1080][APPLE as usize]);
/// FreeBSD refuses more seconds than a short has; Apple's systems keep hundredths in one.
const LONGEST_LINGER: c_int = [0x7FFF, 0x7FFF / 100][APPLE as usize];

const _: () = assert!(size_of::<libc::linger>() == size_of::<[c_int; 2]>());

pub(crate) fn option<const N: usize>(
    socket: &impl AsRawFd,
    (level, name): Name,
) -> io::Result<[c_int; N]> {
    let mut value = [0; N];
    let mut length = size_of_val(&value) as socklen_t;
    let (fd, to) = (socket.as_raw_fd(), value.as_mut_ptr().cast());
    // SAFETY: the kernel writes at most `length` bytes to `value`, and the new length to `length`.
    cvt(unsafe { libc::getsockopt(fd, level, name, to, &mut length) })?;
    Ok(value)
}

pub(crate) fn set_option<const N: usize>(
    socket: &impl AsRawFd,
    (level, name): Name,
    mut value: [c_int; N],
) -> io::Result<()> {
    if let [_, seconds] = value.as_mut_slice() {
        *seconds = LONGEST_LINGER.min(*seconds);
    }
    let length = size_of_val(&value) as socklen_t;
    let (fd, from) = (socket.as_raw_fd(), value.as_ptr().cast());
    // SAFETY: the kernel reads `length` bytes, which is what `value` has.
    cvt(unsafe { libc::setsockopt(fd, level, name, from, length) }).map(drop)
}

/// Opens a socket that neither blocks nor outlives an `exec`.
pub(super) fn new(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers, and what the call answers is new.
    unsafe { open::own(libc::socket(family, kind | open::FLAGS, 0)) }
}

/// Accepts a connection that neither blocks nor outlives an `exec`, and tells the address of its
/// peer and how long that is. A Unix socket's does not fit and is cut short.
#[inline]
pub(super) fn accept(listener: RawFd) -> io::Result<(OwnedFd, sockaddr_in6, socklen_t)> {
    // SAFETY: the structure consists of integers, for which zero is a value.
    let mut address: sockaddr_in6 = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&address) as socklen_t;
    let to = (&raw mut address).cast();
    // SAFETY: the kernel writes at most `length` bytes to `address`, and what it answers is new.
    let socket = unsafe { open::own(open::accept4(listener, to, &mut length, open::FLAGS)) }?;
    Ok((socket, address, length))
}

// IPv4's structure has its address where IPv6's has the flow's label, and then nothing of note.
const _: () = {
    use libc::sockaddr_in;
    use std::mem::offset_of;
    assert!(offset_of!(sockaddr_in, sin_port) == offset_of!(sockaddr_in6, sin6_port));
    assert!(offset_of!(sockaddr_in, sin_addr) == offset_of!(sockaddr_in6, sin6_flowinfo));
};

#[inline]
fn ip(address: &sockaddr_in6) -> io::Result<SocketAddr> {
    let port = u16::from_be(address.sin6_port);
    let (flow, scope) = (address.sin6_flowinfo, address.sin6_scope_id);
    match c_int::from(address.sin6_family) {
        libc::AF_INET => Ok((Ipv4Addr::from(flow.to_ne_bytes()), port).into()),
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
