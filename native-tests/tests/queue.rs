//! What is asked of any queue of a Unix system, and hardest of one that the library keeps itself
//! (poll(2)): changes while a poll sleeps, descriptors that close or come back as others, sources
//! by the thousand, and events that neither fail to come nor come again and again.
#![cfg(unix)]

#[path = "common/asleep.rs"]
mod asleep;
mod common;
#[path = "common/kqueue.rs"]
mod kqueue;

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net as std_unix;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use asleep::{this_thread, until_asleep};
use common::{DEADLINE, Watch, assert_would_block};
use kqueue::KQUEUE;
use mio::net::{UnixDatagram, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair")
}

fn registry_of(watch: &Watch) -> Registry {
    watch.registry().try_clone().expect("a second handle")
}

/// Reads until it would block, or to the end.
fn drain(mut stream: &UnixStream) -> usize {
    let mut total = 0;
    loop {
        match stream.read(&mut [0; 64]) {
            Ok(0) => return total,
            Ok(count) => total += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return total;
            }
        }
    }
}

/// Makes room for many descriptors.
fn raise_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls take a pointer to a struct that lives through them.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max.min(8_192);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// How many polls end in that time, each of which may sleep for all of it.
fn polls_in(watch: &mut Watch, time: Duration) -> usize {
    let (mut events, end) = (Events::with_capacity(64), Instant::now() + time);
    let mut polls = 0;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        watch.poll.poll(&mut events, Some(left)).expect("a poll");
        polls += 1;
    }
    polls
}

/// Sources that come and go elsewhere, and have nothing to say, neither end a poll that sleeps nor
/// prolong it.
#[test]
fn changes_leave_the_time_of_a_poll_alone() {
    let watch = Watch::new();
    let registry = registry_of(&watch);
    let mut poll = watch.poll;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut near, _far) = pair();
            while !done.load(Ordering::Relaxed) {
                registry
                    .register(&mut near, Token(1), Interest::READABLE)
                    .expect("registered");
                thread::sleep(Duration::from_millis(5));
                registry.deregister(&mut near).expect("deregistered");
            }
        });
        let (time, start) = (Duration::from_millis(250), Instant::now());
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(time)).expect("a poll");
        let took = start.elapsed();
        done.store(true, Ordering::Relaxed);
        assert!(events.is_empty());
        assert!(took >= time && took < 8 * time, "{took:?}");
    });
}

/// A source that is deregistered and closed elsewhere while a poll sleeps is closed there and
/// then: its peer reads the end although the poll sleeps on.
#[test]
fn what_closes_during_a_poll_is_closed() {
    let mut watch = Watch::new();
    let registry = registry_of(&watch);
    let waker = Waker::new(watch.registry(), Token(9)).expect("a waker");
    let (near, mut far) = pair();
    watch
        .registry()
        .register(&mut far, Token(1), Interest::READABLE)
        .expect("registered");
    let sleeper = this_thread();
    let closing = thread::spawn(move || {
        until_asleep(&sleeper);
        registry.deregister(&mut far).expect("deregistered");
        drop(far);
        let near = std_unix::UnixStream::from(OwnedFd::from(near));
        near.set_nonblocking(false).expect("a blocking socket");
        near.set_read_timeout(Some(DEADLINE)).expect("a limit");
        assert_eq!((&near).read(&mut [0; 8]).expect("the end"), 0);
        until_asleep(&sleeper);
        waker.wake().expect("a wake");
        // A waker that is gone takes its event along.
        thread::park_timeout(DEADLINE);
    });
    watch.readable(Token(9));
    watch.quiet();
    closing.thread().unpark();
    closing.join().expect("no panic");
}

