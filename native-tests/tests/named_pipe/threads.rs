//! Completions that race with calls of other threads.

use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc;
use std::thread;

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

/// A reader and a writer of one pipe, neither of them the thread that polls.
#[test]
fn two_threads_share_a_pipe() {
    const ALL: usize = 500_000;
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    let echo = thread::spawn(move || {
        let mut room = vec![0; 20_000];
        let mut left = ALL;
        while left > 0 {
            let count = peer.read(&mut room).expect("a writer");
            assert_ne!(count, 0, "the end, {left} bytes too early");
            peer.write_all(&room[..count]).expect("a reader");
            left -= count;
        }
    });
    let sent = pattern(ALL);
    let (wrote, may_write) = mpsc::channel();
    let (came, may_read) = mpsc::channel();
    let (done, finished) = mpsc::channel();
    thread::scope(|scope| {
        let (server, sent) = (&server, &sent);
        let done_too = done.clone();
        scope.spawn(move || {
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let piece = rest.len().min(3_000);
                match { server }.write(&rest[..piece]) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        may_write.recv_timeout(DEADLINE).expect("an event")
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            done_too.send(()).expect("the poll's thread");
        });
        scope.spawn(move || {
            let mut all: Vec<u8> = Vec::new();
            let mut room = [0; 1_000];
            while all.len() < ALL {
                match { server }.read(&mut room) {
                    Ok(count) => all.extend(&room[..count]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        may_read.recv_timeout(DEADLINE).expect("an event")
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            assert!(all == *sent);
            done.send(()).expect("the poll's thread");
        });
        let mut events = mio::Events::with_capacity(8);
        let mut left = 2;
        while left > 0 {
            let step = Some(std::time::Duration::from_millis(5));
            watch.poll.poll(&mut events, step).expect("a poll");
            for event in &events {
                // Who is done listens no longer.
                if event.is_writable() {
                    let _ = wrote.send(());
                }
                if event.is_readable() {
                    let _ = came.send(());
                }
            }
            match finished.try_recv() {
                Ok(()) => left -= 1,
                Err(mpsc::TryRecvError::Empty) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    echo.join().expect("no panic");
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
    let mut events = mio::Events::with_capacity(4);
    while !dropping.is_finished() {
        let step = Some(std::time::Duration::from_millis(1));
        watch.poll.poll(&mut events, step).expect("a poll");
    }
    dropping.join().expect("no panic");
    // It still works.
    let (server, mut peer) = connected(&mut watch);
    write_all(&mut watch, SERVER, &server, b"x");
    peer.write_all(b"y").expect("room");
    assert_eq!(read_exact(&mut watch, SERVER, &server, 1), b"y");
}
