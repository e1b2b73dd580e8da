//! An echo server that opens no socket: its listener is descriptor 3, which the host has opened.
//! That is all that standard preview 1 has of sockets, so a build without the feature `wasmedge`
//! serves in any host of it. Natively whoever starts it can hand over a listener as well.
//!
//! It serves until a client's first words are `quit`, and then tells what it has seen.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::FromRawFd;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

/// The first descriptor after the standard streams.
const PREOPENED: i32 = 3;
const LISTENER: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const QUIT: &[u8] = b"quit";

/// What has become of the connections.
#[derive(Default)]
struct Seen {
    accepted: usize,
    ended: usize,
    failed: usize,
}

/// What becomes of one connection.
enum Progress {
    /// There is nothing to do for now.
    Blocked,
    /// All was sent back, and the client sends no more.
    Ended,
    Quit,
}

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
    fresh: bool,
}

fn main() -> io::Result<()> {
    // SAFETY: whoever starts this program opens the descriptor for it, and nobody else here uses
    // it. If there is none, the next call fails.
    let listener = unsafe { std::net::TcpListener::from_raw_fd(PREOPENED) };
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    let mut connections = HashMap::new();
    let mut seen = Seen::default();
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let token = event.token();
            if token == LISTENER {
                accept(&listener, poll.registry(), &mut connections, &mut seen)?;
                continue;
            }
            let Some(connection) = connections.get_mut(&token) else {
                continue;
            };
            match connection.progress() {
                Ok(Progress::Blocked) => continue,
                Ok(Progress::Ended) => seen.ended += 1,
                Ok(Progress::Quit) => return tell(&seen),
                Err(_) => seen.failed += 1,
            }
            // To drop a stream is enough: it needs no deregistration.
            connections.remove(&token);
        }
    }
}

fn tell(seen: &Seen) -> io::Result<()> {
    let Seen {
        accepted,
        ended,
        failed,
    } = seen;
    println!("{accepted} accepted, {ended} ended, {failed} failed");
    io::stdout().flush()
}

/// Accepts all that wait, until that would block.
fn accept(
    listener: &TcpListener,
    registry: &Registry,
    connections: &mut HashMap<Token, Connection>,
    seen: &mut Seen,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            // Where it comes from is not known here: preview 1 has no call that tells.
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        seen.accepted += 1;
        let token = Token(seen.accepted);
        registry.register(&mut stream, token, BOTH)?;
        let connection = Connection {
            stream,
            unsent: Vec::new(),
            fresh: true,
        };
        connections.insert(token, connection);
    }
}

impl Connection {
    /// Reads and sends back in turns, until one of the two would block.
    fn progress(&mut self) -> io::Result<Progress> {
        let mut buffer = [0; 4096];
        loop {
            let moved = match self.unsent.is_empty() {
                true => self.stream.read(&mut buffer),
                false => self.stream.write(&self.unsent),
            };
            let count = match moved {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Progress::Blocked);
                }
                Err(error) => return Err(error),
            };
            if !self.unsent.is_empty() {
                self.unsent.drain(..count);
            } else if count == 0 {
                return Ok(Progress::Ended);
            } else if self.fresh && buffer[..count] == *QUIT {
                return Ok(Progress::Quit);
            } else {
                self.unsent.extend(&buffer[..count]);
            }
            self.fresh = false;
        }
    }
}
