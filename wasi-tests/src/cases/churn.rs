//! Churn: sources come and go, their numbers are used again, and nobody gets another's events.

use std::collections::{BTreeMap, BTreeSet};

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Token, Waker};

use super::reset::reset;
use crate::harness::{BOTH, Loop, READABLE, WRITABLE, drain, localhost, send, udp, would_block};

/// A thousand connections one after another, each served and closed: nothing piles up
/// (second-state/wasmedge-quickjs#142).
pub(crate) fn thousand_connections_in_a_row() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    let address = listener.local_addr().unwrap();
    lp.add(&mut listener, 0, READABLE);
    for round in 0..1_000_u32 {
        let mut client = TcpStream::connect(address).unwrap();
        lp.add(&mut client, 1, BOTH);
        lp.writable(1);
        let mut server = lp.accept(&listener, 0).0;
        lp.add(&mut server, 2, READABLE);
        send(&client, &round.to_le_bytes());
        let received = lp.receive(&server, 2, 4);
        assert_eq!(received, round.to_le_bytes());
        send(&server, &received);
        assert_eq!(lp.receive(&client, 1, 4), received);
        drop((client, server));
        lp.forget();
    }
    lp.quiet("all connections have gone");
}

/// Waves of connections that are dropped all at once, registered, half of them with unread data.
pub(crate) fn waves_of_connections() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    for wave in 0..10_u8 {
        let mut pairs = Vec::new();
        for place in 0..40 {
            let (mut client, mut server) = lp.tcp_pair_at(&mut listener);
            lp.add(&mut client, 2 * place, READABLE);
            lp.add(&mut server, 2 * place + 1, BOTH);
            send(&server, &[wave, place as u8]);
            pairs.push((client, server));
        }
        for (place, (client, _)) in pairs.iter().enumerate().skip(wave as usize % 2).step_by(2) {
            assert_eq!(lp.receive(client, 2 * place, 2), [wave, place as u8]);
        }
        drop(pairs);
        lp.forget();
        lp.quiet("the wave has gone");
    }
}

/// A source that is dropped without `deregister` takes its registration along: no event comes for
/// it, and the poll goes on.
pub(crate) fn dropped_sources_are_silent() {
    let mut lp = Loop::new();
    let (mut kept, address) = udp();
    lp.add(&mut kept, 1, READABLE);
    for token in 2..100 {
        let (mut socket, other) = udp();
        lp.add(&mut socket, token, BOTH);
        socket.send_to(b"never read", other).unwrap();
        drop(socket);
    }
    lp.quiet("only an idle source is left");
    kept.send_to(b"hello", address).unwrap();
    let seen = lp.next("the one that was kept");
    assert_eq!((seen.len(), seen[0].token), (1, 1));
}

/// An event that had no room in the last poll does not come for a source that has gone meanwhile,
/// nor for the one that came in its place.
pub(crate) fn events_do_not_outlive_their_source() {
    let mut lp = Loop::with_capacity(1);
    let (sender, _) = udp();
    let mut sockets = BTreeMap::new();
    for token in 0..20 {
        let (mut socket, address) = udp();
        lp.add(&mut socket, token, READABLE);
        sender.send_to(b"never read", address).unwrap();
        sockets.insert(token, socket);
    }
    let mut reported = BTreeSet::new();
    for turn in 0..10 {
        let seen = lp.next("one of those with a datagram");
        let token = seen[0].token;
        assert!(
            token < 20 && sockets.contains_key(&token),
            "{seen:?} has gone"
        );
        assert!(reported.insert(token), "{seen:?} came twice");
        let next = *sockets
            .keys()
            .find(|token| !reported.contains(token))
            .unwrap();
        sockets.remove(&next);
        let (mut idle, _) = udp();
        lp.add(&mut idle, 100 + turn, READABLE);
        sockets.insert(100 + turn, idle);
    }
    assert_eq!(reported.len(), 10);
    lp.quiet("those with a datagram have been reported or have gone");
}

/// A new source with the number of an old one gets its own token and its own events only.
pub(crate) fn numbers_are_used_again() {
    let mut lp = Loop::new();
    let (sender, _) = udp();
    for round in 0..300 {
        let (mut old, address) = udp();
        lp.add(&mut old, 2 * round, BOTH);
        sender.send_to(b"for the old one", address).unwrap();
        drop(old);
        let (mut new, address) = udp();
        lp.add(&mut new, 2 * round + 1, READABLE);
        sender.send_to(b"new", address).unwrap();
        let seen = lp.next("the datagram");
        assert_eq!((seen.len(), seen[0].token), (1, 2 * round + 1));
        assert_eq!(new.recv(&mut [0; 32]).unwrap(), 3);
    }
    lp.quiet("all sockets have gone");
}

/// One source may be registered and deregistered a thousand times, with an event each time.
pub(crate) fn one_source_comes_and_goes() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    socket.send_to(b"hello", address).unwrap();
    for token in 0..1_000 {
        lp.add(&mut socket, token, READABLE);
        let seen = lp.next("the unread datagram");
        assert_eq!((seen.len(), seen[0].token), (1, token));
        lp.remove(&mut socket);
    }
    lp.quiet("nothing is registered");
}

