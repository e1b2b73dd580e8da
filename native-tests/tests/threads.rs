//! What only a host with threads can show: wakes from elsewhere, and registries, sources and
//! connections that cross threads while a poll is blocked.

#[path = "common/asleep.rs"]
mod asleep;
mod common;
#[path = "common/pair.rs"]
mod pair;

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use asleep::{this_thread, until_asleep};
use common::{DEADLINE, Watch, assert_would_block};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use pair::{Stream, pair};

const WAKE: Token = Token(1000);

/// Runs `act` in another thread once this one sleeps, which it does in its next poll.
fn when_asleep(act: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let sleeper = this_thread();
    thread::spawn(move || {
        until_asleep(&sleeper);
        act();
    })
}

fn registry_of(watch: &Watch) -> Registry {
    watch.registry().try_clone().expect("a second handle")
}

#[test]
fn a_wake_ends_a_blocked_poll() {
    let mut watch = Watch::new();
    let waker = Waker::new(watch.registry(), WAKE).expect("a waker");
    for _ in 0..10 {
        let waker = &waker;
        let sleeper = this_thread();
        thread::scope(|scope| {
            scope.spawn(move || {
                until_asleep(&sleeper);
                waker.wake().expect("a wake");
            });
            watch.readable(WAKE);
        });
        watch.quiet();
    }
}

#[test]
fn wakes_before_one_poll_are_one_event() {
    let mut watch = Watch::new();
    let waker = Arc::new(Waker::new(watch.registry(), WAKE).expect("a waker"));
    let wakers: Vec<_> = (0..4)
        .map(|_| {
            let waker = Arc::clone(&waker);
            thread::spawn(move || (0..100).for_each(|_| waker.wake().expect("a wake")))
        })
        .collect();
    wakers
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
    watch.readable(WAKE);
    watch.quiet();
}

