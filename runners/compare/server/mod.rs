//! The measured server: one source, compiled with each of the libraries that are compared.
//!
//! It is written as Mio's documentation asks: sockets do not block, every event is answered by
//! accepting or reading until that would block, and a socket without room for a reply is written
//! to again when there is some. Once warm it allocates nothing itself, neither for a request nor
//! for a connection, so what it counts is the library's.

mod options;
mod stats;
mod table;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::process::{self, ExitCode};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::protocol;
use crate::sizes::{self, BODY, HEADER};
use options::{Options, Workload};
use stats::Stats;
use table::{Connection, Stage, Table};

const LISTENER: Token = Token(0);
const DATAGRAMS: Token = Token(1);
const EVENTS: usize = 1024;
const BUFFER: usize = 64 * 1024;
const BODY_BYTES: [u8; BODY] = sizes::body();

/// Answers the datagrams that wait and says how many there were.
pub type Answer = Box<dyn FnMut(&Registry) -> io::Result<u64>>;
/// Opens a UDP socket and registers it.
pub type OpenUdp = fn(&Registry, Token) -> io::Result<(SocketAddr, Answer)>;

/// `open_udp` is for a library that has UDP on this target.
pub fn main(open_udp: Option<OpenUdp>) -> ExitCode {
    let told = Options::parse(std::env::args().skip(1)).and_then(|options| {
        if options.workload == Workload::Udp && open_udp.is_none() {
            return Err("this version of Mio has no UDP sockets on this target".into());
        }
        let served = Server::open(options, open_udp).and_then(|mut server| server.serve());
        served.map_err(|error| format!("serving: {error}"))
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    datagrams: Option<Answer>,
    table: Table,
    work: Work,
}

/// All that serving one connection needs besides the connection.
struct Work {
    options: Options,
    stats: Stats,
    buffer: Box<[u8]>,
}

impl Server {
    /// Says on the standard output where it listens.
    fn open(options: Options, open_udp: Option<OpenUdp>) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        let port = listener.local_addr()?.port();
        let mut datagrams = None;
        if let (Workload::Udp, Some(open)) = (options.workload, open_udp) {
            let (address, answer) = open(registry, DATAGRAMS)?;
            println!("listening 127.0.0.1:{}", address.port());
            println!("control 127.0.0.1:{port}");
            datagrams = Some(answer);
        } else {
            println!("listening 127.0.0.1:{port}");
        }
        io::stdout().flush()?;
        Ok(Server {
            poll,
            listener,
            datagrams,
            table: Table::new(),
            work: Work {
                options,
                stats: Stats::default(),
                buffer: vec![0; BUFFER].into_boxed_slice(),
            },
        })
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            self.work.stats.polls += 1;
            match self.poll.poll(&mut events, self.work.options.tick) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    DATAGRAMS => self.answer()?,
                    token => self.progress(token)?,
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let (stream, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    // It was gone before it was accepted, which concerns nobody else.
                    ErrorKind::ConnectionAborted
                    | ErrorKind::ConnectionReset
                    | ErrorKind::NotConnected
                    | ErrorKind::Interrupted => continue,
                    _ => return Err(error),
                },
            };
            self.work.stats.connections += 1;
            let (token, connection) = self.table.insert(stream);
            let registry = self.poll.registry();
            registry.register(&mut connection.stream, token, Interest::READABLE)?;
        }
    }

    fn answer(&mut self) -> io::Result<()> {
        if let Some(answer) = &mut self.datagrams {
            self.work.stats.requests += answer(self.poll.registry())?;
        }
        Ok(())
    }

    /// An event may be older than the connection that has its token now, which costs no more
    /// than a read in vain. So it does not matter what kind it is.
    fn progress(&mut self, token: Token) -> io::Result<()> {
        let Some(connection) = self.table.get(token) else {
            return Ok(());
        };
        let registry = self.poll.registry();
        let blocked = !connection.unsent.is_empty();
        let open = if blocked {
            flush(connection)
        } else {
            self.work.read(connection)
        };
        // What became of one connection is its own affair: it is closed.
        if !matches!(open, Ok(true)) {
            if let Some(mut stream) = self.table.remove(token) {
                self.work.stats.connections -= 1;
                registry.deregister(&mut stream)?;
            }
        } else if blocked == connection.unsent.is_empty() {
            let interest = match blocked {
                true => Interest::READABLE,
                false => Interest::WRITABLE,
            };
            registry.reregister(&mut connection.stream, token, interest)?;
        }
        Ok(())
    }
}

