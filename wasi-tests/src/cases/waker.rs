//! Wakers. A guest has one thread, so its waker is for tasks that wake themselves or each other
//! (tokio-rs/mio#1662); a wake must end the next wait, and neither side may starve the other.

use std::sync::Arc;
use std::time::Duration;

use mio::{Token, Waker};

use crate::harness::{Loop, READABLE, SENDS_LATER, WRITABLE, drain, send, udp, would_block};

const WAKER: usize = 99;

fn waker(lp: &Loop) -> Waker {
    Waker::new(lp.registry(), Token(WAKER)).unwrap()
}

/// A wake before the poll makes it return at once, with no timeout and with the longest, and the
/// event is the waker's: readable, and with its token.
pub(crate) fn wake_ends_the_next_poll() {
    let mut lp = Loop::new();
    let waker = waker(&lp);
    for timeout in [
        None,
        Some(Duration::MAX),
        Some(Duration::from_secs(60)),
        Some(Duration::ZERO),
    ] {
        waker.wake().unwrap();
        let seen = lp.turn(timeout);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!((seen[0].token, seen[0].readable), (WAKER, true));
    }
}

/// Without a wake there is no event, and one wake is one event.
pub(crate) fn one_wake_is_one_event() {
    let mut lp = Loop::new();
    let waker = waker(&lp);
    lp.quiet("nobody has woken it");
    for _ in 0..200 {
        waker.wake().unwrap();
        lp.readable(WAKER);
    }
    lp.quiet("every wake has been reported");
}

/// Many wakes before a poll are one event.
pub(crate) fn wakes_become_one() {
    let mut lp = Loop::new();
    let waker = waker(&lp);
    for _ in 0..1_000 {
        waker.wake().unwrap();
    }
    let seen = lp.next("the wakes");
    assert_eq!(seen.len(), 1, "{seen:?}");
    lp.quiet("they have been reported");
}

/// A wake while events are being handled is not lost: the next poll returns at once.
pub(crate) fn wake_between_events_counts() {
    let mut lp = Loop::new();
    let waker = waker(&lp);
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for _ in 0..20 {
        socket.send_to(b"hello", address).unwrap();
        for seen in lp.next("the datagram") {
            assert_eq!(seen.token, 1);
            waker.wake().unwrap();
            socket.recv(&mut [0; 8]).unwrap();
        }
        assert_eq!(lp.turn(None)[0].token, WAKER);
    }
}

/// The waker's event does not hide a source that is ready, also when there is room for one event
/// only: both come within two polls.
pub(crate) fn both_are_reported_in_little_room() {
    let mut lp = Loop::with_capacity(1);
    let waker = waker(&lp);
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for _ in 0..20 {
        socket.send_to(b"hello", address).unwrap();
        waker.wake().unwrap();
        let mut tokens = [lp.next("either"), lp.next("the other")].concat();
        tokens.sort_by_key(|seen| seen.token);
        assert_eq!([tokens[0].token, tokens[1].token], [1, WAKER]);
        while would_block(socket.recv(&mut [0; 8])).is_some() {}
    }
    lp.quiet("all has been reported");
}

/// A task that wakes itself again and again does not keep input from being reported.
pub(crate) fn self_waking_starves_no_source() {
    for capacity in [1, 64] {
        let mut lp = Loop::with_capacity(capacity);
        let waker = waker(&lp);
        let (mut client, mut server) = lp.tcp_pair();
        lp.add(&mut client, 1, READABLE);
        lp.add(&mut server, 2, WRITABLE);
        waker.wake().unwrap();
        send(&server, b"message");
        let (mut wakes, mut served, mut polls) = (0, 0, 0);
        while served < 50 {
            polls += 1;
            assert!(
                polls < 2_000 || SENDS_LATER,
                "{served} of 50 messages in {polls} polls, {wakes} wakes"
            );
            for seen in lp.next("a wake or a message") {
                if seen.token == WAKER {
                    wakes += 1;
                    waker.wake().unwrap();
                } else if seen.token == 1 && !drain(&client).0.is_empty() {
                    served += 1;
                    send(&server, b"message");
                }
            }
        }
        assert!(wakes > 0);
    }
}

/// Sources that are busy all the time do not keep a wake from being reported.
pub(crate) fn busy_sources_starve_no_wake() {
    for capacity in [1, 64] {
        let mut lp = Loop::with_capacity(capacity);
        let waker = waker(&lp);
        let mut sockets = [udp(), udp(), udp()];
        for (token, (socket, address)) in sockets.iter_mut().enumerate() {
            lp.add(socket, token, READABLE);
            socket.send_to(b"busy", *address).unwrap();
        }
        waker.wake().unwrap();
        let mut since = 0;
        for _ in 0..400 {
            since += 1;
            assert!(since < 40, "no wake in {since} polls");
            for seen in lp.next("a busy source or a wake") {
                if seen.token == WAKER {
                    since = 0;
                    waker.wake().unwrap();
                    continue;
                }
                let (socket, address) = &sockets[seen.token];
                while would_block(socket.recv(&mut [0; 8])).is_some() {}
                socket.send_to(b"busy", *address).unwrap();
            }
        }
    }
}

/// A waker is shared between tasks, outlives its poll, and may go before it, without harm.
pub(crate) fn lifetimes_are_independent() {
    fn shared<T: Send + Sync + 'static>(value: T) -> Arc<T> {
        Arc::new(value)
    }
    let mut lp = Loop::new();
    let waker = shared(waker(&lp));
    let second = Arc::clone(&waker);
    drop(waker);
    second.wake().unwrap();
    lp.readable(WAKER);
    assert!(!format!("{second:?}").is_empty());
    drop(lp);
    _ = second.wake();
    let mut lp = Loop::new();
    drop(self::waker(&lp));
    lp.quiet("the waker has gone");
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.datagram(&socket, 1).0, b"hello");
}

/// A waker belongs to its poll: another one does not hear of it.
pub(crate) fn wakers_of_two_polls_are_apart() {
    let mut first = Loop::new();
    let mut second = Loop::new();
    let waker_of_first = waker(&first);
    let waker_of_second = waker(&second);
    waker_of_first.wake().unwrap();
    second.quiet("the other poll was woken");
    assert_eq!(first.next("the wake")[0].token, WAKER);
    waker_of_second.wake().unwrap();
    first.quiet("the other poll was woken");
    assert_eq!(second.next("the wake")[0].token, WAKER);
}
