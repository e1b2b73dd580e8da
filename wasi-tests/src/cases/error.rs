//! Errors of sources: each is told to its owner, and nobody else suffers from it.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::Interest;
use mio::net::{TcpListener, TcpStream, UdpSocket};

use super::drained::after_a_reset;
use super::reset::reset;
use crate::Outcome;
use crate::harness::{BOTH, GUEST, Loop, READABLE, TELLS_AGAIN, WINSOCK, WRITABLE};
use crate::harness::{assert_blocks, assert_kind, discard};
use crate::harness::{drain, fill, localhost, pattern, refusing_udp, send, udp, would_block};

/// A connected socket whose datagram was just refused, registered as token 1.
fn refused(lp: &mut Loop, interest: Interest) -> UdpSocket {
    let (address, _owners) = refusing_udp();
    let (mut socket, _) = udp();
    socket.connect(address).unwrap();
    lp.add(&mut socket, 1, interest);
    if interest.is_writable() {
        lp.writable(1);
    }
    socket.send(b"anybody there?").unwrap();
    socket
}

/// After its error was fetched, a socket that gets a living peer hears of its answer.
fn goes_on(lp: &mut Loop, socket: &UdpSocket) {
    let (peer, address) = udp();
    socket.connect(address).unwrap();
    peer.send_to(b"here", socket.local_addr().unwrap()).unwrap();
    assert_eq!(lp.datagram(socket, 1).0, b"here");
    assert_blocks(socket.recv(&mut [0; 8]));
    lp.forget();
    lp.quiet("all has been received");
}

/// A refused datagram ends the wait of a socket that only reads, and the next operation gives the
/// reason: some hosts say that something happened, but not what.
pub(crate) fn refused_datagram_wakes_the_reader() {
    let mut lp = Loop::new();
    let socket = refused(&mut lp, READABLE);
    lp.wait(1, "the refusal", |_| true);
    assert_kind(socket.recv(&mut [0; 8]), ErrorKind::ConnectionRefused);
    goes_on(&mut lp, &socket);
}

/// The same for a socket that waits for both directions.
pub(crate) fn refused_datagram_wakes_both() {
    let mut lp = Loop::new();
    let socket = refused(&mut lp, BOTH);
    lp.wait(1, "the refusal", |_| true);
    assert_kind(socket.recv(&mut [0; 8]), ErrorKind::ConnectionRefused);
    goes_on(&mut lp, &socket);
}

/// `take_error` gives the refusal as well, once.
pub(crate) fn refused_datagram_can_be_taken() {
    let mut lp = Loop::new();
    let socket = refused(&mut lp, READABLE);
    lp.wait(1, "the refusal", |_| true);
    let error = socket.take_error().unwrap().expect("the refusal");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(socket.take_error().unwrap().is_none());
    assert_blocks(socket.recv(&mut [0; 8]));
    goes_on(&mut lp, &socket);
}

/// An error that nobody fetches is told, but not again and again, and the others are served.
pub(crate) fn refused_datagram_spares_the_others() {
    let mut lp = Loop::new();
    let socket = refused(&mut lp, BOTH);
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut client, 2, READABLE);
    lp.add(&mut server, 3, READABLE);
    lp.forget();
    let mut told = 0;
    for round in 0..30_u8 {
        send(&client, &[round]);
        let mut answer = Vec::new();
        while answer.is_empty() {
            for seen in lp.next("the echo") {
                match seen.token {
                    1 => told += 1,
                    2 => answer.extend(drain(&client).0),
                    _ => send(&server, &drain(&server).0),
                }
            }
        }
        assert_eq!(answer, [round]);
    }
    // A host that cannot say who has an error makes the library suspect everybody, but once.
    for _ in 0..20 {
        for seen in lp.turn(Some(Duration::from_millis(1))) {
            match seen.token {
                1 => told += 1,
                2 => assert!(drain(&client).0.is_empty()),
                _ => assert!(drain(&server).0.is_empty()),
            }
        }
    }
    lp.quiet("all were served");
    assert!(told <= 3, "the refusal came {told} times");
    assert_kind(socket.recv(&mut [0; 8]), ErrorKind::ConnectionRefused);
}