/// The number of a source that closed comes back as another while a poll sleeps: what is told is
/// the new one's.
#[test]
fn a_number_that_comes_back_is_the_new_source() {
    let mut watch = Watch::new();
    for round in 0..50 {
        let registry = registry_of(&watch);
        let (_near, mut far) = pair();
        let (old, new) = (Token(2 * round), Token(2 * round + 1));
        watch
            .registry()
            .register(&mut far, old, Interest::READABLE)
            .expect("registered");
        let sleeper = this_thread();
        let (mut other, mut replacement) = pair();
        let replacing = thread::spawn(move || {
            until_asleep(&sleeper);
            other.write_all(b"x").expect("room");
            // Without deregistering: the source's end is enough. Other tests may take the number
            // first; then it is simply another.
            drop(far);
            registry
                .register(&mut replacement, new, Interest::READABLE)
                .expect("nobody has the number");
            thread::park_timeout(DEADLINE);
        });
        watch.readable(new);
        watch.quiet();
        replacing.thread().unpark();
        replacing.join().expect("no panic");
    }
}

/// Threads that each register a source with something to read, and go on only when it was told:
/// one change that a sleeping poll does not hear of leaves all waiting.
#[test]
fn no_change_is_lost_among_many_threads() {
    const THREADS: usize = 3;
    const ROUNDS: usize = 300;
    let mut watch = Watch::new();
    let mut told = Vec::new();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let registry = registry_of(&watch);
            let (tell, heard) = mpsc::channel();
            told.push(tell);
            thread::spawn(move || {
                let (mut near, mut far) = pair();
                for _ in 0..ROUNDS {
                    near.write_all(b"x").expect("room");
                    registry
                        .register(&mut far, Token(number), Interest::READABLE)
                        .expect("registered");
                    heard.recv_timeout(DEADLINE).expect("its event");
                    assert_eq!(drain(&far), 1);
                    // Now it is armed by a call of this thread, while the other may sleep.
                    near.write_all(b"y").expect("room");
                    heard.recv_timeout(DEADLINE).expect("its second event");
                    registry.deregister(&mut far).expect("deregistered");
                    assert_eq!(drain(&far), 1);
                }
            })
        })
        .collect();
    let mut events = Events::with_capacity(8);
    let (mut total, end) = (0, Instant::now() + DEADLINE);
    while total < 2 * THREADS * ROUNDS {
        assert!(Instant::now() < end, "{total} events in {DEADLINE:?}");
        watch
            .poll
            .poll(&mut events, Some(DEADLINE))
            .expect("a poll");
        for event in &events {
            assert!(event.is_readable() && !event.is_writable());
            total += 1;
            told[event.token().0].send(()).expect("the thread waits");
        }
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
}

/// A descriptor that closed although it was registered by name: the poll serves the others, does
/// not spin, and takes the number for a source again.
#[test]
fn a_name_whose_descriptor_closed_spoils_no_poll() {
    raise_limit();
    let mut watch = Watch::new();
    let (mut near, mut far) = pair();
    watch
        .registry()
        .register(&mut far, Token(1), Interest::READABLE)
        .expect("registered");
    for _ in 0..10 {
        let (gone, _peer) = std_unix::UnixStream::pair().expect("a pair");
        // High, so that no other test of this process takes the number meanwhile.
        // SAFETY: numbers go in, and a descriptor that nobody else has comes out.
        let number = unsafe { libc::fcntl(gone.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 7_000) };
        assert!(number >= 7_000);
        watch
            .registry()
            .register(&mut SourceFd(&number), Token(2), BOTH)
            .expect("registered");
        drop(gone);
        // SAFETY: it is ours to close, as nothing but the registration knows of it.
        assert_eq!(unsafe { libc::close(number) }, 0);
        near.write_all(b"x").expect("room");
        watch.readable(Token(1));
        assert_eq!(drain(&far), 1);
        let polls = polls_in(&mut watch, Duration::from_millis(50));
        assert!(polls < 10, "{polls} polls with nothing to report");
    }
}

