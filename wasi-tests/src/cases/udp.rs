//! UDP sockets.

use std::io::ErrorKind;
use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mio::net::UdpSocket;

use crate::Outcome;
use crate::harness::handle::{AsRawFd, FromRawFd};
use crate::harness::{
    BOTH, BSD, GUEST, Loop, READABLE, WINSOCK, WRITABLE, assert_blocks, assert_kind, localhost,
};
use crate::harness::{localhost_v6, no_ipv6, only_native, pattern, udp, would_block};

/// `recv_from` tells the sender's address and port, in release builds too, where a buffer read
/// too early gave 0.0.0.0 and a port with its bytes swapped.
pub(crate) fn recv_from_tells_the_sender() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    assert_ne!(address.port(), 0);
    for round in 0..20_u8 {
        let (peer, peer_address) = udp();
        peer.send_to(&[round], address).unwrap();
        let (bytes, sender) = lp.datagram(&socket, 1);
        assert_eq!((bytes, sender), (vec![round], peer_address));
    }
}

/// Sockets answer whom they hear from, over the addresses that `recv_from` gives.
pub(crate) fn datagrams_go_and_return() {
    let mut lp = Loop::new();
    let (mut server, address) = udp();
    let (mut client, client_address) = udp();
    lp.add(&mut server, 1, READABLE);
    lp.add(&mut client, 2, READABLE);
    for round in 0..100 {
        let message = pattern(round, 0, round as usize * 10);
        client.send_to(&message, address).unwrap();
        let (bytes, sender) = lp.datagram(&server, 1);
        assert_eq!((&bytes, sender), (&message, client_address));
        server.send_to(&bytes, sender).unwrap();
        assert_eq!(lp.datagram(&client, 2), (message, address));
    }
}

/// A connected socket sends to its peer, hears its peer only, and knows it.
pub(crate) fn connected_hears_its_peer_only() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    let (mut peer, peer_address) = udp();
    let (stranger, _) = udp();
    socket.connect(peer_address).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), peer_address);
    lp.add(&mut socket, 1, READABLE);
    lp.add(&mut peer, 2, READABLE);
    stranger.send_to(b"stranger", address).unwrap();
    assert_eq!(socket.send(b"question").unwrap(), 8);
    assert_eq!(lp.datagram(&peer, 2), (b"question".to_vec(), address));
    peer.send_to(b"answer", address).unwrap();
    lp.readable(1);
    let mut buffer = [0; 16];
    assert_eq!(socket.recv(&mut buffer).unwrap(), 6);
    assert_eq!(&buffer[..6], b"answer");
    assert_blocks(socket.recv(&mut buffer));
}

/// A socket that is not connected has no peer, and cannot send without an address.
pub(crate) fn unconnected_has_no_peer() {
    let (socket, _) = udp();
    assert_kind(socket.peer_addr(), ErrorKind::NotConnected);
    let error = socket.send(b"to whom?").unwrap_err();
    assert_ne!(error.kind(), ErrorKind::WouldBlock);
    assert!(socket.take_error().unwrap().is_none());
}

/// `peek` and `peek_from` tell length and sender, and leave the datagram where it is.
pub(crate) fn peeking_takes_nothing() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    let (peer, peer_address) = udp();
    lp.add(&mut socket, 1, READABLE);
    let mut buffer = [0; 32];
    assert_blocks(socket.peek(&mut buffer));
    assert_blocks(socket.peek_from(&mut buffer));
    peer.send_to(b"hello", address).unwrap();
    lp.readable(1);
    for _ in 0..3 {
        assert_eq!(socket.peek(&mut buffer).unwrap(), 5);
        assert_eq!(socket.peek_from(&mut buffer).unwrap(), (5, peer_address));
        assert_eq!(&buffer[..5], b"hello");
    }
    peer.send_to(b"again", address).unwrap();
    lp.readable(1);
    for _ in 0..2 {
        assert_eq!(socket.recv_from(&mut buffer).unwrap(), (5, peer_address));
    }
    assert_blocks(socket.recv_from(&mut buffer));
}

/// A datagram without content is a datagram: it is reported, received with length zero and its
/// sender, and is not the end of anything.
pub(crate) fn empty_datagrams_count() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    let (peer, peer_address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for _ in 0..3 {
        assert_eq!(peer.send_to(b"", address).unwrap(), 0);
        assert_eq!(lp.datagram(&socket, 1), (vec![], peer_address));
        peer.send_to(b"content", address).unwrap();
        assert_eq!(lp.datagram(&socket, 1).0, b"content");
    }
    peer.send_to(b"", address).unwrap();
    lp.readable(1);
    assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 0);
    assert_blocks(socket.recv(&mut [0; 8]));
}

