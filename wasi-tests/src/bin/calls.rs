//! One kind of operation, many times, for others to count what the host is asked meanwhile.
//!
//! `calls KIND COUNT` prepares, prints `begin`, makes COUNT operations, and prints `end`. In
//! between it asks the host nothing but what the library does for those operations. Then it prints
//! `counts` and [`HOST_CALLS`], which only a program that has been rewritten to count adds to.
//! `calls idle COUNT` is different: it registers COUNT connections, prints `idle`, and waits.

use std::env;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};

/// How often each of the module's imports was called, in their order.
#[unsafe(no_mangle)]
pub static HOST_CALLS: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A kind of operation, and what prepares and makes so many of it.
type Kind = (&'static str, fn(usize) -> io::Result<()>);

const KINDS: &[Kind] = &[
    ("nothing", |_| measured(|| Ok(()))),
    ("connect", connect),
    ("accept", accept),
    ("close", |count| close(count, false)),
    ("close registered", |count| close(count, true)),
    ("read", |count| read(count, count)),
    ("read nothing", |count| read(count, 0)),
    ("send, poll and read until it would block", read_up),
    ("write", write),
    ("write gathered", write_gathered),
    ("recv_from", recv_from),
    ("send_to", send_to),
    ("register and deregister", register),
    ("poll, ready", |count| poll_ready(count, None)),
    ("poll with a timeout, ready", |count| {
        poll_ready(count, Some(Duration::from_secs(9)))
    }),
    ("poll at once", |count| poll_idle(count, 1, Duration::ZERO)),
    ("poll at once, nothing registered", |count| {
        poll_idle(count, 0, Duration::ZERO)
    }),
    ("poll with a timeout, idle", |count| {
        poll_idle(count, 1, Duration::from_millis(1))
    }),
    ("wake and poll", wake),
    ("idle", idle),
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let (kind, count) = match &words[..] {
        [kind, count] => (kind.as_str(), count.parse().ok()),
        _ => ("", None),
    };
    let make = KINDS.iter().find(|(name, _)| *name == kind);
    let (Some((_, make)), Some(count)) = (make, count) else {
        let kinds: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
        eprintln!("usage: calls KIND COUNT, where KIND is one of {kinds:?}");
        return ExitCode::from(2);
    };
    match make(count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{kind}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the operations between the two marks.
fn measured(operations: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    say("begin\n")?;
    let before = counts();
    let result = operations();
    let after = counts();
    say("end\n")?;
    let counts = after
        .iter()
        .zip(before)
        .map(|(after, before)| after - before);
    let counts: Vec<String> = counts.map(|count| count.to_string()).collect();
    say(&format!("counts {}\n", counts.join(" ")))?;
    result
}

fn counts() -> [u32; 64] {
    HOST_CALLS
        .each_ref()
        .map(|count| count.load(Ordering::Relaxed))
}

fn say(line: &str) -> io::Result<()> {
    io::stdout().write_all(line.as_bytes())
}

fn localhost() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A listener with `count` connections in its queue, and their clients.
fn queued(count: usize) -> io::Result<(TcpListener, Vec<TcpStream>)> {
    let listener = TcpListener::bind(localhost())?;
    let address = listener.local_addr()?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1);
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = TcpStream::connect(address)?;
        poll.registry()
            .register(&mut client, Token(0), Interest::WRITABLE)?;
        // Once the client is connected, the connection is in the queue.
        poll.poll(&mut events, None)?;
        poll.registry().deregister(&mut client)?;
        clients.push(client);
    }
    Ok((listener, clients))
}

/// Connections: the clients' ends and the servers'.
fn pairs(count: usize) -> io::Result<(Vec<TcpStream>, Vec<TcpStream>)> {
    let (listener, clients) = queued(count)?;
    let servers = (0..count).map(|_| Ok(listener.accept()?.0));
    Ok((clients, servers.collect::<io::Result<_>>()?))
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let (mut clients, mut servers) = pairs(1)?;
    Ok((clients.remove(0), servers.remove(0)))
}

/// Waits until `source` is readable, at the latest when all that was sent has come.
fn until_readable(source: &mut impl mio::event::Source) -> io::Result<()> {
    let mut poll = Poll::new()?;
    poll.registry()
        .register(source, Token(0), Interest::READABLE)?;
    poll.poll(&mut Events::with_capacity(1), None)?;
    poll.registry().deregister(source)
}

fn connect(count: usize) -> io::Result<()> {
    let listener = TcpListener::bind(localhost())?;
    let address = listener.local_addr()?;
    let mut clients = Vec::with_capacity(count);
    measured(|| {
        for _ in 0..count {
            clients.push(TcpStream::connect(address)?);
        }
        Ok(())
    })
}

fn accept(count: usize) -> io::Result<()> {
    let (listener, _clients) = queued(count)?;
    let mut servers = Vec::with_capacity(count);
    measured(|| {
        for _ in 0..count {
            servers.push(listener.accept()?);
        }
        Ok(())
    })
}

fn close(count: usize, registered: bool) -> io::Result<()> {
    let (mut clients, _servers) = pairs(count)?;
    let poll = Poll::new()?;
    if registered {
        for (number, client) in clients.iter_mut().enumerate() {
            poll.registry().register(client, Token(number), BOTH)?;
        }
    }
    measured(|| {
        clients.clear();
        Ok(())
    })
}

/// Reads that give one byte each, of which there are `bytes`; or that would block.
fn read(count: usize, bytes: usize) -> io::Result<()> {
    let (mut client, mut server) = pair()?;
    if bytes > 0 {
        client.write_all(&vec![1; bytes])?;
        until_readable(&mut server)?;
    }
    measured(|| {
        for _ in 0..count {
            match server.read(&mut [0]) {
                Ok(1) if bytes > 0 => {}
                Err(error) if bytes == 0 && error.kind() == ErrorKind::WouldBlock => {}
                other => return Err(unexpected("read", other)),
            }
        }
        Ok(())
    })
}

/// What a server does for each message: a wait, a read that comes up short, and the read that
/// would block, which ends the handling of an event.
fn read_up(count: usize) -> io::Result<()> {
    let (mut client, mut server) = pair()?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(8);
    poll.registry()
        .register(&mut server, Token(0), Interest::READABLE)?;
    // The first makes the host forget what was watched before.
    poll.poll(&mut events, Some(Duration::ZERO))?;
    let mut message = || {
        client.write_all(&[1, 2, 3])?;
        poll.poll(&mut events, None)?;
        match [server.read(&mut [0; 8]), server.read(&mut [0; 8])] {
            [Ok(3), Err(error)] if error.kind() == ErrorKind::WouldBlock => Ok(()),
            other => Err(unexpected("read", other)),
        }
    };
    message()?;
    measured(|| (0..count).try_for_each(|_| message()))
}

fn write(count: usize) -> io::Result<()> {
    let (mut client, _server) = pair()?;
    measured(|| {
        for _ in 0..count {
            match client.write(&[1]) {
                Ok(1) => {}
                other => return Err(unexpected("write", other)),
            }
        }
        Ok(())
    })
}

fn write_gathered(count: usize) -> io::Result<()> {
    let (mut client, _server) = pair()?;
    let pieces = [IoSlice::new(&[1, 2]), IoSlice::new(&[3])];
    measured(|| {
        for _ in 0..count {
            match client.write_vectored(&pieces) {
                Ok(3) => {}
                other => return Err(unexpected("write_vectored", other)),
            }
        }
        Ok(())
    })
}

fn recv_from(count: usize) -> io::Result<()> {
    let (sender, mut receiver) = (UdpSocket::bind(localhost())?, UdpSocket::bind(localhost())?);
    let address = receiver.local_addr()?;
    for _ in 0..count {
        sender.send_to(&[1], address)?;
    }
    until_readable(&mut receiver)?;
    measured(|| {
        for _ in 0..count {
            receiver.recv_from(&mut [0])?;
        }
        Ok(())
    })
}

fn send_to(count: usize) -> io::Result<()> {
    let (sender, receiver) = (UdpSocket::bind(localhost())?, UdpSocket::bind(localhost())?);
    let address = receiver.local_addr()?;
    measured(|| {
        for _ in 0..count {
            sender.send_to(&[1], address)?;
        }
        Ok(())
    })
}

fn register(count: usize) -> io::Result<()> {
    let (mut client, _server) = pair()?;
    let poll = Poll::new()?;
    measured(|| {
        for _ in 0..count {
            poll.registry().register(&mut client, Token(0), BOTH)?;
            poll.registry().reregister(&mut client, Token(1), BOTH)?;
            poll.registry().deregister(&mut client)?;
        }
        Ok(())
    })
}

/// Each poll reports one source, which is put back into the list by what costs no call.
fn poll_ready(count: usize, timeout: Option<Duration>) -> io::Result<()> {
    let (mut client, mut server) = pair()?;
    client.write_all(&[1])?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(8);
    let (token, interest) = (Token(0), Interest::READABLE);
    poll.registry().register(&mut server, token, interest)?;
    // The first makes the host forget what was watched before.
    poll.poll(&mut events, timeout)?;
    poll.registry().reregister(&mut server, token, interest)?;
    measured(|| {
        for _ in 0..count {
            poll.poll(&mut events, timeout)?;
            if events.iter().count() != 1 {
                return Err(unexpected("poll", &events));
            }
            poll.registry().reregister(&mut server, token, interest)?;
        }
        Ok(())
    })
}

/// Polls that report nothing, with so many sources.
fn poll_idle(count: usize, sources: usize, timeout: Duration) -> io::Result<()> {
    let (_clients, mut servers) = pairs(sources)?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(8);
    for (number, server) in servers.iter_mut().enumerate() {
        poll.registry()
            .register(server, Token(number), Interest::READABLE)?;
    }
    // The first opens what is kept for all later ones.
    poll.poll(&mut events, Some(timeout))?;
    measured(|| {
        for _ in 0..count {
            poll.poll(&mut events, Some(timeout))?;
            if !events.is_empty() {
                return Err(unexpected("poll", &events));
            }
        }
        Ok(())
    })
}

fn wake(count: usize) -> io::Result<()> {
    let (_client, mut server) = pair()?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(8);
    poll.registry()
        .register(&mut server, Token(0), Interest::READABLE)?;
    let waker = Waker::new(poll.registry(), Token(1))?;
    poll.poll(&mut events, Some(Duration::ZERO))?;
    measured(|| {
        for _ in 0..count {
            waker.wake()?;
            poll.poll(&mut events, None)?;
            if !events.iter().map(|event| event.token()).eq([Token(1)]) {
                return Err(unexpected("poll", &events));
            }
        }
        Ok(())
    })
}

/// Waits for connections of which nothing is to be told any more.
fn idle(count: usize) -> io::Result<()> {
    let (_clients, mut servers) = pairs(count)?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(count);
    for (number, server) in servers.iter_mut().enumerate() {
        poll.registry().register(server, Token(number), BOTH)?;
    }
    let mut writable = 0;
    while writable < count {
        poll.poll(&mut events, None)?;
        writable += events.iter().filter(|event| event.is_writable()).count();
    }
    say("idle\n")?;
    poll.poll(&mut events, None)?;
    Err(unexpected("poll", &events))
}

fn unexpected(call: &str, what: impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("{call} gave {what:?}"))
}
