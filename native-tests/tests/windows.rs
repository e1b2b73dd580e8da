//! What Windows alone can show: polls of the driver's that are in flight while their socket, their
//! interest, their `Poll` or the thread around them changes.
#![cfg(windows)]

mod common;
#[path = "common/pair.rs"]
mod pair;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::os::windows::io::{
    AsRawSocket, AsSocket, FromRawSocket, IntoRawSocket, OwnedSocket, RawSocket,
};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Watch, assert_would_block};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};
use pair::pair;

const READ: Interest = Interest::READABLE;
const WRITE: Interest = Interest::WRITABLE;
const BOTH: Interest = READ.add(WRITE);

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(any_port()).expect("bound");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

/// A watch in which a wait has begun a poll of `socket`, which is not ready.
fn in_flight(socket: &mut UdpSocket, token: Token) -> Watch {
    let mut watch = Watch::new();
    watch
        .registry()
        .register(socket, token, READ)
        .expect("registered");
    watch.quiet();
    watch
}

/// One test at a time: some close a socket's number behind its back, which another could get.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn close(socket: RawSocket) {
    // SAFETY: the tests that call this give the number's owner up.
    drop(unsafe { OwnedSocket::from_raw_socket(socket) });
}

static LIVE: AtomicIsize = AtomicIsize::new(0);

/// Counts the bytes that are allocated, so that what the kernel never gave back shows.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes on to the system's allocator unchanged, which keeps the promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[test]
fn a_socket_closed_without_deregistering_is_forgotten() {
    let _alone = alone();
    let mut watch = Watch::new();
    for round in 0..50 {
        let (mut socket, address) = udp();
        watch
            .registry()
            .register(&mut socket, Token(round), READ)
            .expect("registered");
        if round % 2 == 0 {
            watch.quiet();
        }
        socket.send_to(b"unread", address).expect("sent");
        drop(socket);
        watch.quiet();
        watch.quiet();
    }
}

#[test]
fn what_is_given_away_is_not_watched_any_more() {
    let _alone = alone();
    let (mut socket, address) = udp();
    let mut watch = in_flight(&mut socket, Token(1));
    let socket = std::net::UdpSocket::from(socket);
    socket.send_to(b"unheard", address).expect("sent");
    watch.quiet();
    let mut socket = UdpSocket::from_std(socket);
    watch
        .registry()
        .register(&mut socket, Token(2), READ)
        .expect("registered");
    watch.readable(Token(2));
}

#[test]
fn one_socket_registers_once() {
    let _alone = alone();
    let (mut socket, _) = udp();
    let watch = in_flight(&mut socket, Token(1));
    // SAFETY: the first owner outlives it, and it never closes the socket.
    let second = unsafe { UdpSocket::from_raw_socket(socket.as_raw_socket()) };
    let mut second = ManuallyDrop::new(second);
    let twice = watch.registry().register(&mut *second, Token(2), READ);
    let error = twice.expect_err("it is registered");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("the same socket"), "{error}");

    let other = Poll::new().expect("a poll");
    let elsewhere = other.registry().register(&mut socket, Token(3), READ);
    let error = elsewhere.expect_err("it is registered").kind();
    assert_eq!(error, ErrorKind::AlreadyExists);

    watch
        .registry()
        .deregister(&mut socket)
        .expect("deregistered");
    watch
        .registry()
        .register(&mut *second, Token(2), READ)
        .expect("the first has gone");
    watch
        .registry()
        .deregister(&mut *second)
        .expect("deregistered");
}