/// A peer that closed its half and reads nothing, while our buffer is full, makes some hosts
/// return from every wait with nothing. The loop neither spins nor stops serving the others, and
/// goes on writing when the peer reads.
pub(crate) fn half_closed_slow_reader_does_not_spin() {
    let mut lp = Loop::new();
    let (mut writer, slow) = lp.tcp_pair();
    lp.add(&mut writer, 1, WRITABLE);
    let (mut sent, _) = lp.saturate(&writer, 1);
    slow.shutdown(Shutdown::Write).unwrap();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut client, 2, READABLE);
    lp.add(&mut server, 3, READABLE);
    let mut polls = 0;
    for round in 0..50_u8 {
        send(&client, &[round]);
        let mut answer = Vec::new();
        while answer.is_empty() {
            polls += 1;
            for seen in lp.next("the echo") {
                match seen.token {
                    1 => sent += fill(&writer),
                    2 => answer.extend(drain(&client).0),
                    _ => send(&server, &drain(&server).0),
                }
            }
        }
        assert_eq!(answer, [round]);
    }
    polls += lp.turns_in(Duration::from_millis(150), |seen| match seen.token {
        1 => sent += fill(&writer),
        2 => assert!(drain(&client).0.is_empty()),
        _ => assert!(drain(&server).0.is_empty()),
    });
    assert!(
        polls < 1_000,
        "{polls} polls with hardly anything to report"
    );
    discard(&lp, &slow, sent);
    lp.forget();
    lp.writable(1);
    send(&writer, b"the rest");
    discard(&lp, &slow, 8);
}

/// A refused datagram is told although another source, with a half-closed peer and a full buffer,
/// ends every wait of its host before.
pub(crate) fn silent_conditions_do_not_hide_each_other() {
    let mut lp = Loop::new();
    let (mut writer, slow) = lp.tcp_pair();
    lp.add(&mut writer, 2, WRITABLE);
    let (mut sent, _) = lp.saturate(&writer, 2);
    slow.shutdown(Shutdown::Write).unwrap();
    for _ in 0..5 {
        let mut socket = refused(&mut lp, READABLE);
        while lp.next("the refusal").iter().all(|seen| seen.token != 1) {
            sent += fill(&writer);
        }
        assert_kind(socket.recv(&mut [0; 8]), ErrorKind::ConnectionRefused);
        lp.remove(&mut socket);
    }
    sent += fill(&writer);
    discard(&lp, &slow, sent);
    lp.writable(2);
}

/// A reset closes both directions at once; reading gives the reason, writing is an error, and it
/// is not told again and again.
pub(crate) fn reset_is_told_once() {
    let mut lp = Loop::new();
    for interest in [READABLE, BOTH] {
        let (mut client, server) = lp.tcp_pair();
        lp.add(&mut client, 1, interest);
        if interest.is_writable() {
            lp.writable(1);
        }
        reset(server);
        let seen = lp.wait(1, "the reset", |seen| seen.readable);
        assert!(seen.read_closed && seen.write_closed, "{seen:?}");
        assert_kind(client.read(&mut [0; 8]), ErrorKind::ConnectionReset);
        after_a_reset(&mut client);
        let refused = client.write(b"hello").unwrap_err().kind();
        assert!(
            refused == ErrorKind::BrokenPipe || (WINSOCK && refused == ErrorKind::ConnectionReset)
        );
        lp.forget();
        lp.quiet("the reset has been told");
    }
}

/// A client that resets its connection before it was accepted does not trouble the listener: it
/// goes on accepting the others.
pub(crate) fn reset_before_accept_is_survived() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    let address = listener.local_addr().unwrap();
    lp.add(&mut listener, 0, READABLE);
    for round in 0..5_u8 {
        let mut hasty = TcpStream::connect(address).unwrap();
        lp.add(&mut hasty, 1, WRITABLE);
        lp.writable(1);
        reset(hasty);
        let mut client = TcpStream::connect(address).unwrap();
        lp.add(&mut client, 2, WRITABLE);
        lp.writable(2);
        let name = client.local_addr().unwrap();
        let mut server = loop {
            let accepted = would_block(listener.accept());
            match accepted {
                Some((server, peer)) if peer == name => break server,
                Some((mut dead, _)) => _ = dead.read(&mut [0; 8]),
                None => _ = lp.readable(0),
            }
        };
        lp.add(&mut server, 3, READABLE);
        send(&client, &[round]);
        assert_eq!(lp.receive(&server, 3, 1), [round]);
        lp.forget();
    }
}

