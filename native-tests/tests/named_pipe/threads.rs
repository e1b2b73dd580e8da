//! Completions that race with calls of other threads.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Barrier;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use mio::Events;
use mio::windows::NamedPipe;

use super::common::{DEADLINE, Watch};
use super::{
    BOTH, MUCH, SERVER, connected, listening, over_mio, pattern, peer, read, read_exact, server,
    write_all,
};

#[test]
fn it_may_be_used_from_any_thread() {
    fn any<T: Send + Sync + 'static>() {}
    any::<NamedPipe>();
}

/// The client opens the pipe while the server begins to wait for it, and while it polls.
#[test]
fn a_client_that_races_with_connecting_is_never_missed() {
    const ROUNDS: usize = 300;
    let mut watch = Watch::new();
    let (server, name) = listening(&watch);
    let (go, gone) = mpsc::channel();
    let clients = thread::spawn(move || {
        for () in gone {
            // Until the server has begun to listen the pipe is busy.
            let mut options = std::fs::OpenOptions::new();
            let mut file = loop {
                match options.read(true).write(true).open(&name) {
                    Ok(file) => break file,
                    Err(_) => thread::yield_now(),
                }
            };
            file.write_all(b"x").expect("room");
            // The server's word that it has read.
            let _ = file.read(&mut [0; 1]);
        }
    });
    for round in 0..ROUNDS {
        go.send(()).expect("the client's thread");
        if round % 2 == 0 {
            thread::yield_now();
        }
        while let Err(error) = server.connect() {
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            watch.writable(SERVER);
        }
        let mut byte = [0];
        let mut result = read(&mut watch, SERVER, &server, &mut byte);
        while over_mio() && result.is_err() {
            result = read(&mut watch, SERVER, &server, &mut byte);
        }
        assert_eq!(result.expect("a byte"), 1);
        server.disconnect().expect("disconnected");
    }
    drop(go);
    clients.join().expect("no panic");
}

/// Makes calls until one can be made, told by another thread when to try again.
fn when_ready<T>(told: &Receiver<()>, mut call: impl FnMut() -> io::Result<T>) -> T {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                told.recv_timeout(DEADLINE).expect("an event");
            }
            result => return result.expect("a pipe that works"),
        }
    }
}

/// A reader and a writer of one pipe, neither of them the thread that polls.
#[test]
fn two_threads_share_a_pipe() {
    const ALL: usize = 500_000;
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    let sent = pattern(ALL);
    let (wrote, may_write) = mpsc::channel();
    let (came, may_read) = mpsc::channel();
    thread::scope(|scope| {
        let (server, sent) = (&server, &sent);
        let echoing = scope.spawn(move || {
            let mut room = vec![0; 20_000];
            let mut left = ALL;
            while left > 0 {
                let count = peer.read(&mut room).expect("a writer");
                assert_ne!(count, 0, "the end, {left} bytes too early");
                peer.write_all(&room[..count]).expect("a reader");
                left -= count;
            }
        });
        let writing = scope.spawn(move || {
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let piece = &rest[..rest.len().min(3_000)];
                rest = &rest[when_ready(&may_write, || { server }.write(piece))..];
            }
        });
        let reading = scope.spawn(move || {
            let (mut all, mut room) = (Vec::new(), [0; 1_000]);
            while all.len() < ALL {
                let count = when_ready(&may_read, || { server }.read(&mut room));
                all.extend_from_slice(&room[..count]);
            }
            assert!(all == *sent);
        });
        let mut events = Events::with_capacity(8);
        while ![&echoing, &writing, &reading]
            .iter()
            .all(|thread| thread.is_finished())
        {
            let step = Some(Duration::from_millis(5));
            watch.poll.poll(&mut events, step).expect("a poll");
            for event in &events {
                // Who is done listens no longer.
                let _ = event.is_writable() && wrote.send(()).is_ok();
                let _ = event.is_readable() && came.send(()).is_ok();
            }
        }
    });
}

/// Pipes that are dropped by one thread while another takes their completions.
#[test]
fn dropping_races_with_completions() {
    let mut watch = Watch::new();
    let registry = watch.registry().try_clone().expect("a second handle");
    let dropping = thread::spawn(move || {
        for round in 0..100 {
            let (mut server, name) = server();
            let registered = registry.register(&mut server, SERVER, BOTH);
            registered.expect("registered");
            let _ = server.connect();
            let mut peer = peer(&name);
            peer.write_all(b"text").expect("room");
            if round % 3 > 0 {
                // Whether it is told of the client yet or not.
                let _ = (&server).write(&pattern(MUCH));
            }
            if round % 2 > 0 {
                drop(server);
                drop(peer);
            } else {
                drop(peer);
                drop(server);
            }
        }
    });
    let mut events = Events::with_capacity(4);
    while !dropping.is_finished() {
        let step = Some(Duration::from_millis(1));
        watch.poll.poll(&mut events, step).expect("a poll");
    }
    dropping.join().expect("no panic");
    // It still works.
    let (server, mut peer) = connected(&mut watch);
    write_all(&mut watch, SERVER, &server, b"x");
    peer.write_all(b"y").expect("room");
    assert_eq!(read_exact(&mut watch, SERVER, &server, 1), b"y");
}

/// Whoever is last to let go of the port collects what is in flight.
#[test]
fn pipe_and_poll_are_dropped_at_once() {
    let begin = Instant::now();
    for round in 0..60 {
        let mut watch = Watch::new();
        let (server, mut peer) = connected(&mut watch);
        let (listening, _name) = listening(&watch);
        let _ = listening.connect();
        peer.write_all(b"text").expect("room");
        if round % 2 > 0 {
            assert_eq!((&server).write(&pattern(MUCH)).expect("taken"), MUCH);
        }
        let start = Barrier::new(4);
        let at_once = |what: Box<dyn FnOnce() + Send>| {
            let start = &start;
            move || {
                start.wait();
                what();
            }
        };
        thread::scope(|scope| {
            scope.spawn(at_once(Box::new(|| drop(watch))));
            scope.spawn(at_once(Box::new(|| drop(server))));
            scope.spawn(at_once(Box::new(|| drop(listening))));
            scope.spawn(at_once(Box::new(|| drop(peer))));
        });
    }
    // The peer has gone as well, so that nobody waits for what does not end.
    assert!(begin.elapsed() < DEADLINE, "{:?}", begin.elapsed());
}
