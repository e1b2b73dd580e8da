//! Echo over TCP and UDP: one source for a guest in WasmEdge and for Linux.
//!
//! ```sh
//! cargo guest run --release --example echo -- --tcp 127.0.0.1:7007 --udp 127.0.0.1:7007
//! cargo run --release --example echo -- --tcp 127.0.0.1:7007 --udp 127.0.0.1:7007
//! printf 'hello\n' | nc -N 127.0.0.1 7007
//! ```
//!
//! It prints where it listens and serves until it is stopped.

use std::collections::{HashMap, VecDeque};
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
const DATAGRAMS: Token = Token(1);
const FIRST_CONNECTION: usize = 2;

/// A connection's unsent bytes; reading stops while there are more than this.
const HIGH_WATER: usize = 256 * 1024;

fn main() -> io::Result<()> {
    let (tcp, udp) = arguments()?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(tcp)?;
    let mut datagrams = Datagrams::bind(udp)?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry()
        .register(&mut datagrams.socket, DATAGRAMS, both)?;
    println!("listening tcp {}", listener.local_addr()?);
    println!("listening udp {}", datagrams.socket.local_addr()?);
    io::stdout().flush()?;

    let mut events = Events::with_capacity(1024);
    let mut connections = HashMap::new();
    let mut next = FIRST_CONNECTION;
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                LISTENER => accept(&poll, &listener, &mut connections, &mut next)?,
                DATAGRAMS => datagrams.serve(),
                token => serve(event, token, &mut connections),
            }
        }
    }
}

fn arguments() -> io::Result<(SocketAddr, SocketAddr)> {
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); 2];
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let address = words.next().and_then(|word| word.parse().ok());
        match (word.as_str(), address) {
            ("--tcp", Some(address)) => addresses[0] = address,
            ("--udp", Some(address)) => addresses[1] = address,
            _ => {
                let usage = "usage: echo [--tcp ADDRESS:PORT] [--udp ADDRESS:PORT]";
                return Err(io::Error::new(ErrorKind::InvalidInput, usage));
            }
        }
    }
    Ok((addresses[0], addresses[1]))
}

/// Takes every connection that waits: the next event tells of later ones.
fn accept(
    poll: &Poll,
    listener: &TcpListener,
    connections: &mut HashMap<Token, Connection>,
    next: &mut usize,
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                let token = Token(*next);
                *next += 1;
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, token, both)?;
                connections.insert(token, Connection::new(stream));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                eprintln!("accept: {error}");
                return Ok(());
            }
        }
    }
}

fn serve(event: &Event, token: Token, connections: &mut HashMap<Token, Connection>) {
    let Some(connection) = connections.get_mut(&token) else {
        return;
    };
    let done = match connection.serve() {
        Ok(done) => done,
        Err(error) => {
            eprintln!("{token:?}: {error}");
            true
        }
    };
    if done || event.is_write_closed() {
        connections.remove(&token);
    }
}

struct Connection {
    stream: TcpStream,
    unsent: VecDeque<u8>,
    ended: bool,
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        Connection {
            stream,
            unsent: VecDeque::new(),
            ended: false,
        }
    }

    /// Moves bytes until the socket blocks; says whether the connection is over.
    fn serve(&mut self) -> io::Result<bool> {
        loop {
            let sent = self.send()?;
            let received = self.receive()?;
            if self.ended && self.unsent.is_empty() {
                return Ok(true);
            }
            if !sent && !received {
                return Ok(false);
            }
        }
    }

    fn send(&mut self) -> io::Result<bool> {
        if self.unsent.is_empty() {
            return Ok(false);
        }
        let (front, back) = self.unsent.as_slices();
        let pieces = [io::IoSlice::new(front), io::IoSlice::new(back)];
        let sent = ready((&self.stream).write_vectored(&pieces))?;
        self.unsent.drain(..sent.unwrap_or(0));
        Ok(sent.is_some())
    }

    fn receive(&mut self) -> io::Result<bool> {
        if self.ended || self.unsent.len() > HIGH_WATER {
            return Ok(false);
        }
        let mut buffer = [0; 16 * 1024];
        let received = ready((&self.stream).read(&mut buffer))?;
        self.ended = received == Some(0);
        self.unsent.extend(&buffer[..received.unwrap_or(0)]);
        Ok(received.is_some())
    }
}

struct Datagrams {
    socket: UdpSocket,
    /// A reply for which the socket had no room yet.
    unsent: Option<(Vec<u8>, SocketAddr)>,
}

impl Datagrams {
    fn bind(address: SocketAddr) -> io::Result<Datagrams> {
        let socket = UdpSocket::bind(address)?;
        let unsent = None;
        Ok(Datagrams { socket, unsent })
    }

    /// Answers until the socket blocks. An error concerns one datagram, and the others wait; one
    /// that never ends is left to the next event.
    fn serve(&mut self) {
        let mut errors = 0;
        while errors < 16 {
            match self.answer() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    eprintln!("udp: {error}");
                    errors += 1;
                }
            }
        }
    }

    /// Moves one datagram; says whether there was one and it could go.
    fn answer(&mut self) -> io::Result<bool> {
        if let Some((reply, to)) = &self.unsent {
            if ready(self.socket.send_to(reply, *to))?.is_none() {
                return Ok(false);
            }
            self.unsent = None;
        }
        let mut buffer = [0; 65_536];
        let Some((length, from)) = ready(self.socket.recv_from(&mut buffer))? else {
            return Ok(false);
        };
        let reply = &buffer[..length];
        let sent = ready(self.socket.send_to(reply, from))?;
        if sent.is_none() {
            self.unsent = Some((reply.to_vec(), from));
        }
        Ok(sent.is_some())
    }
}

/// `None` where the call would have blocked.
fn ready<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
