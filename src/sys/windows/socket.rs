//! TCP and UDP: std's sockets, opened so that nothing waits.
//!
//! std connects a stream only by waiting, so that is made here. All else is std's: what it binds
//! is no hot path, and what it accepts is as non-blocking as its listener.
#![allow(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::windows::io::{AsRawSocket, FromRawSocket, OwnedSocket, RawSocket};
use std::ptr::null;
use std::sync::Once;

use windows_sys::Win32::Networking::WinSock::*;

use super::port::cvt;
use crate::io_source::AsSource;

pub(crate) use std::net::{TcpListener, TcpStream, UdpSocket};

impl<T: AsRawSocket> AsSource for T {
    #[inline]
    fn source(&self) -> RawSocket {
        self.as_raw_socket()
    }
}

pub(crate) fn tcp_connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AF_INET,
        SocketAddr::V6(_) => AF_INET6,
    };
    // std starts Winsock only where it opens a socket itself. Each start counts, and where one
    // fails, so does the opening.
    static START: Once = Once::new();
    // SAFETY: Winsock writes no more than the structure.
    START.call_once(|| _ = unsafe { WSAStartup(0x0202, &mut WSADATA::default()) });
    let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: no pointers but null.
    let socket = unsafe { WSASocketW(family.into(), SOCK_STREAM, 0, null(), 0, flags) };
    cvt((socket != INVALID_SOCKET).into())?;
    // std's stream waits for the connection. Its datagram socket makes the bare call, which
    // Winsock takes for any socket.
    // SAFETY: Winsock has just given us this socket, and nobody else has it.
    let socket = unsafe { UdpSocket::from_raw_socket(socket as RawSocket) };
    socket.set_nonblocking(true)?;
    match socket.connect(address) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(OwnedSocket::from(socket).into()),
    }
}

pub(crate) fn tcp_bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[inline]
pub(crate) fn tcp_accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    listener.accept()
}

pub(crate) fn udp_bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

pub(crate) fn udp_only_v6(socket: &UdpSocket) -> io::Result<bool> {
    option(socket, (IPPROTO_IPV6, IPV6_V6ONLY)).map(|[only]| only != 0)
}

/// An option's level and name. Each is one integer, only linger two of half the size: on or off,
/// and seconds.
type Name = (i32, i32);
pub(crate) const SEND_BUFFER: Name = (SOL_SOCKET, SO_SNDBUF);
pub(crate) const RECEIVE_BUFFER: Name = (SOL_SOCKET, SO_RCVBUF);
pub(crate) const LINGER: Name = (SOL_SOCKET, SO_LINGER);

pub(crate) fn option<const N: usize>(
    socket: &impl AsRawSocket,
    (level, name): Name,
) -> io::Result<[i32; N]> {
    let mut value = [0_u16; 2];
    let mut length = size_of_val(&value) as i32;
    let (socket, to) = (socket.as_raw_socket() as usize, value.as_mut_ptr().cast());
    // SAFETY: Winsock writes at most `length` bytes to `value`, and the new length to `length`.
    let answer = unsafe { getsockopt(socket, level, name, to, &mut length) };
    cvt((answer == 0).into())?;
    let whole = i32::from(value[0]) | i32::from(value[1]) << 16;
    Ok(std::array::from_fn(|part| {
        if N == 1 { whole } else { value[part].into() }
    }))
}

pub(crate) fn set_option<const N: usize>(
    socket: &impl AsRawSocket,
    (level, name): Name,
    value: [i32; N],
) -> io::Result<()> {
    let half = |part: usize| value[part].min(u16::MAX.into());
    let value = if N == 1 {
        value[0]
    } else {
        half(0) | half(1) << 16
    };
    let (socket, from) = (socket.as_raw_socket() as usize, (&raw const value).cast());
    // SAFETY: Winsock reads four bytes, which is what `value` has.
    let answer = unsafe { setsockopt(socket, level, name, from, size_of_val(&value) as i32) };
    cvt((answer == 0).into())
}