/// Each thread hands over a number, wakes, and goes on only when its number was taken: a lost
/// wake leaves the poll waiting.
#[test]
fn no_wake_is_lost_among_many_threads() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 500;
    let mut watch = Watch::new();
    let waker = Arc::new(Waker::new(watch.registry(), WAKE).expect("a waker"));
    let queue = Arc::new(Mutex::new(Vec::new()));
    let mut taken = Vec::new();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (waker, queue) = (Arc::clone(&waker), Arc::clone(&queue));
            let (acknowledge, acknowledged) = mpsc::channel();
            taken.push(acknowledge);
            thread::spawn(move || {
                for _ in 0..ROUNDS {
                    queue.lock().expect("no panic").push(number);
                    waker.wake().expect("a wake");
                    acknowledged
                        .recv_timeout(DEADLINE)
                        .expect("the number was taken");
                }
            })
        })
        .collect();
    let mut total = 0;
    while total < THREADS * ROUNDS {
        watch.readable(WAKE);
        for number in queue.lock().expect("no panic").drain(..) {
            total += 1;
            taken[number].send(()).expect("the thread waits for this");
        }
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn a_waker_made_in_another_thread_wakes() {
    let mut watch = Watch::new();
    let registry = registry_of(&watch);
    let waking = when_asleep(move || {
        let waker = Waker::new(&registry, WAKE).expect("a waker");
        waker.wake().expect("a wake");
        // A waker that is gone takes its event along.
        thread::park_timeout(DEADLINE);
    });
    watch.readable(WAKE);
    waking.thread().unpark();
    waking.join().expect("no panic");
}

#[test]
fn registering_from_another_thread_reaches_a_blocked_poll() {
    let mut watch = Watch::new();
    let registry = registry_of(&watch);
    let (mut near, far) = pair();
    near.write_all(b"x").expect("room");
    let registering = when_asleep(move || {
        let mut far = far;
        registry
            .register(&mut far, Token(1), Interest::READABLE)
            .expect("registered");
        thread::park_timeout(DEADLINE);
    });
    watch.readable(Token(1));
    registering.thread().unpark();
    registering.join().expect("no panic");
}

#[test]
fn reregistering_from_another_thread_reaches_a_blocked_poll() {
    let mut watch = Watch::new();
    let registry = registry_of(&watch);
    let (_near, mut far) = pair();
    watch
        .registry()
        .register(&mut far, Token(1), Interest::READABLE)
        .expect("registered");
    let reregistering = when_asleep(move || {
        registry
            .reregister(&mut far, Token(2), Interest::WRITABLE)
            .expect("reregistered");
        thread::park_timeout(DEADLINE);
    });
    let event = watch.writable(Token(2));
    assert!(!event.is_readable());
    watch.quiet();
    reregistering.thread().unpark();
    reregistering.join().expect("no panic");
}

/// The wake comes after the deregistration and the byte after both, so an event of the byte would
/// be there when the poll returns.
#[test]
fn deregistering_from_another_thread_silences_the_source() {
    let mut watch = Watch::new();
    let registry = registry_of(&watch);
    let waker = Waker::new(watch.registry(), WAKE).expect("a waker");
    let (mut near, mut far) = pair();
    watch
        .registry()
        .register(&mut far, Token(1), Interest::READABLE)
        .expect("registered");
    let deregistering = when_asleep(move || {
        registry.deregister(&mut far).expect("deregistered");
        near.write_all(b"x").expect("room");
        waker.wake().expect("a wake");
        thread::park_timeout(DEADLINE);
    });
    watch.readable(WAKE);
    watch.quiet();
    deregistering.thread().unpark();
    deregistering.join().expect("no panic");
}

/// A source dropped elsewhere without deregistering leaves no event behind, not even when its
/// descriptor's number comes back as another source.
#[test]
fn a_source_dropped_in_another_thread_is_forgotten() {
    let mut watch = Watch::new();
    let waker = Arc::new(Waker::new(watch.registry(), WAKE).expect("a waker"));
    for _ in 0..50 {
        let (mut near, mut far) = pair();
        watch
            .registry()
            .register(&mut far, Token(1), Interest::READABLE)
            .expect("registered");
        let waker = Arc::clone(&waker);
        let dropping = thread::spawn(move || {
            drop(far);
            waker.wake().expect("a wake");
        });
        watch.readable(WAKE);
        dropping.join().expect("no panic");
        assert_ended(&mut near);
        watch.quiet();
        let (mut other, mut again) = pair();
        watch
            .registry()
            .register(&mut again, Token(2), Interest::READABLE)
            .expect("registered");
        other.write_all(b"x").expect("room");
        watch.readable(Token(2));
        watch.quiet();
    }
}

/// The end of a Unix stream is there as soon as its peer is gone; that of TCP is on its way.
fn assert_ended(near: &mut Stream) {
    loop {
        match near.read(&mut [0; 8]) {
            Err(error) if cfg!(windows) && error.kind() == ErrorKind::WouldBlock => {
                thread::yield_now();
            }
            result => return assert_eq!(result.expect("the end"), 0),
        }
    }
}

#[test]
fn a_registry_outlives_its_poll() {
    let watch = Watch::new();
    let registry = registry_of(&watch);
    drop(watch);
    let (_near, mut far) = pair();
    registry
        .register(&mut far, Token(1), Interest::READABLE)
        .expect("registered");
    registry.deregister(&mut far).expect("deregistered");
}

/// One worker: takes connections whose registration the accepting thread has already made.
fn echo(mut poll: Poll, incoming: Receiver<(Token, TcpStream)>, connections: usize) {
    let mut events = Events::with_capacity(64);
    let mut open: HashMap<Token, TcpStream> = HashMap::new();
    let mut closed = 0;
    while closed < connections {
        for (token, stream) in incoming.try_iter() {
            open.insert(token, stream);
        }
        // An event may come before its stream does: the stream is read at once in any case, so
        // an event of an unknown token asks for nothing.
        let mut gone = Vec::new();
        for (token, stream) in &mut open {
            let mut buffer = [0; 512];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break gone.push(*token),
                    Ok(count) => stream.write_all(&buffer[..count]).expect("a small echo"),
                    result => break assert_would_block(result),
                }
            }
        }
        for token in gone {
            open.remove(&token);
            closed += 1;
        }
        if closed < connections {
            poll.poll(&mut events, Some(DEADLINE))
                .expect("a poll that works");
            assert!(
                !events.is_empty(),
                "connections are open and nothing happens"
            );
        }
    }
}

