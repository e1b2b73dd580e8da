//! Timeouts. Verdicts use lower bounds only: how late a wait ends is the machine's affair.

use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Token, Waker};

use crate::harness::{BOTH, Loop, READABLE, udp};

/// Polls without an event, and holds the wait to its timeout.
#[track_caller]
fn waits_for(lp: &mut Loop, timeout: Duration) {
    let start = Instant::now();
    let seen = lp.turn(Some(timeout));
    let waited = start.elapsed();
    assert!(seen.is_empty(), "{seen:?}");
    assert!(waited >= timeout, "{timeout:?} were cut to {waited:?}");
}

/// A wait never ends before its timeout without an event: it is rounded up, not down.
pub(crate) fn never_cut_short() {
    let mut lp = Loop::new();
    let (mut socket, _) = udp();
    lp.add(&mut socket, 1, READABLE);
    for micros in [1, 10, 500, 999, 1_000, 1_001, 1_500, 2_999, 10_000, 25_500] {
        waits_for(&mut lp, Duration::from_micros(micros));
        waits_for(&mut lp, Duration::from_nanos(micros * 1_000 + 1));
    }
}

/// The shortest timeouts are accepted, in any number.
pub(crate) fn tiny_timeouts_are_accepted() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for nanos in 0..200 {
        waits_for(&mut lp, Duration::from_nanos(nanos));
    }
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.datagram(&socket, 1).0, b"hello");
}

/// With a hundred idle sources the timeout is kept as with none, poll after poll; also where they
/// wait for both directions, once all have been told that they can write.
pub(crate) fn idle_sources_do_not_shorten_it() {
    let mut lp = Loop::new();
    waits_for(&mut lp, Duration::from_millis(5));
    let mut sockets: Vec<UdpSocket> = (0..100).map(|_| udp().0).collect();
    for (token, socket) in sockets.iter_mut().enumerate() {
        lp.add(socket, token, READABLE);
    }
    for _ in 0..10 {
        waits_for(&mut lp, Duration::from_millis(5));
    }
    for (token, socket) in sockets.iter_mut().enumerate() {
        lp.change(socket, token, BOTH);
        lp.writable(token);
    }
    for _ in 0..5 {
        waits_for(&mut lp, Duration::from_millis(5));
    }
}

/// Timeouts beyond any clock are accepted, and an event ends them as it ends others.
pub(crate) fn endless_timeouts_end_with_an_event() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    let longest = [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::from_secs(u64::MAX / 1_000_000_000),
        Duration::from_secs(u64::MAX / 1_000_000_000 + 1),
        Duration::from_millis(i32::MAX as u64 + 1),
        Duration::from_millis(u64::from(u32::MAX) + 1),
        Duration::from_nanos(u64::MAX),
    ];
    for timeout in longest {
        socket.send_to(b"hello", address).unwrap();
        let seen = lp.turn(Some(timeout));
        assert_eq!((seen.len(), seen[0].token), (1, 1));
        assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 5);
    }
}

/// A wake ends the longest timeout, with sources and without.
pub(crate) fn endless_timeouts_end_with_a_wake() {
    let mut lp = Loop::new();
    let waker = Waker::new(lp.registry(), Token(7)).unwrap();
    let (mut socket, _) = udp();
    for round in 0..4 {
        if round == 2 {
            lp.add(&mut socket, 1, READABLE);
        }
        waker.wake().unwrap();
        assert_eq!(lp.turn(Some(Duration::MAX))[0].token, 7);
    }
}

/// A timeout takes nothing with it: what becomes ready afterwards is reported, and so is what a
/// source had to say before.
pub(crate) fn a_timeout_loses_nothing() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for round in 0..10_u8 {
        waits_for(&mut lp, Duration::from_millis(2));
        socket.send_to(&[round], address).unwrap();
        assert_eq!(lp.datagram(&socket, 1).0, [round]);
    }
}

/// With an event at hand the timeout is not waited for.
pub(crate) fn an_event_ends_the_wait() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for _ in 0..10 {
        socket.send_to(b"hello", address).unwrap();
        let seen = lp.turn(Some(Duration::from_secs(3_600)));
        assert_eq!((seen.len(), seen[0].token), (1, 1));
        assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 5);
    }
}

/// Timeouts of all sizes may follow each other, zero among them.
pub(crate) fn timeouts_may_change() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for millis in [0, 3, 0, 0, 1, 7, 0, 2] {
        waits_for(&mut lp, Duration::from_millis(millis));
    }
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.turn(None)[0].token, 1);
    socket.recv(&mut [0; 8]).unwrap();
    waits_for(&mut lp, Duration::from_millis(3));
}
