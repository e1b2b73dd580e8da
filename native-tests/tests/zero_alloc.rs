//! Once warm, nothing allocates: not a poll, whatever it reports, not a read or a write, not a
//! wake, not registering and deregistering. The allocator counts by thread, so that neither the
//! test harness nor another test can disturb a count.

#[path = "common/counting.rs"]
mod counting;
#[path = "common/pair.rs"]
mod pair;

use std::hint::black_box;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};
use pair::pair;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const DEADLINE: Duration = Duration::from_secs(20);

fn allocations(work: impl FnOnce()) -> usize {
    let before = counting::allocations();
    work();
    counting::allocations() - before
}

/// Runs `round` until it is warm, then asserts that it does not allocate.
#[track_caller]
fn assert_frugal(what: &str, mut round: impl FnMut()) {
    (0..20).for_each(|_| round());
    let count = allocations(|| (0..100).for_each(|_| round()));
    assert_eq!(count, 0, "{what} allocates");
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[test]
fn the_count_counts() {
    // A compiler that optimizes may leave out what nobody looks at.
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
    let mut vector = black_box(vec![1]);
    assert_eq!(allocations(|| vector.reserve_exact(1000)), 1);
    black_box(vector);
}

/// Polls until `token` has an event. What a connected pair needs is never long in coming.
fn wait(poll: &mut Poll, events: &mut Events, token: Token) {
    loop {
        poll.poll(events, Some(DEADLINE)).unwrap();
        assert!(!events.is_empty(), "nothing happens");
        if events
            .iter()
            .any(|event| event.token() == token && event.is_readable())
        {
            return;
        }
    }
}

fn assert_would_block<T: std::fmt::Debug>(result: std::io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
}

fn tcp_pair(poll: &mut Poll, events: &mut Events) -> (TcpStream, TcpStream) {
    let mut listener = TcpListener::bind(any_port()).unwrap();
    poll.registry()
        .register(&mut listener, Token(9), Interest::READABLE)
        .unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    wait(poll, events, Token(9));
    (client, listener.accept().unwrap().0)
}

#[test]
fn an_empty_poll() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut near, _far) = pair();
    poll.registry()
        .register(&mut near, Token(0), Interest::READABLE)
        .unwrap();
    assert_frugal("a poll that finds nothing", || {
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty());
    });
}

#[test]
fn an_echo_over_tcp() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut near, mut far) = tcp_pair(&mut poll, &mut events);
    poll.registry().register(&mut near, Token(0), BOTH).unwrap();
    poll.registry().register(&mut far, Token(1), BOTH).unwrap();
    let mut buffer = [0; 64];
    assert_frugal("an echo", || {
        near.write_all(b"there").unwrap();
        wait(&mut poll, &mut events, Token(1));
        assert_eq!(far.peek(&mut buffer).unwrap(), 5);
        assert_eq!(far.read(&mut buffer).unwrap(), 5);
        assert_would_block(far.read(&mut buffer));
        assert_eq!(
            far.write_vectored(&[IoSlice::new(b"ba"), IoSlice::new(b"ck")])
                .unwrap(),
            4
        );
        wait(&mut poll, &mut events, Token(0));
        let (head, tail) = buffer.split_at_mut(1);
        let mut into = [IoSliceMut::new(head), IoSliceMut::new(tail)];
        assert_eq!(near.read_vectored(&mut into).unwrap(), 4);
        near.try_io(|| Ok(())).unwrap();
    });
}

#[test]
fn connecting_and_accepting() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let mut listener = TcpListener::bind(any_port()).unwrap();
    let address = listener.local_addr().unwrap();
    poll.registry()
        .register(&mut listener, Token(0), Interest::READABLE)
        .unwrap();
    assert_frugal("connecting and accepting", || {
        let mut client = TcpStream::connect(address).unwrap();
        poll.registry()
            .register(&mut client, Token(1), Interest::WRITABLE)
            .unwrap();
        wait(&mut poll, &mut events, Token(0));
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(server.peer_addr().unwrap(), peer);
        assert_would_block(listener.accept());
    });
}

#[test]
fn datagrams() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let near = UdpSocket::bind(any_port()).unwrap();
    let mut far = UdpSocket::bind(any_port()).unwrap();
    let address = far.local_addr().unwrap();
    near.connect(address).unwrap();
    poll.registry()
        .register(&mut far, Token(1), Interest::READABLE)
        .unwrap();
    let mut buffer = [0; 64];
    assert_frugal("a datagram", || {
        near.send(b"one").unwrap();
        wait(&mut poll, &mut events, Token(1));
        assert_eq!(
            far.recv_from(&mut buffer).unwrap(),
            (3, near.local_addr().unwrap())
        );
        assert_would_block(far.recv(&mut buffer));
        far.send_to(b"two", near.local_addr().unwrap()).unwrap();
    });
}

#[test]
fn wakes() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    assert_frugal("a wake", || {
        waker.wake().unwrap();
        wait(&mut poll, &mut events, Token(0));
    });
}

/// A sender and a receiver: a pipe where there is one.
#[cfg(unix)]
fn one_way() -> (mio::unix::pipe::Sender, mio::unix::pipe::Receiver) {
    mio::unix::pipe::new().unwrap()
}

#[cfg(not(unix))]
fn one_way() -> (pair::Stream, pair::Stream) {
    pair()
}

#[test]
fn registering_and_deregistering() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(16);
    let (mut near, _far) = pair();
    let (mut sender, mut receiver) = one_way();
    assert_frugal("a registration", || {
        let registry = poll.registry();
        registry.register(&mut near, Token(0), BOTH).unwrap();
        registry
            .register(&mut sender, Token(1), Interest::WRITABLE)
            .unwrap();
        registry
            .register(&mut receiver, Token(2), Interest::READABLE)
            .unwrap();
        registry
            .reregister(&mut near, Token(3), Interest::READABLE)
            .unwrap();
        poll.poll(&mut events, Some(DEADLINE)).unwrap();
        let registry = poll.registry();
        registry.deregister(&mut near).unwrap();
        registry.deregister(&mut sender).unwrap();
        registry.deregister(&mut receiver).unwrap();
    });
}

/// As many events as there is room for, of more sources than that.
#[test]
fn full_events() {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(8);
    let mut pairs: Vec<_> = (0..16).map(|_| pair()).collect();
    for (number, (near, _)) in pairs.iter_mut().enumerate() {
        poll.registry().register(near, Token(number), BOTH).unwrap();
    }
    assert_frugal("a poll that finds more than it can report", || {
        for (near, _) in &mut pairs {
            poll.registry().reregister(near, Token(0), BOTH).unwrap();
        }
        poll.poll(&mut events, Some(DEADLINE)).unwrap();
        assert_eq!(events.iter().count(), 8);
    });
}
