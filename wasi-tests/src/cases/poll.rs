//! Polling: what is reported, how often, and to how many at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::time::Duration;

use mio::net::{TcpListener, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::harness::{
    BOTH, DEADLINE, GUEST, Loop, READABLE, WRITABLE, assert_blocks, assert_kind, discard,
};
use crate::harness::{EVENT_PER_DIRECTION, drain};
use crate::harness::{localhost, send, udp, would_block};

/// A poll with a zero timeout returns at once, however often, and reports nothing of an idle
/// source (WasmEdge/WasmEdge#2717: it slept for ever).
pub(crate) fn zero_timeout_returns_at_once() {
    let mut lp = Loop::new();
    let (mut socket, _) = udp();
    lp.add(&mut socket, 1, READABLE);
    for _ in 0..1_000 {
        assert_eq!(lp.turn(Some(Duration::ZERO)), []);
    }
    lp.left("a thousand polls that do not wait");
}

/// A poll with a zero timeout reports every source that is ready, and no other one: whatever the
/// library hands to its host so as not to wait stays its own affair.
pub(crate) fn zero_timeout_reports_what_is_ready() {
    let mut lp = Loop::new();
    let (mut ready, address) = udp();
    let (mut idle, _) = udp();
    lp.add(&mut ready, 1, READABLE);
    lp.add(&mut idle, 2, READABLE);
    ready.send_to(b"hello", address).unwrap();
    lp.readable(1);
    // The datagram is there now, so asking again must find it without waiting.
    lp.change(&mut ready, 3, READABLE);
    let seen = lp.turn(Some(Duration::ZERO));
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!((seen[0].token, seen[0].readable), (3, true));
}

/// A poll with nothing registered waits for its timeout, and does no harm to the sources that
/// come after it: an empty list upsets some hosts (wasmerio/wasmer#6073).
pub(crate) fn nothing_registered_waits() {
    let mut lp = Loop::new();
    for timeout in [0, 20, 0] {
        assert_eq!(lp.turn(Some(Duration::from_millis(timeout))), []);
    }
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut server, 1, READABLE);
    send(&client, b"one");
    assert_eq!(lp.receive(&server, 1, 3), b"one");
    lp.remove(&mut server);
    assert_eq!(lp.turn(Some(Duration::from_millis(5))), []);
    lp.add(&mut client, 2, READABLE);
    send(&server, b"two");
    assert_eq!(lp.receive(&client, 2, 3), b"two");
}

/// A guest that waits without a timeout for nothing would never return, so it is told so by
/// `InvalidInput`, and can go on (wasmerio/wasmer#6073). Natively a thread may still wake such a
/// poll, so there only the wait with a timeout is tried.
pub(crate) fn nothing_to_wait_for_is_an_error() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    assert_eq!(lp.turn(Some(Duration::from_millis(1))), []);
    if GUEST {
        let mut events = Events::with_capacity(4);
        assert_kind(lp.poll.poll(&mut events, None), ErrorKind::InvalidInput);
        // A source whose only interest has been reported cannot end a wait either.
        lp.add(&mut socket, 1, WRITABLE);
        lp.writable(1);
        assert_kind(lp.poll.poll(&mut events, None), ErrorKind::InvalidInput);
        assert!(events.is_empty());
        lp.remove(&mut socket);
    }
    lp.add(&mut socket, 2, READABLE);
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.datagram(&socket, 2).0, b"hello");
}

/// A poll without a timeout returns as soon as a source is ready.
pub(crate) fn no_timeout_returns_with_an_event() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    lp.add(&mut server, 2, READABLE);
    for _ in 0..50 {
        send(&client, b"ping");
        while drain(&server).0.is_empty() {
            assert_eq!(lp.turn(None)[0].token, 2);
        }
        send(&server, b"pong");
        while drain(&client).0.is_empty() {
            assert_eq!(lp.turn(None)[0].token, 1);
        }
    }
}

/// A source that is both readable and writable is one event in a poll, not two; or one for each
/// direction, where the host has that.
pub(crate) fn both_directions_are_one_event() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    send(&server, b"hello");
    lp.readable(1);
    lp.change(&mut client, 2, BOTH);
    let seen = lp.next("both directions");
    let mut told: Vec<_> = seen
        .iter()
        .map(|seen| (seen.token, seen.readable, seen.writable))
        .collect();
    told.sort_unstable();
    if EVENT_PER_DIRECTION {
        assert_eq!(told, [(2, false, true), (2, true, false)]);
    } else {
        assert_eq!(told, [(2, true, true)]);
    }
}