/// Tokens and interests change all the time while data flows: each event carries the token of the
/// moment, and no byte is lost.
pub(crate) fn registrations_change_under_load() {
    let mut lp = Loop::new();
    let mut pairs: Vec<(TcpStream, TcpStream)> = (0..10).map(|_| lp.tcp_pair()).collect();
    for (place, (client, _)) in pairs.iter_mut().enumerate() {
        lp.add(client, place, READABLE);
    }
    for round in 1..40 {
        for (place, (client, server)) in pairs.iter_mut().enumerate() {
            send(&*server, &[round as u8; 50]);
            let interest = if (round + place) % 3 == 0 {
                BOTH
            } else {
                READABLE
            };
            lp.change(client, round * 10 + place, interest);
        }
        for (place, (client, _)) in pairs.iter().enumerate() {
            assert_eq!(
                lp.receive(client, round * 10 + place, 50),
                [round as u8; 50]
            );
        }
        lp.forget();
    }
}

/// Sockets are opened, registered, used and dropped in changing numbers; each datagram arrives at
/// the one it was sent to.
pub(crate) fn sockets_in_changing_numbers() {
    let mut lp = Loop::new();
    let (sender, _) = udp();
    let mut sockets: Vec<(usize, UdpSocket)> = Vec::new();
    let mut next = 0;
    for round in 0..60_usize {
        for _ in 0..round * 7 % 13 {
            let (mut socket, _) = udp();
            lp.add(&mut socket, next, READABLE);
            sockets.push((next, socket));
            next += 1;
        }
        for _ in 0..(round * 5 % 11).min(sockets.len()) {
            sockets.swap_remove(round % sockets.len());
        }
        let mut awaited = BTreeSet::new();
        for (token, socket) in &sockets {
            let bytes = (*token as u32).to_le_bytes();
            sender
                .send_to(&bytes, socket.local_addr().unwrap())
                .unwrap();
            awaited.insert(*token);
        }
        while !awaited.is_empty() {
            for seen in lp.next("the datagrams of this round") {
                assert!(awaited.remove(&seen.token), "{seen:?} was not awaited");
                let (_, socket) = sockets
                    .iter()
                    .find(|(token, _)| *token == seen.token)
                    .unwrap();
                let mut bytes = [0; 4];
                assert_eq!(socket.recv(&mut bytes).unwrap(), 4);
                assert_eq!(bytes, (seen.token as u32).to_le_bytes());
                assert!(would_block(socket.recv(&mut bytes)).is_none());
            }
        }
    }
}

/// Connections that end in resets are as good a riddance as those that are closed.
pub(crate) fn resets_in_a_row() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    for round in 0..200 {
        let (mut client, mut server) = lp.tcp_pair_at(&mut listener);
        lp.add(&mut client, 1, BOTH);
        lp.add(&mut server, 2, READABLE);
        send(&client, b"hello");
        assert_eq!(lp.receive(&server, 2, 5), b"hello");
        if round % 2 == 0 {
            reset(server);
            lp.wait(1, "the reset", |seen| seen.read_closed);
        } else {
            reset(client);
            lp.wait(2, "the reset", |seen| seen.read_closed);
        }
        lp.forget();
    }
    lp.quiet("all connections have gone");
}

/// A program may make a hundred polls with sources and wakers, one after another and side by side.
pub(crate) fn polls_come_and_go() {
    let mut kept = Vec::new();
    for round in 0..100 {
        let mut lp = Loop::with_capacity(4);
        let (mut socket, address) = udp();
        let waker = Waker::new(lp.registry(), Token(1)).unwrap();
        lp.add(&mut socket, 2, READABLE);
        socket.send_to(b"hello", address).unwrap();
        waker.wake().unwrap();
        lp.readable(1);
        assert_eq!(lp.datagram(&socket, 2).0, b"hello");
        if round % 4 == 0 {
            kept.push((lp, socket, waker));
        }
    }
    for (lp, socket, waker) in &mut kept {
        waker.wake().unwrap();
        lp.readable(1);
        socket
            .send_to(b"again", socket.local_addr().unwrap())
            .unwrap();
        assert_eq!(lp.datagram(socket, 2).0, b"again");
    }
}

/// Both ends close while data is under way in both directions; the loop outlives all of them.
pub(crate) fn ends_close_at_the_same_time() {
    let mut lp = Loop::new();
    for _ in 0..200 {
        let (mut client, mut server) = lp.tcp_pair();
        lp.add(&mut client, 1, BOTH);
        lp.add(&mut server, 2, BOTH);
        send(&client, &[1; 500]);
        send(&server, &[2; 500]);
        lp.readable(1);
        drop(server);
        while !drain_or_reset(&client) {
            lp.readable(1);
        }
        drop(client);
        lp.forget();
    }
    lp.quiet("all connections have gone");
}

/// Reads what there is; the end may be a clean one or, as data was left unread, a reset.
fn drain_or_reset(mut stream: &TcpStream) -> bool {
    match std::io::Read::read(&mut stream, &mut [0; 4_096]) {
        Ok(0) => true,
        Ok(_) => drain_or_reset(stream),
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

/// Draining is what keeps a connection honest: a hundred short ones that end while being read.
pub(crate) fn short_connections_are_read_to_their_end() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    lp.add(&mut listener, 0, READABLE);
    for round in 0..100_u8 {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        lp.add(&mut client, 1, WRITABLE);
        lp.writable(1);
        send(&client, &[round; 33]);
        drop(client);
        let mut server = lp.accept(&listener, 0).0;
        lp.add(&mut server, 2, READABLE);
        let (mut received, mut ended) = (Vec::new(), false);
        while !ended {
            lp.readable(2);
            let (bytes, end) = drain(&server);
            received.extend(bytes);
            ended = end;
        }
        assert_eq!(received, [round; 33]);
        lp.forget();
    }
}