/// Whichever goes first, and whatever the kernel still has of the other: all memory comes back, and
/// nothing waits for what does not come.
#[test]
fn polls_go_with_operations_in_flight() {
    let _alone = alone();
    let begin = Instant::now();
    let mut before = 0;
    for round in 0..200 {
        if round == 20 {
            before = LIVE.load(Ordering::Relaxed);
        }
        let (mut socket, address) = udp();
        let mut watch = in_flight(&mut socket, Token(1));
        let waker = Waker::new(watch.registry(), Token(2)).expect("a waker");
        waker.wake().expect("a wake");
        match round % 5 {
            0 => drop(watch),
            1 => drop(socket),
            2 => watch
                .registry()
                .deregister(&mut socket)
                .expect("deregistered"),
            3 => watch
                .registry()
                .reregister(&mut socket, Token(3), WRITE)
                .expect("reregistered"),
            _ => {
                socket.send_to(b"unread", address).expect("sent");
                watch.readable(Token(1));
            }
        }
    }
    let more = LIVE.load(Ordering::Relaxed) - before;
    assert!(more < 10_000, "{more} bytes more");
    assert!(begin.elapsed() < DEADLINE, "{:?}", begin.elapsed());
}

/// A listener is never writable, so that each change of its interest finds a poll in flight that
/// lacks what is wanted now, and cancels it. Only the end of that poll may begin the next.
#[test]
fn a_cancelled_poll_is_not_taken_for_idle() {
    let _alone = alone();
    let mut watch = Watch::new();
    let waker = Waker::new(watch.registry(), Token(9)).expect("a waker");
    let mut listener = TcpListener::bind(any_port()).expect("bound");
    let address = listener.local_addr().expect("an address");
    watch
        .registry()
        .register(&mut listener, Token(1), READ)
        .expect("registered");
    let registry = watch.registry().try_clone().expect("a second handle");
    let changing = thread::spawn(move || {
        for _ in 0..500 {
            for interest in [WRITE, READ] {
                registry
                    .reregister(&mut listener, Token(1), interest)
                    .expect("reregistered");
            }
        }
        waker.wake().expect("a wake");
        // A waker that is gone takes its event along.
        (listener, waker)
    });
    watch.readable(Token(9));
    let (listener, _waker) = changing.join().expect("no panic");
    watch.quiet();
    let _client = TcpStream::connect(address).expect("connecting");
    let event = watch.readable(Token(1));
    assert!(!event.is_error() && !event.is_writable(), "{event:?}");
    listener.accept().expect("a connection");
    watch.quiet();
}

#[test]
fn interest_changes_while_a_poll_is_in_flight() {
    let _alone = alone();
    let (mut near, mut far) = pair();
    let mut watch = Watch::new();
    watch
        .registry()
        .register(&mut far, Token(1), READ)
        .expect("registered");
    for round in 0..50_u8 {
        watch.quiet();
        watch
            .registry()
            .reregister(&mut far, Token(2), WRITE)
            .expect("reregistered");
        // In one poll, that does not wait, the old interest ends and the new is found ready.
        let mut events = Events::with_capacity(4);
        let poll = &mut watch.poll;
        poll.poll(&mut events, Some(Duration::ZERO))
            .expect("a poll");
        let event = events.iter().next().expect("it is writable");
        assert!(event.is_writable() && event.token() == Token(2));
        assert!(!event.is_readable() && !event.is_error(), "{event:?}");
        watch
            .registry()
            .reregister(&mut far, Token(1), READ)
            .expect("reregistered");
        near.write_all(&[round]).expect("room");
        watch.readable(Token(1));
        let mut byte = [0];
        assert_eq!(far.read(&mut byte).expect("a byte"), 1);
        assert_eq!(byte, [round]);
        assert_would_block(far.read(&mut byte));
    }
}