impl Work {
    /// Reads and serves until the socket would block, in either direction. Says whether the
    /// connection stays open.
    fn read(&mut self, connection: &mut Connection) -> io::Result<bool> {
        loop {
            let length = match connection.stream.read(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(length) => length,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(true),
                    ErrorKind::Interrupted => continue,
                    _ => return Err(error),
                },
            };
            if connection.stage == Stage::Fresh {
                connection.stage = Stage::Serving;
                self.control(connection)?;
            }
            if connection.stage == Stage::Serving {
                self.reply(connection, length)?;
            }
            if !connection.unsent.is_empty() {
                return Ok(true);
            }
            if connection.stage == Stage::Closing {
                return Ok(false);
            }
            if !self.options.drain && length < self.buffer.len() {
                return Ok(true);
            }
        }
    }

    /// Does what a connection's first byte asks for, if it is not the workload.
    fn control(&mut self, connection: &mut Connection) -> io::Result<()> {
        match self.buffer[0] {
            protocol::STATS => {
                connection.stage = Stage::Closing;
                self.stats.connections -= 1;
                let line = self.stats.line();
                self.stats.connections += 1;
                send(connection, line.bytes())
            }
            protocol::STOP => process::exit(0),
            _ => Ok(()),
        }
    }

    /// Replies to the first `length` bytes of the buffer.
    fn reply(&mut self, connection: &mut Connection, length: usize) -> io::Result<()> {
        let size = self.options.workload.request();
        let received = connection.received + length as u32;
        let complete = received / size;
        connection.received = received % size;
        self.stats.requests += u64::from(complete);
        if self.options.workload != Workload::Response {
            if self.options.workload == Workload::Churn && complete > 0 {
                connection.stage = Stage::Closing;
            }
            return send(connection, &self.buffer[..length]);
        }
        for request in 1..=complete {
            let end = (request * size - (received - length as u32)) as usize;
            respond(connection, self.buffer[end - 1])?;
        }
        Ok(())
    }
}

/// Sends, and keeps what the socket has no room for.
fn send(connection: &mut Connection, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() && connection.unsent.is_empty() {
        match connection.stream.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) => keep(connection, error, &[bytes])?,
        }
    }
    Ok(())
}

/// Sends a header and a body by one call, if the library can.
fn respond(connection: &mut Connection, last: u8) -> io::Result<()> {
    let header = [last; HEADER];
    if !connection.unsent.is_empty() {
        return keep(
            connection,
            ErrorKind::WouldBlock.into(),
            &[&header, &BODY_BYTES],
        );
    }
    let mut sent = 0;
    while sent < HEADER + BODY && connection.unsent.is_empty() {
        let rest = [
            &header[sent.min(HEADER)..],
            &BODY_BYTES[sent.saturating_sub(HEADER)..],
        ];
        match connection.stream.write_vectored(&rest.map(IoSlice::new)) {
            Ok(more) => sent += more,
            Err(error) => keep(connection, error, &rest)?,
        }
    }
    Ok(())
}

/// Keeps what is not sent where the reason is that the socket has no room.
fn keep(connection: &mut Connection, error: io::Error, rest: &[&[u8]]) -> io::Result<()> {
    match error.kind() {
        ErrorKind::WouldBlock => {
            for piece in rest {
                connection.unsent.extend_from_slice(piece);
            }
            Ok(())
        }
        ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

/// Sends what was kept, until the socket would block. Says whether the connection stays open.
fn flush(connection: &mut Connection) -> io::Result<bool> {
    while !connection.unsent.is_empty() {
        match connection.stream.write(&connection.unsent) {
            Ok(sent) => drop(connection.unsent.drain(..sent)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(true),
                ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
    Ok(connection.stage != Stage::Closing)
}