/// Of a thousand sources those are told that have something, each once, and all of them where
/// there is room for a few only.
#[test]
fn a_thousand_sources() {
    const COUNT: usize = 1_000;
    raise_limit();
    let mut poll = Poll::new().expect("a poll");
    let mut sources: Vec<(UnixDatagram, UnixDatagram)> = (0..COUNT)
        .map(|_| UnixDatagram::pair().expect("a pair"))
        .collect();
    for (number, (source, _)) in sources.iter_mut().enumerate() {
        poll.registry()
            .register(source, Token(number), Interest::READABLE)
            .expect("registered");
    }
    for (capacity, step) in [(1, 100), (64, 1), (COUNT, 1), (7, 13)] {
        let mut events = Events::with_capacity(capacity);
        let wanted: Vec<usize> = (0..COUNT).step_by(step).collect();
        for number in &wanted {
            sources[*number].1.send(b"x").expect("room");
        }
        let mut seen = Vec::new();
        while seen.len() < wanted.len() {
            poll.poll(&mut events, Some(DEADLINE)).expect("a poll");
            assert!(!events.is_empty(), "{} of {}", seen.len(), wanted.len());
            seen.extend(events.iter().map(|event| event.token().0));
        }
        seen.sort_unstable();
        assert_eq!(seen, wanted, "each once");
        poll.poll(&mut events, Some(Duration::ZERO))
            .expect("a poll");
        assert!(events.is_empty());
        for number in wanted {
            assert_eq!(sources[number].0.recv(&mut [0; 8]).expect("it"), 1);
            assert_would_block(sources[number].0.recv(&mut [0; 8]));
        }
    }
}

/// Where there is room for one event only, busy sources do not keep others from being told.
#[test]
fn busy_sources_starve_no_other() {
    let mut poll = Poll::new().expect("a poll");
    let mut events = Events::with_capacity(1);
    let mut pairs: Vec<_> = (0..5).map(|_| pair()).collect();
    for (number, (near, far)) in pairs.iter_mut().enumerate() {
        far.write_all(b"x").expect("room");
        poll.registry()
            .register(near, Token(number), Interest::READABLE)
            .expect("registered");
    }
    let mut told = [0; 5];
    for _ in 0..50 {
        poll.poll(&mut events, Some(DEADLINE)).expect("a poll");
        let Token(number) = events.iter().next().expect("somebody is ready").token();
        told[number] += 1;
        let (near, far) = &mut pairs[number];
        assert_eq!(drain(near), 1);
        far.write_all(b"x").expect("room");
    }
    assert!(told.iter().all(|count| *count >= 5), "{told:?}");
}

/// Nothing is told twice that nobody used up, in either direction; and after what would block, the
/// next is told.
#[test]
fn events_come_again_after_would_block_alone() {
    let mut watch = Watch::new();
    let (mut near, mut far) = pair();
    watch
        .registry()
        .register(&mut far, Token(1), BOTH)
        .expect("registered");
    assert!(!watch.writable(Token(1)).is_readable());
    for _ in 0..3 {
        near.write_all(b"unread").expect("room");
        // It can be written to as before, which a kqueue tells in an event of its own, once.
        assert_eq!(watch.readable(Token(1)).is_writable(), !KQUEUE);
        (0..5).for_each(|_| watch.quiet());
        assert_eq!(drain(&far), 6);
        watch.quiet();
    }
    let polls = polls_in(&mut watch, Duration::from_millis(100));
    assert!(polls < 10, "{polls} polls with nothing to report");
}

/// A source that only waits to be written to, and was told that it can, is told of the peer's end.
#[test]
fn the_end_is_told_although_nothing_else_is_watched() {
    let mut watch = Watch::new();
    let (near, mut far) = pair();
    watch
        .registry()
        .register(&mut far, Token(1), Interest::WRITABLE)
        .expect("registered");
    assert!(!watch.writable(Token(1)).is_write_closed());
    watch.quiet();
    drop(near);
    watch.expect(Token(1), |event| event.is_write_closed());
    let polls = polls_in(&mut watch, Duration::from_millis(50));
    assert!(polls < 10, "{polls} polls with nothing new to report");
    watch.quiet();
}

/// A poll hears of what comes after a call that another thread made while it slept.
#[test]
fn calls_elsewhere_arm_a_source_of_a_poll_that_sleeps() {
    let mut watch = Watch::new();
    let (mut near, mut far) = pair();
    watch
        .registry()
        .register(&mut far, Token(1), Interest::READABLE)
        .expect("registered");
    for _ in 0..20 {
        near.write_all(b"one").expect("room");
        watch.readable(Token(1));
        let sleeper = this_thread();
        thread::scope(|scope| {
            scope.spawn(|| {
                until_asleep(&sleeper);
                assert_eq!(drain(&far), 3);
                until_asleep(&sleeper);
                near.write_all(b"two").expect("room");
            });
            watch.readable(Token(1));
        });
        assert_eq!(drain(&far), 3);
    }
}