/// Never more events than `Events` hold; what does not fit comes with the next polls, and every
/// source exactly once.
pub(crate) fn capacity_is_kept() {
    let mut lp = Loop::with_capacity(4);
    let mut sockets: Vec<UdpSocket> = (0..30).map(|_| udp().0).collect();
    for (token, socket) in sockets.iter_mut().enumerate() {
        lp.add(socket, token, WRITABLE);
    }
    let mut counts = BTreeMap::new();
    while counts.len() < sockets.len() {
        let seen = lp.next("the rest of the sockets");
        assert!(seen.len() <= 4, "{seen:?}");
        for event in seen {
            *counts.entry(event.token).or_insert(0) += 1;
        }
    }
    assert!(counts.values().all(|&count| count == 1), "{counts:?}");
    lp.quiet("every socket has been reported");
}

/// With room for one event and all sources busy all the time, each gets its turn: none waits for
/// more than a few rounds of the others.
pub(crate) fn capacity_one_starves_nobody() {
    const SOURCES: usize = 24;
    let mut lp = Loop::with_capacity(1);
    let mut sockets: Vec<UdpSocket> = (0..SOURCES).map(|_| udp().0).collect();
    for (token, socket) in sockets.iter_mut().enumerate() {
        socket.connect(socket.local_addr().unwrap()).unwrap();
        lp.add(socket, token, READABLE);
        socket.send(b"busy").unwrap();
    }
    let mut last = [0; SOURCES];
    for turn in 1..SOURCES * 20 {
        let seen = lp.next("one of the busy sockets");
        assert_eq!(seen.len(), 1);
        let socket = &sockets[seen[0].token];
        while would_block(socket.recv(&mut [0; 8])).is_some() {}
        socket.send(b"busy").unwrap();
        last[seen[0].token] = turn;
        let waiting = last.iter().filter(|&&served| served + SOURCES * 4 < turn);
        assert_eq!(
            waiting.count(),
            0,
            "sources starve: {last:?} at turn {turn}"
        );
    }
}

/// Two hundred sources that are ready at the same time are all reported, each once.
pub(crate) fn many_are_ready_at_once() {
    let mut lp = Loop::with_capacity(1_024);
    let (sender, _) = udp();
    let mut sockets: Vec<UdpSocket> = (0..200).map(|_| udp().0).collect();
    for (token, socket) in sockets.iter_mut().enumerate() {
        lp.add(socket, token, READABLE);
        sender
            .send_to(&[token as u8], socket.local_addr().unwrap())
            .unwrap();
    }
    let mut served = BTreeSet::new();
    while served.len() < sockets.len() {
        for seen in lp.next("the rest of the sockets") {
            assert!(served.insert(seen.token), "{seen:?} came twice");
            let mut byte = [0];
            assert_eq!(sockets[seen.token].recv(&mut byte).unwrap(), 1);
            assert_eq!(byte, [seen.token as u8]);
        }
    }
}

/// Five hundred idle sources neither wake the loop nor hide the one that is busy.
pub(crate) fn idle_sources_stay_silent() {
    let mut lp = Loop::new();
    let mut idle: Vec<UdpSocket> = (0..500).map(|_| udp().0).collect();
    for (token, socket) in idle.iter_mut().enumerate() {
        lp.add(socket, token, READABLE);
    }
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut client, 1_000, READABLE);
    lp.add(&mut server, 1_001, READABLE);
    for round in 0..30_u8 {
        send(&client, &[round]);
        let seen = lp.next("the server");
        assert!(seen.iter().all(|seen| seen.token == 1_001), "{seen:?}");
        assert_eq!(drain(&server).0, [round]);
        send(&server, &[round]);
        let seen = lp.next("the client");
        assert!(seen.iter().all(|seen| seen.token == 1_000), "{seen:?}");
        assert_eq!(drain(&client).0, [round]);
    }
    lp.quiet("all are idle now");
}

/// What was ready before it was registered is reported: no readiness is lost for coming early.
pub(crate) fn readiness_before_registration_counts() {
    let mut lp = Loop::new();
    let (mut early, address) = udp();
    let (mut proof, _) = udp();
    lp.add(&mut proof, 1, READABLE);
    early.send_to(b"early", address).unwrap();
    early
        .send_to(b"proof", proof.local_addr().unwrap())
        .unwrap();
    lp.readable(1);
    lp.add(&mut early, 2, READABLE);
    assert_eq!(lp.datagram(&early, 2).0, b"early");
}

/// Each poll starts with empty `Events`: nothing of the poll before is seen again.
pub(crate) fn a_poll_forgets_the_one_before() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let (mut socket, _) = udp();
    poll.registry()
        .register(&mut socket, Token(7), WRITABLE)
        .unwrap();
    poll.poll(&mut events, Some(DEADLINE)).unwrap();
    assert_eq!(events.iter().count(), 1);
    poll.poll(&mut events, Some(Duration::from_millis(1)))
        .unwrap();
    assert!(events.is_empty());
    assert_eq!(events.iter().count(), 0);
}

/// Three writable sources, polled once.
fn three_events(capacity: usize) -> Events {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(capacity);
    let mut sockets = [udp().0, udp().0, udp().0];
    for (token, socket) in sockets.iter_mut().enumerate() {
        poll.registry()
            .register(socket, Token(token), WRITABLE)
            .unwrap();
    }
    poll.poll(&mut events, Some(DEADLINE)).unwrap();
    assert!(!events.is_empty());
    events
}