/// A client that checks every byte of its echoes.
fn client(address: SocketAddr, seed: u8) {
    let mut watch = Watch::new();
    let mut stream = TcpStream::connect(address).expect("connecting");
    let both = Interest::READABLE | Interest::WRITABLE;
    watch
        .registry()
        .register(&mut stream, Token(0), both)
        .expect("registered");
    watch.writable(Token(0));
    assert!(stream.take_error().expect("an answer").is_none());
    for round in 0..20_u8 {
        let sent = [seed ^ round; 100];
        stream.write_all(&sent).expect("room");
        let mut got = Vec::new();
        while got.len() < sent.len() {
            let mut buffer = [0; 64];
            match stream.read(&mut buffer) {
                Ok(count) => got.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    watch.readable(Token(0));
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(got, sent);
    }
}

/// Each change may end the host's wait, which then goes on for what is left of its time.
#[test]
fn changes_without_an_end_prolong_no_wait() {
    let mut watch = Watch::new();
    let registry = registry_of(&watch);
    let address = "127.0.0.1:0".parse().expect("an address");
    let mut listener = TcpListener::bind(address).expect("bound");
    registry
        .register(&mut listener, Token(0), Interest::READABLE)
        .expect("registered");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let begin = Instant::now();
            // Nobody connects, and a listener is never writable.
            while !done.load(Ordering::Relaxed) && begin.elapsed() < DEADLINE {
                for interest in [Interest::WRITABLE, Interest::READABLE] {
                    let again = registry.reregister(&mut listener, Token(0), interest);
                    again.expect("registered anew");
                }
            }
        });
        let mut events = Events::with_capacity(4);
        let begin = Instant::now();
        for timeout in [0, 0, 50, 0, 50] {
            let timeout = Some(Duration::from_millis(timeout));
            watch.poll.poll(&mut events, timeout).expect("a poll");
            assert!(events.is_empty(), "{events:?}");
        }
        let waited = begin.elapsed();
        done.store(true, Ordering::Relaxed);
        assert!(waited < Duration::from_secs(3), "{waited:?}");
    });
}

/// One thread accepts and registers with the polls of two others, which echo to four clients.
#[test]
fn connections_are_accepted_here_and_served_there() {
    const WORKERS: usize = 2;
    const CLIENTS: usize = 16;
    let mut watch = Watch::new();
    let mut listener =
        TcpListener::bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
    let address = listener.local_addr().expect("an address");
    watch
        .registry()
        .register(&mut listener, Token(0), Interest::READABLE)
        .expect("registered");

    let mut threads = Vec::new();
    let workers = (0..WORKERS)
        .map(|_| {
            let poll = Poll::new().expect("a poll");
            let waker = Waker::new(poll.registry(), WAKE).expect("a waker");
            let (send, receive) = mpsc::channel();
            let registry = poll.registry().try_clone().expect("a second handle");
            threads.push(thread::spawn(move || {
                echo(poll, receive, CLIENTS / WORKERS)
            }));
            (registry, waker, send)
        })
        .collect::<Vec<(Registry, Waker, _)>>();
    for seed in 0..CLIENTS {
        threads.push(thread::spawn(move || client(address, seed as u8)));
    }

    let mut accepted = 0;
    while accepted < CLIENTS {
        match listener.accept() {
            Ok((mut stream, _)) => {
                let (registry, waker, send) = &workers[accepted % WORKERS];
                let token = Token(accepted);
                registry
                    .register(&mut stream, token, Interest::READABLE)
                    .expect("registered");
                send.send((token, stream)).expect("the worker lives");
                waker.wake().expect("a wake");
                accepted += 1;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                watch.readable(Token(0));
            }
            Err(error) => panic!("{error}"),
        }
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
}
