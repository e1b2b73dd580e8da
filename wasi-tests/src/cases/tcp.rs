//! TCP listeners and streams.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr};

use mio::net::{TcpListener, TcpStream};

use crate::Outcome;
use crate::harness::{BOTH, FEW_OPTIONS, Loop, READABLE, RefusingTcp, WINSOCK, WRITABLE};
use crate::harness::{assert_blocks, assert_kind, assert_shut, discard};
use crate::harness::{drain, localhost, localhost_v6, no_ipv6, only_native, pattern};
use crate::harness::{send, would_block};

/// `accept` tells the client's own address: 127.0.0.1 and the client's port, in release builds
/// too, where a buffer read too early gave 0.0.0.0.
pub(crate) fn accept_tells_the_peer() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    lp.add(&mut listener, 0, READABLE);
    for token in 1..20 {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        lp.add(&mut client, token, WRITABLE);
        let (server, peer) = lp.accept(&listener, 0);
        lp.writable(token);
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(peer.ip(), localhost().ip());
        assert_ne!(peer.port(), 0);
        assert_eq!(server.peer_addr().unwrap(), peer);
        assert_eq!(server.local_addr().unwrap(), listener.local_addr().unwrap());
        assert_eq!(client.peer_addr().unwrap(), listener.local_addr().unwrap());
    }
}

/// Port 0 is replaced by a real port, a different one for each listener.
pub(crate) fn port_zero_becomes_real() {
    let listeners = [localhost(); 5].map(|address| TcpListener::bind(address).unwrap());
    let mut ports = listeners.map(|listener| listener.local_addr().unwrap().port());
    ports.sort_unstable();
    assert_ne!(ports[0], 0);
    assert!(ports.windows(2).all(|two| two[0] < two[1]), "{ports:?}");
}

/// A port that somebody listens on is `AddrInUse`.
pub(crate) fn used_port_is_refused() {
    let listener = TcpListener::bind(localhost()).unwrap();
    let again = TcpListener::bind(listener.local_addr().unwrap());
    assert_kind(again, ErrorKind::AddrInUse);
}

/// A server may be started again on its port at once, although the kernel still remembers the
/// connections that the last one closed.
pub(crate) fn listener_binds_again_after_close() {
    let mut lp = Loop::new();
    // Somebody else may take the port in between, but not every time.
    let bound_again = (0..5).any(|_| {
        let mut listener = TcpListener::bind(localhost()).unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = lp.tcp_pair_at(&mut listener);
        server.shutdown(Shutdown::Both).unwrap();
        drop((server, listener, client));
        TcpListener::bind(address).is_ok_and(|mut listener| {
            lp.tcp_pair_at(&mut listener);
            true
        })
    });
    assert!(bound_again);
}

/// Nothing to accept, nothing to read, nothing to peek at: all of them would block.
pub(crate) fn empty_queues_would_block() {
    let mut lp = Loop::new();
    let listener = TcpListener::bind(localhost()).unwrap();
    assert_blocks(listener.accept());
    let (mut client, mut server) = lp.tcp_pair();
    assert_blocks(client.read(&mut [0; 8]));
    assert_blocks(server.read(&mut [0; 8]));
    assert_blocks(client.peek(&mut [0; 8]));
    assert_blocks(server.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]));
}