/// Of a datagram that is longer than the buffer the beginning arrives; its rest is gone, and the
/// next one is whole.
pub(crate) fn long_datagrams_are_cut() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    let (peer, peer_address) = udp();
    lp.add(&mut socket, 1, READABLE);
    peer.send_to(b"too long", address).unwrap();
    peer.send_to(b"next", address).unwrap();
    lp.readable(1);
    let mut buffer = [0; 4];
    let cut = socket.recv_from(&mut buffer);
    if WINSOCK {
        // It says so, by an error that std has no kind for.
        assert_eq!(cut.unwrap_err().raw_os_error(), Some(10_040));
    } else {
        assert_eq!(cut.unwrap(), (4, peer_address));
    }
    assert_eq!(&buffer, b"too ");
    assert_eq!(socket.recv_from(&mut buffer).unwrap(), (4, peer_address));
    assert_eq!(&buffer, b"next");
    assert_blocks(socket.recv(&mut buffer));
}

/// The largest datagram travels; one that is larger is refused, and the socket goes on.
pub(crate) fn size_has_a_limit() {
    const LARGEST: usize = 65_507;
    // By its own limit, which a program may raise.
    const TRAVELS: usize = if BSD { 9_000 } else { LARGEST };
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    let (peer, _) = udp();
    lp.add(&mut socket, 1, READABLE);
    let bytes = pattern(3, 0, LARGEST + 1);
    let error = peer.send_to(&bytes, address).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(peer.send_to(&bytes[..TRAVELS], address).unwrap(), TRAVELS);
    assert!(lp.datagram(&socket, 1).0 == bytes[..TRAVELS]);
}

/// Sending to all is off at first and refused then; once on, it is allowed.
pub(crate) fn broadcast_must_be_allowed() {
    let (socket, _) = udp();
    let all = SocketAddr::from((Ipv4Addr::new(127, 255, 255, 255), 9));
    assert!(!socket.broadcast().unwrap());
    if !BSD {
        assert_kind(socket.send_to(b"all", all), ErrorKind::PermissionDenied);
    }
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    if !BSD {
        assert_eq!(socket.send_to(b"all", all).unwrap(), 3);
    }
    socket.set_broadcast(false).unwrap();
    assert!(!socket.broadcast().unwrap());
}

/// IPv6 is no lesser family: bind, connect, addresses and datagrams.
pub(crate) fn ipv6_works_throughout() -> Outcome {
    if let Some(why) = no_ipv6() {
        return Outcome::Skipped(why);
    }
    let mut lp = Loop::new();
    let mut socket = UdpSocket::bind(localhost_v6()).unwrap();
    let mut peer = UdpSocket::bind(localhost_v6()).unwrap();
    let address = socket.local_addr().unwrap();
    let peer_address = peer.local_addr().unwrap();
    assert!(matches!(address, SocketAddr::V6(v6) if v6.ip() == &Ipv6Addr::LOCALHOST));
    lp.add(&mut socket, 1, READABLE);
    lp.add(&mut peer, 2, READABLE);
    peer.send_to(b"six", address).unwrap();
    lp.readable(1);
    let mut buffer = [0; 8];
    assert_eq!(socket.peek_from(&mut buffer).unwrap(), (3, peer_address));
    assert_eq!(socket.recv_from(&mut buffer).unwrap(), (3, peer_address));
    socket.connect(peer_address).unwrap();
    assert_eq!(socket.peer_addr().unwrap(), peer_address);
    socket.send(b"SIX").unwrap();
    assert_eq!(lp.datagram(&peer, 2), (b"SIX".to_vec(), address));
    Outcome::Passed
}

