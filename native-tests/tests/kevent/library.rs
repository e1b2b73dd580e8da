//! What the library makes of kevent, as far as no other test sees it.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use libc::{EBADF, EINVAL};
use mio::unix::{SourceFd, pipe};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::pair;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn tokens(poll: &mut Poll, events: &mut Events) -> Vec<usize> {
    poll.poll(events, Some(Duration::ZERO))
        .expect("a poll that works");
    let mut tokens: Vec<_> = events.iter().map(|event| event.token().0).collect();
    tokens.sort_unstable();
    tokens
}

fn new() -> (Poll, Events) {
    (Poll::new().expect("a poll"), Events::with_capacity(16))
}

/// The model panics where a system would refuse.
#[test]
fn every_duration_is_a_timeout() {
    let (mut poll, mut events) = new();
    let waker = Waker::new(poll.registry(), Token(1)).expect("a waker");
    for timeout in [
        Duration::MAX,
        Duration::from_secs(100_000_000),
        Duration::new(99_999_999, 999_999_999),
        Duration::new(0, 999_999_999),
        Duration::new(5, 1),
    ] {
        waker.wake().expect("a wake");
        poll.poll(&mut events, Some(timeout)).expect("a wait");
        assert_eq!(events.iter().count(), 1);
    }
    let (start, wait) = (Instant::now(), Duration::new(0, 9_999_500));
    poll.poll(&mut events, Some(wait)).expect("a wait");
    assert!(events.is_empty() && start.elapsed() >= wait);
}

/// The kernel would answer at once, and a program would spin.
#[test]
fn a_poll_without_room_fails() {
    let (mut poll, _) = new();
    let refused = poll.poll(&mut Events::with_capacity(0), None);
    assert_eq!(
        refused.expect_err("no room").kind(),
        std::io::ErrorKind::InvalidInput
    );
}

/// How often this thread has waited for something.
fn waits() -> i64 {
    // SAFETY: the structure consists of integers, and the kernel writes one where it is told to.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let done = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    assert_eq!(done, 0);
    usage.ru_nvcsw
}

/// Rounded down it would be none, and a program would spin through it.
#[test]
fn the_shortest_wait_is_a_wait() {
    let (mut poll, mut events) = new();
    let before = waits();
    for _ in 0..200 {
        poll.poll(&mut events, Some(Duration::from_nanos(1)))
            .expect("a wait");
    }
    let waited = waits() - before;
    assert!(waited >= 100, "only {waited} of 200 waited");
}

#[test]
fn wakers_are_apart_and_a_dropped_one_is_silent() {
    let (mut poll, mut events) = new();
    let wakers = [1, 2, 3].map(|t| Waker::new(poll.registry(), Token(t)).expect("a waker"));
    for waker in &wakers {
        waker.wake().expect("a wake");
    }
    assert_eq!(tokens(&mut poll, &mut events), [1, 2, 3]);
    assert!(events.iter().all(|event| event.is_readable()));
    assert_eq!(tokens(&mut poll, &mut events), []);
    wakers[0].wake().expect("a wake");
    wakers[1].wake().expect("a wake");
    let [first, second, _third] = wakers;
    drop(first);
    assert_eq!(tokens(&mut poll, &mut events), [2]);
    drop(second);
}

/// A queue can be read from and not written to: one row of two is refused.
#[test]
fn a_registration_that_fails_leaves_nothing_behind() {
    let ((mut outer, mut events), inner) = (new(), Poll::new().expect("a poll"));
    let (number, token) = (inner.as_raw_fd(), Token(1));
    let waker = Waker::new(inner.registry(), Token(2)).expect("a waker");
    let refused = outer
        .registry()
        .register(&mut SourceFd(&number), token, BOTH);
    assert_eq!(
        refused.expect_err("no writing").raw_os_error(),
        Some(EINVAL)
    );
    waker.wake().expect("a wake");
    assert_eq!(tokens(&mut outer, &mut events), []);
    let mut source = SourceFd(&number);
    let registered = outer
        .registry()
        .register(&mut source, token, Interest::READABLE);
    registered.expect("readable");
    assert_eq!(tokens(&mut outer, &mut events), [1]);
}