/// A poll that was cancelled ends a wait of the kernel's, and none of ours.
#[test]
fn cancelled_polls_end_no_wait() {
    let _alone = alone();
    for timeout in [None, Some(Duration::from_millis(300))] {
        let mut poll = Poll::new().expect("a poll");
        let mut events = Events::with_capacity(4);
        let waker = Waker::new(poll.registry(), Token(9)).expect("a waker");
        let mut listener = TcpListener::bind(any_port()).expect("bound");
        poll.registry()
            .register(&mut listener, Token(1), READ)
            .expect("registered");
        let registry = poll.registry().try_clone().expect("a second handle");
        let changing = thread::spawn(move || {
            for interest in [WRITE, READ].repeat(20) {
                thread::sleep(Duration::from_millis(2));
                registry
                    .reregister(&mut listener, Token(1), interest)
                    .expect("reregistered");
            }
            thread::sleep(Duration::from_millis(400));
            waker.wake().expect("a wake");
            (listener, waker)
        });
        let begin = Instant::now();
        poll.poll(&mut events, timeout).expect("a poll that works");
        let waited = begin.elapsed();
        let woken = events.iter().any(|event| event.token() == Token(9));
        assert_eq!(woken, timeout.is_none(), "{events:?} after {waited:?}");
        assert!(waited >= Duration::from_millis(300), "{waited:?}");
        changing.join().expect("no panic");
    }
}

/// A read that would block arms the socket at once, where another thread waits already.
#[test]
fn a_read_in_another_thread_arms_for_a_blocked_poll() {
    let _alone = alone();
    let mut watch = Watch::new();
    let (mut socket, address) = udp();
    watch
        .registry()
        .register(&mut socket, Token(1), READ)
        .expect("registered");
    socket.send_to(b"first", address).expect("sent");
    watch.readable(Token(1));
    // From here on nothing is armed until the other thread has found that it would block.
    let reading = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let mut buffer = [0; 8];
        assert_eq!(socket.recv(&mut buffer).expect("the first"), 5);
        assert_would_block(socket.recv(&mut buffer));
        socket.send_to(b"second", address).expect("sent");
        socket
    });
    watch.readable(Token(1));
    let socket = reading.join().expect("no panic");
    assert_eq!(socket.recv(&mut [0; 8]).expect("the second"), 6);
}

/// The driver refuses to poll what is no socket any more: that is one event, of this source.
#[test]
fn a_refused_poll_is_an_event() {
    let _alone = alone();
    let mut watch = Watch::new();
    let (mut well, address) = udp();
    watch
        .registry()
        .register(&mut well, Token(1), READ)
        .expect("registered");
    let (socket, _) = udp();
    let mut socket = ManuallyDrop::new(socket);
    watch
        .registry()
        .register(&mut *socket, Token(2), READ)
        .expect("registered");
    close(socket.as_raw_socket());
    let event = watch.expect(Token(2), Event::is_error);
    assert!(event.is_readable(), "{event:?}");
    for _ in 0..20 {
        let error = socket.recv(&mut [0; 8]).expect_err("it is closed");
        assert_ne!(error.kind(), ErrorKind::WouldBlock);
        watch.quiet();
    }
    // Windows finds out at once; Wine leaves it to the poll.
    let again = watch.registry().reregister(&mut *socket, Token(3), READ);
    if again.is_ok() {
        watch.expect(Token(3), Event::is_error);
    }
    well.send_to(b"well", address).expect("sent");
    watch.readable(Token(1));
    watch
        .registry()
        .deregister(&mut *socket)
        .expect("deregistered");
}

/// While a thread waits, the event reaches that wait.
#[test]
fn a_refused_poll_ends_a_wait() {
    let _alone = alone();
    let mut watch = Watch::new();
    let registry = watch.registry().try_clone().expect("a second handle");
    let registering = thread::spawn(move || {
        let (socket, _) = udp();
        let mut socket = ManuallyDrop::new(socket);
        registry
            .register(&mut *socket, Token(1), WRITE)
            .expect("registered");
        thread::sleep(Duration::from_millis(50));
        close(socket.as_raw_socket());
        let again = registry.reregister(&mut *socket, Token(2), READ);
        let waker = Waker::new(&registry, Token(3)).expect("a waker");
        thread::sleep(Duration::from_millis(50));
        waker.wake().expect("a wake");
        registry.deregister(&mut *socket).expect("deregistered");
        (again.is_ok(), waker)
    });
    watch.writable(Token(1));
    // The close itself is told, to whichever token it has by then. Windows refuses to register it
    // again; Wine leaves that to the poll.
    let mut events = Events::with_capacity(1);
    watch
        .poll
        .poll(&mut events, Some(DEADLINE))
        .expect("a poll");
    let first = events.iter().next().expect("an event").clone();
    assert!(first.is_error(), "{first:?}");
    let (begun, _waker) = registering.join().expect("no panic");
    if begun && first.token() == Token(1) {
        watch.expect(Token(2), Event::is_error);
    }
}