/// What WasmEdge has no call for is refused by name, and works natively.
pub(crate) fn options_are_set_or_unsupported() -> Outcome {
    let (socket, _) = udp();
    only_native("set_ttl", socket.set_ttl(33));
    assert!(only_native("ttl", socket.ttl()).is_none_or(|ttl| ttl == 33));
    only_native("set_multicast_loop_v4", socket.set_multicast_loop_v4(false));
    let looped = only_native("multicast_loop_v4", socket.multicast_loop_v4());
    assert_eq!(looped, (!GUEST).then_some(false));
    only_native("set_multicast_ttl_v4", socket.set_multicast_ttl_v4(7));
    let ttl = only_native("multicast_ttl_v4", socket.multicast_ttl_v4());
    assert_eq!(ttl, (!GUEST).then_some(7));
    let (group, local) = (Ipv4Addr::new(224, 0, 0, 123), Ipv4Addr::LOCALHOST);
    only_native(
        "join_multicast_v4",
        socket.join_multicast_v4(&group, &local),
    );
    only_native(
        "leave_multicast_v4",
        socket.leave_multicast_v4(&group, &local),
    );
    if let Some(why) = no_ipv6() {
        return Outcome::Skipped(why);
    }
    let six = UdpSocket::bind(localhost_v6()).unwrap();
    only_native("only_v6", six.only_v6());
    only_native("set_multicast_loop_v6", six.set_multicast_loop_v6(false));
    let looped = only_native("multicast_loop_v6", six.multicast_loop_v6());
    assert_eq!(looped, (!GUEST).then_some(false));
    // Joining needs an interface that has the family; leaving a group never joined fails anyhow.
    let group = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0x123);
    let left = six.leave_multicast_v6(&group, 0);
    let joined = six.join_multicast_v6(&group, 0);
    if GUEST {
        only_native("leave_multicast_v6", left);
        only_native("join_multicast_v6", joined);
    }
    Outcome::Passed
}

/// A port that is taken is `AddrInUse`.
pub(crate) fn used_port_is_refused() {
    let (_socket, address) = udp();
    assert_kind(UdpSocket::bind(address), ErrorKind::AddrInUse);
}

/// Many datagrams in a row arrive in order and unchanged, whether or not the loop keeps up.
pub(crate) fn streams_of_datagrams_keep_order() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    let (peer, _) = udp();
    lp.add(&mut socket, 1, READABLE);
    let mut next = 0;
    for batch in 0..40 {
        for datagram in batch * 25..(batch + 1) * 25 {
            peer.send_to(&pattern(datagram, 0, 200), address).unwrap();
        }
        while next < (batch + 1) * 25 {
            lp.readable(1);
            let mut buffer = [0; 256];
            while let Some(length) = would_block(socket.recv(&mut buffer)) {
                assert_eq!(buffer[..length], pattern(next, 0, 200), "datagram {next}");
                next += 1;
            }
        }
    }
    lp.quiet("all has been received");
}

/// An operation inside `try_io` is the caller's own, on the descriptor, and counts like one of the
/// socket: after it would have blocked, the next datagram is an event.
pub(crate) fn try_io_arms_again() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    // SAFETY: the socket outlives this handle, which never closes the descriptor.
    let handle = ManuallyDrop::new(unsafe { UdpSocket::from_raw_fd(socket.as_raw_fd()) });
    lp.add(&mut socket, 1, READABLE);
    for round in 0..20_u8 {
        socket.send_to(&[round], address).unwrap();
        lp.readable(1);
        let mut buffer = [0; 8];
        let (length, sender) = socket.try_io(|| handle.recv_from(&mut buffer)).unwrap();
        assert_eq!((length, sender, buffer[0]), (1, address, round));
        assert_blocks(socket.try_io(|| handle.recv(&mut buffer)));
    }
}

/// A socket that can be written to all the time is reported once. In a guest that holds also when
/// it is written to; a kernel's edge may come with every datagram that leaves, but not without.
pub(crate) fn writable_is_reported_once() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    let (mut peer, _) = udp();
    lp.add(&mut peer, 1, WRITABLE);
    lp.add(&mut socket, 2, BOTH);
    lp.writable(1);
    lp.writable(2);
    lp.quiet("nothing was sent");
    for _ in 0..5 {
        peer.send_to(b"hello", address).unwrap();
        lp.datagram(&socket, 2);
        if GUEST {
            lp.quiet("no send would have blocked");
        }
        while !lp.turn(Some(Duration::ZERO)).is_empty() {}
        lp.forget();
        lp.quiet("nothing was sent");
    }
}

/// Sockets on every address receive on each of them; the wildcard is what `local_addr` tells.
pub(crate) fn wildcard_receives_on_loopback() {
    let mut lp = Loop::new();
    let mut socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
    let address = socket.local_addr().unwrap();
    assert!(address.ip().is_unspecified());
    lp.add(&mut socket, 1, READABLE);
    let (peer, peer_address) = udp();
    let to = SocketAddr::from((localhost().ip(), address.port()));
    peer.send_to(b"hello", to).unwrap();
    assert_eq!(lp.datagram(&socket, 1), (b"hello".to_vec(), peer_address));
}