#[test]
fn a_pipe_that_nobody_reads_is_registered_all_the_same() {
    let (mut poll, mut events) = new();
    let (mut sender, receiver) = pipe::new().expect("a pipe");
    drop(receiver);
    let registered = poll
        .registry()
        .register(&mut sender, Token(1), Interest::WRITABLE);
    registered.expect("the write will tell");
    assert_eq!(tokens(&mut poll, &mut events), [1]);
    let event = events.iter().next().expect("one");
    assert!(event.is_write_closed() && event.is_writable() && !event.is_error());
    assert!(!event.is_read_closed() && !event.is_readable());
}

#[test]
fn directions_come_and_go_one_by_one() {
    let ((mut poll, mut events), (near, mut far)) = (new(), pair());
    let number = near.as_raw_fd();
    far.write_all(b"x").expect("room");
    let registry = poll.registry().try_clone().expect("a registry");
    let change = |token, interest| {
        let changed = registry.reregister(&mut SourceFd(&number), Token(token), interest);
        changed.expect("known");
    };
    registry
        .register(&mut SourceFd(&number), Token(1), BOTH)
        .expect("a socket");
    assert_eq!(tokens(&mut poll, &mut events), [1, 1]);
    change(2, Interest::WRITABLE);
    assert_eq!(tokens(&mut poll, &mut events), [2]);
    assert!(events.iter().all(|event| event.is_writable()));
    far.write_all(b"x").expect("room");
    assert_eq!(
        tokens(&mut poll, &mut events),
        [],
        "nobody asked for reading"
    );
    change(3, Interest::READABLE);
    assert_eq!(tokens(&mut poll, &mut events), [3]);
    assert!(
        events
            .iter()
            .all(|event| event.is_readable() && !event.is_writable())
    );
    assert_eq!((&near).read(&mut [0; 8]).expect("bytes"), 2);
    registry.deregister(&mut SourceFd(&number)).expect("known");
    far.write_all(b"x").expect("room");
    assert_eq!(tokens(&mut poll, &mut events), []);
}

#[test]
fn what_is_closed_already_cannot_be_deregistered() {
    let ((poll, _), (near, _far)) = (new(), pair());
    let closed = i32::MAX;
    drop(near);
    let refused = poll.registry().deregister(&mut SourceFd(&closed));
    assert_eq!(refused.expect_err("closed").raw_os_error(), Some(EBADF));
}

/// Numbers only: nothing makes such events here, so all that can be seen is that both are taken.
#[test]
fn other_interests_make_no_row() {
    let ((mut poll, mut events), (near, mut far)) = (new(), pair());
    let number = near.as_raw_fd();
    let rare = Interest::PRIORITY | Interest::AIO | Interest::LIO;
    assert!(rare.is_aio() && rare.is_lio() && !rare.is_readable());
    poll.registry()
        .register(&mut SourceFd(&number), Token(1), rare)
        .expect("a socket");
    far.write_all(b"x").expect("room");
    assert_eq!(tokens(&mut poll, &mut events), []);
}

/// What is closed with bytes unread resets its connection.
#[test]
fn each_direction_tells_the_end_of_its_own_and_the_error() {
    let (mut poll, mut events) = new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let near = std::net::TcpStream::connect(address).expect("a connection");
    let (far, _) = listener.accept().expect("it");
    (&near).write_all(b"x").expect("room");
    assert_eq!(far.peek(&mut [0; 1]).expect("a byte"), 1);
    drop(far);
    let number = near.as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&number), Token(1), BOTH)
        .expect("a socket");
    assert_eq!(tokens(&mut poll, &mut events), [1, 1]);
    for event in &events {
        assert!(event.is_error() && event.is_readable() != event.is_writable());
        assert_eq!(event.is_read_closed(), event.is_readable());
        assert_eq!(event.is_write_closed(), event.is_writable());
    }
}