/// `connect` does not wait: the writable event tells that it has come to an end, `take_error`
/// how, and then there is a peer.
pub(crate) fn connect_ends_with_writable() {
    let mut lp = Loop::new();
    let listener = TcpListener::bind(localhost()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    lp.add(&mut client, 1, BOTH);
    let seen = lp.writable(1);
    assert!(
        !seen.readable && !seen.error && !seen.write_closed,
        "{seen:?}"
    );
    assert!(client.take_error().unwrap().is_none());
    assert_eq!(client.peer_addr().unwrap(), address);
    send(&client, b"hello");
    lp.quiet("nobody has answered");
}

/// A refused connect ends with an event as well; `take_error` gives the reason once, and there is
/// no peer.
pub(crate) fn refused_connect_tells_why() {
    let mut lp = Loop::new();
    let refusing = RefusingTcp::new(&mut lp);
    for (token, interest) in [(1, BOTH), (2, WRITABLE)] {
        let mut client = refusing.connect();
        lp.add(&mut client, token, interest);
        lp.writable(token);
        let error = client
            .take_error()
            .unwrap()
            .expect("the reason of the refusal");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(client.take_error().unwrap().is_none());
        assert_kind(client.peer_addr(), ErrorKind::NotConnected);
        lp.remove(&mut client);
        lp.forget();
    }
}

/// After a refused connect another stream may use the same token and the same descriptor number.
pub(crate) fn refused_connect_then_another() {
    let mut lp = Loop::new();
    let refusing = RefusingTcp::new(&mut lp);
    let mut listener = TcpListener::bind(localhost()).unwrap();
    lp.add(&mut listener, 0, READABLE);
    for round in 0..20_u8 {
        let mut client = refusing.connect();
        lp.add(&mut client, 1, BOTH);
        lp.writable(1);
        let mut buffer = [0; 8];
        assert_kind(client.read(&mut buffer), ErrorKind::ConnectionRefused);
        drop(client);
        lp.forget();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        lp.add(&mut client, 1, BOTH);
        lp.writable(1);
        let (server, _) = lp.accept(&listener, 0);
        send(&server, &[round]);
        assert_eq!(lp.receive(&client, 1, 1), [round]);
        drop(client);
        lp.forget();
    }
}

/// IPv6 is no lesser family: bind, connect, accept, addresses and data.
pub(crate) fn ipv6_works_throughout() -> Outcome {
    if let Some(why) = no_ipv6() {
        return Outcome::Skipped(why);
    }
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost_v6()).unwrap();
    let address = listener.local_addr().unwrap();
    assert!(matches!(address, SocketAddr::V6(v6) if v6.ip() == &Ipv6Addr::LOCALHOST));
    lp.add(&mut listener, 0, READABLE);
    let mut client = TcpStream::connect(address).unwrap();
    lp.add(&mut client, 1, BOTH);
    lp.writable(1);
    let (mut server, peer) = lp.accept(&listener, 0);
    assert_eq!(peer, client.local_addr().unwrap());
    assert_eq!(client.peer_addr().unwrap(), address);
    assert_eq!(server.local_addr().unwrap(), address);
    lp.add(&mut server, 2, READABLE);
    send(&client, b"six");
    assert_eq!(lp.receive(&server, 2, 3), b"six");
    send(&server, b"SIX");
    assert_eq!(lp.receive(&client, 1, 3), b"SIX");
    Outcome::Passed
}

/// A listener on every IPv6 address also takes IPv4 clients, and says who they are.
pub(crate) fn wildcard_takes_both_families() -> Outcome {
    if let Some(why) = no_ipv6() {
        return Outcome::Skipped(why);
    }
    let mut lp = Loop::new();
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let mut listener = TcpListener::bind(everywhere).unwrap();
    let port = listener.local_addr().unwrap().port();
    lp.add(&mut listener, 0, READABLE);
    let mut client = TcpStream::connect(SocketAddr::from((localhost().ip(), port))).unwrap();
    lp.add(&mut client, 1, WRITABLE);
    lp.writable(1);
    if client.take_error().unwrap().is_some() {
        return Outcome::Skipped(if WINSOCK {
            "Windows keeps IPv6 sockets to IPv6 unless they ask for both"
        } else {
            "the machine keeps IPv6 sockets to IPv6 (net.ipv6.bindv6only)"
        });
    }
    let (_, peer) = lp.accept(&listener, 0);
    assert_eq!(peer.ip().to_canonical(), localhost().ip());
    assert_eq!(peer.port(), client.local_addr().unwrap().port());
    Outcome::Passed
}

/// A gather write sends all its slices in one call and in their order; empty ones do no harm.
pub(crate) fn gather_write_is_one_call() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut server, 1, READABLE);
    let slices = [&b""[..], b"one ", b"", b"two ", b"three", b""].map(IoSlice::new);
    assert_eq!(client.write_vectored(&slices).unwrap(), 13);
    assert_eq!(lp.receive(&server, 1, 13), b"one two three");
    assert_eq!((&client).write_vectored(&slices[1..2]).unwrap(), 4);
    assert_eq!(lp.receive(&server, 1, 4), b"one ");
    assert_eq!(client.write_vectored(&[]).unwrap(), 0);
}

