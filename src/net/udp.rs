//! `UdpSocket`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::outcome::{item, looked};
use crate::io_source::{IoSource, sent};
use crate::sys::Direction::{Read, Write};
use crate::sys::socket;

/// A UDP socket, connected to one peer or not.
///
#[doc = include_str!("udp_socket.md")]
pub struct UdpSocket {
    inner: IoSource<socket::UdpSocket>,
}

impl UdpSocket {
    /// Opens a socket and binds it to `address`. What
    /// [`TcpListener::bind`](crate::net::TcpListener::bind) says of port 0, of errors and of hosts
    /// holds here too.
    pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        socket::udp_bind(address).map(UdpSocket::over)
    }

    /// Sends a datagram to `target`.
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
    #[inline]
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.io(Read, item, |s| s.recv_from(buf))
    }

    /// As [`UdpSocket::recv_from`], and leaves the datagram in place.
    #[inline]
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.io(Read, looked, |s| s.peek_from(buf))
    }

    /// Sends a datagram to the connected peer, as [`UdpSocket::send_to`] does.
    #[inline]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.inner.io(Write, sent, |s| s.send(buf))
    }

    /// Receives a datagram, from the peer only if the socket is connected. What does not fit into
    /// `buf` is lost.
    #[inline]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.io(Read, item, |s| s.recv(buf))
    }

    /// As [`UdpSocket::recv`], and leaves the datagram in place.
    #[inline]
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.io(Read, looked, |s| s.peek(buf))
    }

    /// Connects the socket: from now on it sends to `address` and receives only from there.
    ///
    /// Nothing is sent, and it does not wait. A further call changes the peer. It fails where there
    /// is no way to such an address.
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
    /// It may fail on an IPv6 socket, as the next three may.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.inner.inner().set_multicast_loop_v4(on)
    }

    /// Whether this machine receives its own IPv4 multicasts.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.inner.inner().multicast_loop_v4()
    }

    /// Sets how many routers an IPv4 multicast may pass (`IP_MULTICAST_TTL`): 1 at first, at most
    /// 255.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.inner.inner().set_multicast_ttl_v4(ttl)
    }

    /// How many routers an IPv4 multicast may pass.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.inner.inner().multicast_ttl_v4()
    }

    /// Sets whether this machine receives its own IPv6 multicasts (`IPV6_MULTICAST_LOOP`).
    ///
    /// It fails on an IPv4 socket, as the next one does.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.inner.inner().set_multicast_loop_v6(on)
    }

    /// Whether this machine receives its own IPv6 multicasts.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.inner.inner().multicast_loop_v6()
    }

    /// Joins an IPv4 multicast group, on the interface that has the address `interface`.
    ///
    /// With [`Ipv4Addr::UNSPECIFIED`] the host chooses an interface. It fails above all where
    /// `group` is no multicast address.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.inner().join_multicast_v4(group, interface)
    }

    /// Joins an IPv6 multicast group, on the interface of that number; 0 is any.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.inner().join_multicast_v6(group, interface)
    }

    /// Leaves an IPv4 multicast group, or fails where the socket is not in it.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.inner.inner().leave_multicast_v4(group, interface)
    }

    /// Leaves an IPv6 multicast group, or fails where the socket is not in it.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.inner.inner().leave_multicast_v6(group, interface)
    }

    /// Whether an IPv6 socket refuses IPv4 peers (`IPV6_V6ONLY`). It fails on an IPv4 socket.
    ///
    /// # Hosts
    ///
    /// On WASI `Unsupported`. There `[::]` takes IPv4 peers too, where the machine is set up as
    /// usual.
    pub fn only_v6(&self) -> io::Result<bool> {
        socket::udp_only_v6(self.inner.inner())
    }
}

socket!(UdpSocket, socket::UdpSocket, SocketAddr);
connected!(UdpSocket, SocketAddr);
ttl!(UdpSocket);
buffers!(UdpSocket);
std_socket!(UdpSocket, std::net::UdpSocket);
