//! `UdpSocket`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::outcome::{item, looked};
use crate::io_source::{IoSource, sent};
use crate::sys::Direction::{Read, Write};
use crate::sys::socket;

/// A UDP socket, connected to one peer or not.
///
/// ```no_run
/// use mio::net::UdpSocket;
/// use mio::{Events, Interest, Poll, Token};
/// use std::io;
///
/// # fn main() -> io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(64);
/// let mut socket = UdpSocket::bind("127.0.0.1:5300".parse().unwrap())?;
/// poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;
///
/// let mut buf = [0; 1500];
/// loop {
///     poll.poll(&mut events, None)?;
///     for _ in &events {
///         loop {
///             match socket.recv_from(&mut buf) {
///                 Ok((length, peer)) => drop(socket.send_to(&buf[..length], peer)?),
///                 Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
///                 Err(error) => return Err(error),
///             }
///         }
///     }
/// }
/// # }
/// ```
///
/// # Errors that wait
///
/// A datagram that nobody wanted may come back as an error of a *later* call, sending or
/// receiving: `ConnectionRefused`, on a connected socket. It concerns that datagram and not the
/// socket, which goes on working.
///
/// # Hosts
///
/// On WASI without feature `wasmedge` a socket that the host has opened and connected, taken over
/// by `from_raw_fd`, can `send`, `recv` and `peek`. All else is `Unsupported`.
pub struct UdpSocket {
    inner: IoSource<socket::UdpSocket>,
}

impl UdpSocket {
    /// Opens a socket and binds it to `address`.
    ///
    /// Port 0 lets the host choose one: [`UdpSocket::local_addr`] tells which.
    ///
    /// # Errors
    ///
    /// The host's: above all, that the address is in use, or not this machine's.
    ///
    /// # Hosts
    ///
    /// On WASI the scope of an IPv6 address cannot be given: link-local addresses fail.
    pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        let inner = IoSource::new(socket::udp_bind(address)?);
        Ok(UdpSocket { inner })
    }

    /// Sends a datagram to `target`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where the system has no room. Else the host's,
    /// such as for a datagram that is too long; or an [error that waits](#errors-that-wait).
    ///
    /// # Hosts
    ///
    /// epoll tells of room after every datagram that has left. On WASI it is told after
    /// `WouldBlock`: send until then, at each writable event.
    #[inline]
    pub fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.inner.io(Write, sent, |s| s.send_to(buf, target))
    }

    /// Receives a datagram, and tells who sent it. What does not fit into `buf` is lost.
    ///
    /// A datagram may be empty: `Ok` with a length of 0 is no end.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where nothing is there. Else the host's, or an
    /// [error that waits](#errors-that-wait).
    #[inline]
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.io(Read, item, |s| s.recv_from(buf))
    }

    /// As [`UdpSocket::recv_from`], and leaves the datagram in place.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_from`].
    #[inline]
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.io(Read, looked, |s| s.peek_from(buf))
    }

    /// Sends a datagram to the connected peer.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::send_to`]; and the host's where the socket is not connected.
    #[inline]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.inner.io(Write, sent, |s| s.send(buf))
    }

    /// Receives a datagram. What does not fit into `buf` is lost.
    ///
    /// A connected socket receives from its peer only.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_from`].
    #[inline]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.io(Read, item, |s| s.recv(buf))
    }

    /// As [`UdpSocket::recv`], and leaves the datagram in place.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_from`].
    #[inline]
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.io(Read, looked, |s| s.peek(buf))
    }

    /// Connects the socket: from now on it sends to `address` and receives only from there.
    ///
    /// Nothing is sent, and it does not wait. A further call changes the peer.
    ///
    /// # Errors
    ///
    /// The host's, where there is no way to such an address.
    pub fn connect(&self, address: SocketAddr) -> io::Result<()> {
        self.inner.inner().connect(address)
    }

    /// Allows the socket to send to a broadcast address (`SO_BROADCAST`). At first it is not.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.inner.inner().set_broadcast(on)
    }

    /// Whether the socket may send to a broadcast address.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.inner.inner().broadcast()
    }

    /// Sets whether this machine receives its own IPv4 multicasts (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// The host's, as where the socket is not an IPv4 one.
    ///
    /// # Hosts
    ///
    /// On WASI `Unsupported`, as everything about multicast is: WasmEdge up to 0.17 has no such
    /// option.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.inner.inner().set_multicast_loop_v4(on)
    }

    /// Whether this machine receives its own IPv4 multicasts.
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.inner.inner().multicast_loop_v4()
    }

    /// Sets how many routers an IPv4 multicast may pass (`IP_MULTICAST_TTL`). At first it is 1.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`]; `ttl` is at most 255.
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.inner.inner().set_multicast_ttl_v4(ttl)
    }

    /// How many routers an IPv4 multicast may pass.
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.inner.inner().multicast_ttl_v4()
    }

    /// Sets whether this machine receives its own IPv6 multicasts (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// The host's, as where the socket is not an IPv6 one.
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.inner.inner().set_multicast_loop_v6(on)
    }

    /// Whether this machine receives its own IPv6 multicasts.
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.inner.inner().multicast_loop_v6()
    }

    /// Joins an IPv4 multicast group, on the interface that has the address `interface`.
    ///
    /// With [`Ipv4Addr::UNSPECIFIED`] the host chooses an interface.
    ///
    /// # Errors
    ///
    /// The host's: above all, that `group` is no multicast address.
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.inner().join_multicast_v4(group, interface)
    }

    /// Joins an IPv6 multicast group, on the interface of that number; 0 is any.
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.inner().join_multicast_v6(group, interface)
    }

    /// Leaves an IPv4 multicast group: see [`UdpSocket::join_multicast_v4`].
    ///
    /// # Errors
    ///
    /// The host's: above all, that the socket is not in that group.
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.inner().leave_multicast_v4(group, interface)
    }

    /// Leaves an IPv6 multicast group: see [`UdpSocket::join_multicast_v6`].
    ///
    /// # Hosts
    ///
    /// As [`UdpSocket::set_multicast_loop_v4`].
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.inner().leave_multicast_v6(group, interface)
    }

    /// Whether an IPv6 socket refuses IPv4 peers (`IPV6_V6ONLY`).
    ///
    /// # Errors
    ///
    /// The host's, where the socket is not an IPv6 one.
    ///
    /// # Hosts
    ///
    /// On WASI `Unsupported`: WasmEdge up to 0.17 has no such option. There `[::]` takes IPv4
    /// peers too, where the machine is set up as usual.
    pub fn only_v6(&self) -> io::Result<bool> {
        socket::udp_only_v6(self.inner.inner())
    }
}

forward!(UdpSocket);
socket!(UdpSocket, SocketAddr);
connected!(UdpSocket, SocketAddr);
ttl!(UdpSocket);
buffers!(UdpSocket);
std_socket!(UdpSocket, std::net::UdpSocket);
