//! The loops whose instructions `tests/instructions.rs` counts: `loops NAME ROUNDS` runs one, and
//! without arguments it names them. This package builds it over this library, and `upstream/`
//! over mio itself, from the same lines.

use std::hint::black_box;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use mio::net::UnixStream;
use mio::unix::pipe::Receiver;
use mio::{Events, Interest, Poll, Token};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Whether the queue is one that forgets, of either library.
const LEVEL: bool = cfg!(mio_unsupported_force_poll_poll);

type Loop = (&'static str, fn(usize));

/// The first is the part of the polls that is not theirs, which the test takes off.
const LOOPS: [Loop; 6] = [
    ("making ready", |rounds| poll(64, rounds, false)),
    ("register, deregister", register),
    ("reregister", reregister),
    ("poll, 1 ready", |rounds| poll(1, rounds, true)),
    ("poll, 64 ready", |rounds| poll(64, rounds, true)),
    ("write, read, would block, try_io", io),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        LOOPS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
    let found = LOOPS.iter().find(|(known, _)| *known == name);
    match found.zip(rounds) {
        Some(((_, run), rounds)) => run(rounds),
        None => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

fn register(rounds: usize) {
    let poll = Poll::new().unwrap();
    let (mut stream, _peer) = UnixStream::pair().unwrap();
    for round in 0..rounds {
        poll.registry()
            .register(&mut stream, Token(round), BOTH)
            .unwrap();
        poll.registry().deregister(&mut stream).unwrap();
    }
}

fn reregister(rounds: usize) {
    let poll = Poll::new().unwrap();
    let (mut stream, _peer) = UnixStream::pair().unwrap();
    poll.registry()
        .register(&mut stream, Token(0), BOTH)
        .unwrap();
    for round in 0..rounds {
        poll.registry()
            .reregister(&mut stream, Token(round), BOTH)
            .unwrap();
    }
}

/// Polls with `ready` sources that have an event in every round: all are one counter of the
/// kernel under many descriptors, so adding to it once is a new edge for each of them. poll(2)
/// knows no edges: there each source is read once, and then once more, when it would block.
fn poll(ready: usize, rounds: usize, polling: bool) {
    // SAFETY: numbers go in, and a descriptor that nobody else has comes out.
    let counter =
        unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_SEMAPHORE)) };
    let clone = || Receiver::from(counter.try_clone().unwrap());
    let mut sources: Vec<Receiver> = (0..ready).map(|_| clone()).collect();
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(128);
    for (number, source) in sources.iter_mut().enumerate() {
        poll.registry()
            .register(source, Token(number), Interest::READABLE)
            .unwrap();
    }
    let each = (ready as u64).to_ne_bytes();
    let mut served = 0;
    for _ in 0..rounds {
        // SAFETY: the eight bytes are there, and `counter` keeps its descriptor open.
        let added = unsafe { libc::write(counter.as_raw_fd(), each.as_ptr().cast(), 8) };
        assert_eq!(added, 8);
        if !polling {
            continue;
        }
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        // As servers do: two questions, and work that the compiler knows nothing of.
        for event in &events {
            if event.is_readable() {
                let Token(number) = black_box(event.token());
                if LEVEL {
                    sources[number].read_exact(&mut [0; 8]).unwrap();
                }
                served += 1;
            }
            if event.is_writable() {
                black_box(event.token());
                served -= 1;
            }
        }
        for source in sources.iter_mut().filter(|_| LEVEL) {
            assert!(source.read(&mut [0; 8]).is_err());
        }
    }
    let expected = if polling { ready * rounds } else { 0 };
    assert_eq!(served, expected);
}

/// A byte there, a byte back, and the read that would block, through the types' own I/O.
fn io(rounds: usize) {
    let poll = Poll::new().unwrap();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    poll.registry().register(&mut near, Token(0), BOTH).unwrap();
    poll.registry().register(&mut far, Token(1), BOTH).unwrap();
    let mut buffer = [0; 16];
    for _ in 0..rounds {
        assert_eq!(near.write(b"x").unwrap(), 1);
        assert_eq!(far.read(&mut buffer).unwrap(), 1);
        assert!(far.read(&mut buffer).is_err());
        assert!(near.try_io(|| Ok(())).is_ok());
    }
}