/// More slices than a host takes at once are no error: the call sends as many as it can.
pub(crate) fn gather_write_of_many_slices() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut server, 1, READABLE);
    let bytes = pattern(1, 0, 3 * 2_500);
    let mut slices: Vec<IoSlice<'_>> = bytes.chunks(3).map(IoSlice::new).collect();
    let mut rest = &mut slices[..];
    let mut calls = 0;
    while !rest.is_empty() {
        let written = client.write_vectored(rest).unwrap();
        IoSlice::advance_slices(&mut rest, written);
        calls += 1;
    }
    assert!(
        calls <= 3,
        "{calls} calls for 2500 slices, where 1024 fit into one"
    );
    assert_eq!(lp.receive(&server, 1, bytes.len()), bytes);
}

/// A scatter read fills its buffers in their order, in one call; empty ones do no harm.
pub(crate) fn scatter_read_is_one_call() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    send(&server, b"onetwothree");
    lp.readable(1);
    let (mut first, mut second, mut third) = ([0; 3], [0; 3], [0; 16]);
    let mut buffers = [
        IoSliceMut::new(&mut []),
        IoSliceMut::new(&mut first),
        IoSliceMut::new(&mut second),
        IoSliceMut::new(&mut []),
        IoSliceMut::new(&mut third),
    ];
    assert_eq!(client.read_vectored(&mut buffers).unwrap(), 11);
    assert_eq!(
        (&first, &second, &third[..5]),
        (b"one", b"two", &b"three"[..])
    );
    assert_blocks((&client).read_vectored(&mut [IoSliceMut::new(&mut third)]));
    send(&server, b"more");
    assert_eq!(lp.receive(&client, 1, 4), b"more");
}

/// More buffers than a host takes at once are no error either.
pub(crate) fn scatter_read_of_many_buffers() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    let bytes = pattern(2, 0, 3 * 2_500);
    send(&server, &bytes);
    let mut received = Vec::new();
    while received.len() < bytes.len() {
        let mut buffer = vec![0; bytes.len()];
        let mut buffers: Vec<IoSliceMut<'_>> = buffer.chunks_mut(3).map(IoSliceMut::new).collect();
        match would_block(client.read_vectored(&mut buffers)) {
            Some(read) => received.extend_from_slice(&buffer[..read]),
            None => _ = lp.readable(1),
        }
    }
    assert_eq!(received, bytes);
}

/// `peek` returns the length of what it saw, not of the buffer, and leaves it to be read.
pub(crate) fn peek_tells_the_length() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    send(&server, b"hello");
    lp.readable(1);
    let mut buffer = [0; 64];
    for length in [5, 5, 2, 5] {
        let space = if length == 2 { 2 } else { 64 };
        assert_eq!(client.peek(&mut buffer[..space]).unwrap(), length);
        assert_eq!(&buffer[..2], b"he");
    }
    assert_eq!(client.read(&mut buffer).unwrap(), 5);
    assert_blocks(client.peek(&mut buffer));
    drop(server);
    lp.readable(1);
    assert_eq!(client.peek(&mut buffer).unwrap(), 0);
}

/// After `shutdown(Write)` the peer reads the end, and the other direction still carries data.
pub(crate) fn shutdown_write_keeps_reading() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    lp.add(&mut server, 2, READABLE);
    send(&client, b"request");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(lp.receive(&server, 2, 7), b"request");
    while !drain(&server).1 {
        lp.readable(2);
    }
    assert_shut(client.write(b"more"));
    send(&server, b"reply");
    assert_eq!(lp.receive(&client, 1, 5), b"reply");
}

/// After `shutdown(Read)` one's own reads end, and writing goes on.
pub(crate) fn shutdown_read_keeps_writing() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut server, 2, READABLE);
    client.shutdown(Shutdown::Read).unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    send(&client, b"hello");
    assert_eq!(lp.receive(&server, 2, 5), b"hello");
}

/// After `shutdown(Both)` nothing goes in or out, and writing is an error: no signal ends the
/// program.
pub(crate) fn shutdown_both_ends_it() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut server, 2, READABLE);
    client.shutdown(Shutdown::Both).unwrap();
    assert_shut(client.write(b"hello"));
    assert_shut(client.write_vectored(&[IoSlice::new(b"hello")]));
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    lp.readable(2);
    assert_eq!(drain(&server), (vec![], true));
}