/// A name tells of no calls, so what it names is read unseen; yet new input is told.
#[test]
fn a_name_is_told_of_what_comes_next() {
    let mut watch = Watch::new();
    let (mut near, far) = std_unix::UnixStream::pair().expect("a pair");
    far.set_nonblocking(true).expect("non-blocking");
    let number = far.as_raw_fd();
    watch
        .registry()
        .register(&mut SourceFd(&number), Token(1), Interest::READABLE)
        .expect("registered");
    for round in 0..5 {
        near.write_all(b"x").expect("room");
        watch.readable(Token(1));
        assert_eq!((&far).read(&mut [0; 8]).expect("a byte"), 1, "{round}");
        assert_would_block((&far).read(&mut [0; 8]));
    }
}

/// An interest that no queue here has a bit for is a registration all the same: it can be changed
/// and ended, and a drop leaves nothing of it.
#[test]
fn an_interest_in_nothing_is_a_registration() {
    let mut watch = Watch::new();
    let registry = registry_of(&watch);
    let (mut near, mut far) = pair();
    registry
        .register(&mut far, Token(1), Interest::AIO)
        .expect("registered");
    near.write_all(b"x").expect("room");
    watch.quiet();
    registry
        .reregister(&mut far, Token(2), Interest::READABLE)
        .expect("it is registered");
    watch.readable(Token(2));
    registry
        .reregister(&mut far, Token(3), Interest::LIO)
        .expect("it is registered");
    registry.deregister(&mut far).expect("it is registered");
    registry
        .register(&mut far, Token(4), Interest::AIO)
        .expect("registered anew");
    drop(far);
    watch.quiet();
    drop(near);
    watch.quiet();
}

/// epoll takes no more than 178,956,970 at once: a poller with room for more works all the same.
#[cfg(all(
    not(any(mio_kqueue_model, mio_unsupported_force_poll_poll)),
    target_os = "linux",
    target_pointer_width = "64",
))]
#[test]
fn there_may_be_more_room_than_the_kernel_fills() {
    let mut poll = Poll::new().expect("a poll");
    let waker = Waker::new(poll.registry(), Token(1)).expect("a waker");
    waker.wake().expect("a wake");
    let mut events = Events::with_capacity(178_956_971);
    poll.poll(&mut events, Some(DEADLINE)).expect("a poll");
    assert_eq!(events.iter().count(), 1);
}

/// A waker is told when it wakes, and not before or again.
#[test]
fn a_waker_is_told_of_wakes_alone() {
    let mut watch = Watch::new();
    for number in 0..10 {
        let waker = Waker::new(watch.registry(), Token(number)).expect("a waker");
        watch.quiet();
        for _ in 0..10 {
            waker.wake().expect("a wake");
            waker.wake().expect("a wake");
            let event = watch.readable(Token(number));
            assert!(!event.is_read_closed() && !event.is_error());
            watch.quiet();
        }
        let polls = polls_in(&mut watch, Duration::from_millis(20));
        assert!(polls < 5, "{polls} polls with nothing to report");
    }
}

/// What is registered with a poller does not keep it: many more of them than there are descriptors.
#[test]
fn pollers_leave_nothing_behind() {
    let (near, mut far) = pair();
    let number = near.as_raw_fd();
    for _ in 0..10_000 {
        let poll = Poll::new().expect("a poll");
        let waker = Waker::new(poll.registry(), Token(0)).expect("a waker");
        let registry = poll.registry().try_clone().expect("a second handle");
        registry
            .register(&mut SourceFd(&number), Token(1), BOTH)
            .expect("registered");
        registry
            .register(&mut far, Token(2), BOTH)
            .expect("registered");
        waker.wake().expect("a wake");
        registry.deregister(&mut far).expect("deregistered");
    }
}