/// A socket that is closed behind our back while it is polled is told as an error, and its number
/// may be another's.
#[test]
fn a_number_comes_back_as_another_source() {
    let _alone = alone();
    for _ in 0..20 {
        let (socket, _) = udp();
        let mut socket = ManuallyDrop::new(socket);
        let mut watch = in_flight(&mut socket, Token(1));
        close(socket.as_raw_socket());
        watch.expect(Token(1), Event::is_error);
        watch.quiet();
        let mut others: Vec<_> = (0..8).map(|_| udp()).collect();
        for (other, _) in &mut others {
            watch
                .registry()
                .register(other, Token(2), READ)
                .expect("another socket");
        }
        watch
            .registry()
            .deregister(&mut *socket)
            .expect("deregistered");
        for (other, address) in &others {
            other.send_to(b"x", *address).expect("sent");
            watch.readable(Token(2));
            assert_eq!(other.recv(&mut [0; 8]).expect("a datagram"), 1);
        }
        watch.quiet();
    }
}

/// More than the port gives at once, and more than one handle of the driver's is for.
#[test]
fn many_sockets_are_all_told_once() {
    let _alone = alone();
    const MANY: usize = 600;
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(2 * MANY);
    let mut sockets: Vec<_> = (0..MANY).map(|_| udp().0).collect();
    for (token, socket) in sockets.iter_mut().enumerate() {
        poll.registry()
            .register(socket, Token(token), BOTH)
            .expect("registered");
    }
    let mut told = vec![0; MANY];
    let end = Instant::now() + DEADLINE;
    while told.contains(&0) {
        assert!(Instant::now() < end, "not all are told");
        poll.poll(&mut events, Some(DEADLINE)).expect("a poll");
        for event in &events {
            told[event.token().0] += 1;
        }
    }
    assert!(told.iter().all(|times| *times == 1), "{told:?}");
    poll.poll(&mut events, Some(Duration::from_millis(5)))
        .expect("a poll");
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn sockets_change_hands() {
    let _alone = alone();
    fn through<T>(socket: T) -> T
    where
        T: AsRawSocket + AsSocket + FromRawSocket + IntoRawSocket + From<OwnedSocket>,
        OwnedSocket: From<T>,
    {
        let number = socket.as_raw_socket();
        assert_eq!(socket.as_socket().as_raw_socket(), number);
        let socket = socket.into_raw_socket();
        assert_eq!(socket, number);
        // SAFETY: it comes from its only owner.
        let socket = T::from(OwnedSocket::from(unsafe { T::from_raw_socket(socket) }));
        assert_eq!(socket.as_raw_socket(), number);
        socket
    }
    let mut watch = Watch::new();
    let (socket, address) = udp();
    let mut socket = through(socket);
    let mut listener = through(TcpListener::bind(any_port()).expect("bound"));
    let address_of = listener.local_addr().expect("an address");
    let registry = watch.registry();
    registry
        .register(&mut socket, Token(1), READ)
        .expect("registered");
    registry
        .register(&mut listener, Token(2), READ)
        .expect("registered");
    let mut stream = through(TcpStream::connect(address_of).expect("connecting"));
    registry
        .register(&mut stream, Token(3), WRITE)
        .expect("registered");
    watch.writable(Token(3));
    watch.readable(Token(2));
    listener.accept().expect("a connection");
    socket.send_to(b"x", address).expect("sent");
    watch.readable(Token(1));
}