/// Two megabytes each way at the same time arrive complete and in order, whatever the sizes of
/// the pieces.
pub(crate) fn large_transfer_both_ways() {
    const TOTAL: usize = 2 << 20;

    struct End {
        stream: TcpStream,
        seed: u64,
        sent: usize,
        received: usize,
    }

    impl End {
        /// Moves what can be moved, and tells whether all has been sent and received.
        fn go(&mut self, piece: usize) -> bool {
            while self.sent < TOTAL {
                let length = piece.min(TOTAL - self.sent);
                let bytes = pattern(self.seed, self.sent as u64, length);
                match would_block(self.stream.write(&bytes)) {
                    Some(written) => self.sent += written,
                    None => break,
                }
            }
            let mut buffer = vec![0; piece + 7];
            while let Some(read) = would_block(self.stream.read(&mut buffer)) {
                assert_ne!(read, 0, "the stream ended early");
                let expected = pattern(self.seed ^ 1, self.received as u64, read);
                assert!(
                    buffer[..read] == expected,
                    "wrong bytes after {}",
                    self.received
                );
                self.received += read;
            }
            self.sent == TOTAL && self.received == TOTAL
        }
    }

    let mut lp = Loop::new();
    let (client, server) = lp.tcp_pair();
    let mut ends = [client, server].map(|stream| End {
        stream,
        seed: 0,
        sent: 0,
        received: 0,
    });
    ends[1].seed = 1;
    for (token, end) in ends.iter_mut().enumerate() {
        lp.add(&mut end.stream, token, BOTH);
    }
    let mut done = [false; 2];
    while done != [true; 2] {
        for seen in lp.next("the rest of the transfer") {
            done[seen.token] = ends[seen.token].go(if seen.token == 0 { 40_000 } else { 9_999 });
        }
    }
}

/// A server of two hundred connections in one loop answers each of them, three times, with its
/// own bytes (second-state/wasmedge-quickjs#142: servers died after a few).
pub(crate) fn two_hundred_connections_echo() {
    const CLIENTS: usize = 200;
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    let mut servers = Vec::new();
    let mut clients = Vec::new();
    for token in 0..CLIENTS {
        let (mut client, mut server) = lp.tcp_pair_at(&mut listener);
        lp.add(&mut client, token, READABLE);
        lp.add(&mut server, CLIENTS + token, READABLE);
        clients.push(client);
        servers.push(server);
    }
    for round in 0..3 {
        let message = |client: usize| pattern(client as u64, round * 64, 64);
        for (token, client) in clients.iter().enumerate() {
            send(client, &message(token));
        }
        let mut answers = vec![Vec::new(); CLIENTS];
        while answers.iter().any(|answer| answer.len() < 64) {
            for seen in lp.next("the echo") {
                match seen.token.checked_sub(CLIENTS) {
                    Some(server) => send(&servers[server], &drain(&servers[server]).0),
                    None => answers[seen.token].extend(drain(&clients[seen.token]).0),
                }
            }
        }
        for (token, answer) in answers.iter().enumerate() {
            assert!(
                *answer == message(token),
                "client {token} got another's bytes"
            );
        }
    }
}

/// `set_nodelay` is what real programs call first, so a guest may call it although its host has
/// no such option; `nodelay` tells the truth.
pub(crate) fn nodelay_is_accepted() {
    let mut lp = Loop::new();
    let (client, server) = lp.tcp_pair();
    for stream in [&client, &server] {
        assert!(!stream.nodelay().unwrap());
        stream.set_nodelay(true).unwrap();
        assert_eq!(stream.nodelay().unwrap(), !FEW_OPTIONS);
        stream.set_nodelay(false).unwrap();
        assert!(!stream.nodelay().unwrap());
    }
    send(&client, b"hello");
    discard(&lp, &server, 5);
}

/// A time to live can be set and read natively; a guest is told that its host has no such call.
pub(crate) fn ttl_is_set_or_unsupported() {
    let mut lp = Loop::new();
    let (client, _server) = lp.tcp_pair();
    let listener = TcpListener::bind(localhost()).unwrap();
    only_native("set_ttl", client.set_ttl(33));
    only_native("set_ttl", listener.set_ttl(34));
    assert!(only_native("ttl", client.ttl()).is_none_or(|ttl| ttl == 33));
    assert!(only_native("ttl", listener.ttl()).is_none_or(|ttl| ttl == 34));
}

/// A listener and a stream that nothing has happened to have no error to take.
pub(crate) fn no_error_to_take() {
    let mut lp = Loop::new();
    let (client, server) = lp.tcp_pair();
    let listener = TcpListener::bind(localhost()).unwrap();
    assert!(listener.take_error().unwrap().is_none());
    assert!(client.take_error().unwrap().is_none());
    assert!(server.take_error().unwrap().is_none());
    (&client).flush().unwrap();
}