/// `Events` tell their capacity, iterate as often as wished, and can be emptied by hand.
pub(crate) fn events_are_a_collection() {
    let empty = Events::with_capacity(16);
    assert_eq!(
        (empty.capacity(), empty.is_empty(), empty.iter().count()),
        (16, true, 0)
    );
    let mut events = three_events(16);
    let first: Vec<usize> = (&events).into_iter().map(|event| event.token().0).collect();
    let again: Vec<usize> = events
        .iter()
        .map(|event| usize::from(event.token()))
        .collect();
    assert_eq!(first, again);
    assert_eq!(events.iter().count(), first.len());
    let clone = events.iter().next().unwrap().clone();
    assert_eq!(clone.token().0, first[0]);
    events.clear();
    assert_eq!(
        (events.capacity(), events.is_empty(), events.iter().count()),
        (16, true, 0)
    );
}

/// An iterator of events knows how many are left, from the first to the last.
pub(crate) fn event_iterators_count_down() {
    let events = three_events(8);
    let mut iterator = events.iter();
    for left in (0..events.iter().count()).rev() {
        assert!(iterator.next().is_some());
        assert_eq!(iterator.size_hint(), (left, Some(left)));
    }
    assert!(iterator.next().is_none());
    assert_eq!(iterator.count(), 0);
}

/// Two polls used in turn do not know of each other's sources.
pub(crate) fn two_polls_take_turns() {
    let mut first = Loop::new();
    let mut second = Loop::new();
    let (mut client, mut server) = first.tcp_pair();
    first.add(&mut client, 1, READABLE);
    second.add(&mut server, 2, READABLE);
    for round in 0..20_u8 {
        send(&client, &[round]);
        assert_eq!(second.receive(&server, 2, 1), [round]);
        first.quiet("the second poll's source was ready");
        send(&server, &[round]);
        assert_eq!(first.receive(&client, 1, 1), [round]);
        second.quiet("the first poll's source was ready");
    }
}

/// Sources outlive the poll they were registered with, and go on working.
pub(crate) fn sources_outlive_their_poll() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    lp.add(&mut client, 1, BOTH);
    lp.add(&mut server, 2, BOTH);
    lp.add(&mut listener, 3, READABLE);
    drop(lp);
    assert_blocks(listener.accept());
    send(&client, b"still here");
    let mut other = Loop::new();
    discard(&other, &server, 10);
    drop((client, server, listener));
    let (mut socket, _) = udp();
    other.add(&mut socket, 1, WRITABLE);
    other.writable(1);
}

/// An error of `register` leaves the poll and its other sources as they were.
pub(crate) fn errors_do_not_spoil_a_poll() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut server, 1, READABLE);
    for round in 0..5_u8 {
        let twice = lp.registry().register(&mut server, Token(9), READABLE);
        assert_kind(twice, ErrorKind::AlreadyExists);
        assert_kind(lp.registry().deregister(&mut client), ErrorKind::NotFound);
        send(&client, &[round]);
        assert_eq!(lp.receive(&server, 1, 1), [round]);
    }
}

/// Tokens are the caller's: any number comes back as it was, zero and the greatest included.
pub(crate) fn every_token_comes_back() {
    let mut lp = Loop::new();
    for token in [0, 1, 2, 0xFFFF, usize::MAX / 2, usize::MAX - 1, usize::MAX] {
        let (mut socket, _) = udp();
        lp.add(&mut socket, token, WRITABLE);
        assert_eq!(lp.next("a writable socket")[0].token, token);
    }
    let waker = Waker::new(lp.registry(), Token(usize::MAX)).unwrap();
    waker.wake().unwrap();
    assert_eq!(lp.next("the waker")[0].token, usize::MAX);
}

/// Every type shows itself in `{:?}`, and an event in terms a reader knows.
pub(crate) fn everything_can_be_debugged() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let (mut socket, _) = udp();
    let listener = TcpListener::bind(localhost()).unwrap();
    poll.registry()
        .register(&mut socket, Token(4_321), Interest::WRITABLE)
        .unwrap();
    poll.poll(&mut events, Some(DEADLINE)).unwrap();
    let event = format!("{:?}", events.iter().next().unwrap());
    assert!(
        event.contains("4321") && event.to_lowercase().contains("writable"),
        "{event}"
    );
    let all = format!("{events:?}");
    assert!(all.contains("4321"), "{all}");
    let interest = format!("{BOTH:?}");
    assert!(
        interest.contains("READABLE") && interest.contains("WRITABLE"),
        "{interest}"
    );
    let others = [
        format!("{poll:?}"),
        format!("{:?}", poll.registry()),
        format!("{:?}", Token(1)),
        format!("{socket:?}"),
        format!("{listener:?}"),
    ];
    assert!(others.iter().all(|text| text.len() > 2), "{others:?}");
}
