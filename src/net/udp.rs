//! `UdpSocket`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::outcome::{item, looked};
use crate::io_source::{IoSource, sent};
use crate::sys::socket;

/// A UDP socket, connected to one peer or not.
///
#[doc = include_str!("udp_socket.md")]
pub struct UdpSocket {
    inner: IoSource<socket::UdpSocket>,
}

impl UdpSocket {
    /// Opens a socket and binds it to `address`. What
    /// [`TcpListener::bind`](crate::net::TcpListener::bind) says of port 0 and of errors, and its
    /// type of IPv6's scopes, holds here too.
    pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        socket::udp_bind(address).map(UdpSocket::over)
    }

    /// Whether an IPv6 socket refuses IPv4 peers (`IPV6_V6ONLY`). It fails on an IPv4 socket.
    pub fn only_v6(&self) -> io::Result<bool> {
        socket::udp_only_v6(self.inner.inner())
    }
}

methods! { UdpSocket:
    /// Sends a datagram to `target`.
    send_to(buf: &[u8], target: SocketAddr) -> usize = Write, sent;
    /// Receives a datagram, and tells who sent it. What does not fit into `buf` is lost.
    ///
    /// A datagram may be empty: `Ok` with a length of 0 is no end.
    recv_from(buf: &mut [u8]) -> (usize, SocketAddr) = Read, item;
    /// As [`UdpSocket::recv_from`], and leaves the datagram in place.
    peek_from(buf: &mut [u8]) -> (usize, SocketAddr) = Read, looked;
    /// Sends a datagram to the connected peer, as [`UdpSocket::send_to`] does.
    send(buf: &[u8]) -> usize = Write, sent;
    /// Receives a datagram, from the peer only if the socket is connected. What does not fit into
    /// `buf` is lost.
    recv(buf: &mut [u8]) -> usize = Read, item;
    /// As [`UdpSocket::recv`], and leaves the datagram in place.
    peek(buf: &mut [u8]) -> usize = Read, looked;
    /// Connects the socket: from now on it sends to `address` and receives only from there.
    ///
    /// Nothing is sent, and it does not wait. A further call changes the peer. It fails where there
    /// is no way to such an address.
    connect(address: SocketAddr) -> ();
    /// Allows the socket to send to a broadcast address (`SO_BROADCAST`). At first it is not.
    set_broadcast(on: bool) -> ();
    /// Whether the socket may send to a broadcast address.
    broadcast() -> bool;
    /// Sets whether this machine receives its own IPv4 multicasts (`IP_MULTICAST_LOOP`).
    ///
    /// It may fail on an IPv6 socket, as the next three may.
    set_multicast_loop_v4(on: bool) -> ();
    /// Whether this machine receives its own IPv4 multicasts.
    multicast_loop_v4() -> bool;
    /// Sets how many routers an IPv4 multicast may pass (`IP_MULTICAST_TTL`): 1 at first, at most
    /// 255.
    set_multicast_ttl_v4(ttl: u32) -> ();
    /// How many routers an IPv4 multicast may pass.
    multicast_ttl_v4() -> u32;
    /// Sets whether this machine receives its own IPv6 multicasts (`IPV6_MULTICAST_LOOP`).
    ///
    /// It fails on an IPv4 socket, as the next one does.
    set_multicast_loop_v6(on: bool) -> ();
    /// Whether this machine receives its own IPv6 multicasts.
    multicast_loop_v6() -> bool;
    /// Joins an IPv4 multicast group, on the interface that has the address `interface`.
    ///
    /// With [`Ipv4Addr::UNSPECIFIED`] the host chooses an interface. It fails above all where
    /// `group` is no multicast address.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Joins an IPv6 multicast group, on the interface of that number; 0 is any.
    join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    /// Leaves an IPv4 multicast group, or fails where the socket is not in it.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Leaves an IPv6 multicast group, or fails where the socket is not in it.
    leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
}

socket!(UdpSocket, socket::UdpSocket, SocketAddr);
connected!(UdpSocket, SocketAddr);
ttl!(UdpSocket);
buffers!(UdpSocket);
std_type!(net UdpSocket);