/// What a peer sent before it closed is read to the last byte, although its end is known already.
pub(crate) fn data_before_the_end_is_read() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, BOTH);
    let bytes = pattern(5, 0, 100_000);
    send(&server, &bytes);
    drop(server);
    let (mut received, mut ended) = (Vec::new(), false);
    while !ended {
        lp.readable(1);
        let (bytes, end) = drain(&client);
        received.extend(bytes);
        ended = end;
    }
    assert!(received == bytes);
}

/// A peer that closed its writing half makes us readable, not closed for writing. Natively the
/// event also says that reading has closed; WasmEdge tells a guest only by the read of zero.
pub(crate) fn half_close_closes_reading_only() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    server.shutdown(Shutdown::Write).unwrap();
    let seen = lp.readable(1);
    assert!(GUEST || seen.read_closed, "{seen:?}");
    assert!(!seen.write_closed && !seen.error, "{seen:?}");
    assert_eq!(drain(&client), (vec![], true));
    send(&client, b"still open");
    discard(&lp, &server, 10);
}

/// With both halves closed the event says so on every host, whatever was asked for.
pub(crate) fn both_closed_sets_both_flags() {
    let mut lp = Loop::new();
    for interest in [READABLE, BOTH] {
        let (mut client, server) = lp.tcp_pair();
        client.shutdown(Shutdown::Write).unwrap();
        discard(&lp, &server, 0);
        lp.add(&mut client, 1, READABLE);
        drop(server);
        lp.readable(1);
        // The end of the other half may take a moment more: look afresh.
        lp.change(&mut client, 1, interest);
        let seen = lp.readable(1);
        assert!(seen.read_closed && seen.write_closed, "{seen:?}");
        assert_eq!(drain(&client), (vec![], true));
        lp.forget();
        lp.quiet("it has been told");
    }
}

/// Writing to a peer that has gone becomes an error sooner or later, never a signal: that would
/// end the runtime with the guest.
pub(crate) fn gone_peer_is_an_error() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, BOTH);
    drop(server);
    lp.readable(1);
    let error = loop {
        lp.left("the error of a write");
        if let Err(error) = client.write_all(b"anybody there?") {
            break error;
        }
        lp.turn(Some(Duration::from_millis(1)));
    };
    let kind = error.kind();
    assert!(
        matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
        "{error:?}"
    );
    let stays = if WINSOCK { kind } else { ErrorKind::BrokenPipe };
    assert_kind(client.write(b"anybody there?"), stays);
}

/// When no descriptor is left, `accept` and `bind` fail, and the loop goes on serving what is
/// open; when there are some again, so does `accept`. (The drivers give each case its process.)
pub(crate) fn full_descriptor_table_is_survived() -> Outcome {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    lp.add(&mut server, 2, READABLE);
    let mut listener = TcpListener::bind(localhost()).unwrap();
    lp.add(&mut listener, 3, READABLE);
    let mut queued = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    lp.add(&mut queued, 4, WRITABLE);
    lp.writable(4);
    let mut table = Vec::new();
    while let Ok(socket) = UdpSocket::bind(localhost()) {
        table.push(socket);
        if table.len() > 25_000 {
            return Outcome::Skipped("the descriptor table is too large to be filled (ulimit -n)");
        }
    }
    assert!(UdpSocket::bind(localhost()).is_err());
    lp.readable(3);
    let refused = listener.accept().unwrap_err();
    assert_ne!(refused.kind(), ErrorKind::WouldBlock);
    for round in 0..20_u8 {
        send(&client, &[round]);
        assert_eq!(lp.receive(&server, 2, 1), [round]);
    }
    // The attempt that failed may be a reason to tell of the connection again, and only that; a
    // kernel's edge would be the next connection.
    if TELLS_AGAIN {
        lp.readable(3);
    }
    lp.quiet("nobody has tried again");
    drop(table);
    let (accepted, peer) = listener.accept().unwrap();
    assert_eq!(peer, queued.local_addr().unwrap());
    send(&accepted, b"welcome");
    discard(&lp, &queued, 7);
    Outcome::Passed
}
