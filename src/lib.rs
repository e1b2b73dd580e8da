//! Non-blocking I/O for programs inside WebAssembly, and for the same programs outside of it.
//!
//! A [`Poll`] waits for many sockets at once and tells which of them are ready; the sockets of
//! [`net`] never wait. This is Mio's API, at version 1.2. Built for `wasm32-wasip1` it runs in
//! WasmEdge, and natively it runs on Linux: the program is the same, line by line.
//!
//! ```no_run
//! use mio::net::TcpListener;
//! use mio::{Events, Interest, Poll, Token};
//! use std::io::{self, ErrorKind, Write};
//!
//! fn main() -> io::Result<()> {
//!     let mut poll = Poll::new()?;
//!     let mut events = Events::with_capacity(64);
//!     let mut listener = TcpListener::bind("127.0.0.1:8080".parse().unwrap())?;
//!     poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
//!     loop {
//!         poll.poll(&mut events, None)?;
//!         for _event in &events {
//!             loop {
//!                 match listener.accept() {
//!                     Ok((mut stream, _peer)) => drop(stream.write(b"Hello from within!\n")),
//!                     Err(error) if error.kind() == ErrorKind::WouldBlock => break,
//!                     Err(error) => return Err(error),
//!                 }
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! The [guide] tells how such a loop is built so that it lasts.
//!
//! # Hosts
//!
//! | | WASI: WasmEdge 0.14 and newer | Linux, Android |
//! |---|---|---|
//! | waits with | `poll_oneoff` | epoll |
//! | events | edges, made by the library | edges, made by the kernel |
//! | TCP, UDP | yes | yes |
//! | nodelay, TTL, multicast | no: WasmEdge has no call for them | yes |
//! | Unix sockets | where started with `--allow-af-unix` | yes |
//! | pipes and other descriptors | no | feature `os-ext` |
//! | [`Waker`] | within the one thread | from any thread |
//!
//! Every item that differs between hosts says so under "Hosts". What a host lacks is there all
//! the same, and answers an error of kind [`Unsupported`](std::io::ErrorKind::Unsupported) that
//! names what would be needed. Which [features] take part is the program's choice.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod error;
pub mod event;
mod interest;
#[cfg(any(feature = "net", all(unix, feature = "os-ext")))]
mod io_source;
mod log;
mod poll;
mod ready;
mod sys;
mod token;
mod waker;

#[cfg(feature = "net")]
pub mod net;

#[cfg(all(unix, feature = "os-ext"))]
pub mod unix;

pub mod features {
    //! What each Cargo feature adds.
    //!
    //! | feature | default | adds |
    //! |---|---|---|
    //! | `os-poll` | yes | [`Poll`](crate::Poll) and [`Waker`](crate::Waker) that work |
    //! | `net` | yes | `mio::net`: TCP, UDP and Unix sockets; implies `os-poll` |
    //! | `os-ext` | no | `mio::unix`, on Unix: pipes, any descriptor; implies `os-poll` |
    //! | `wasmedge` | yes | on WASI: WasmEdge's socket calls |
    //! | `log` | yes | a line by the `log` crate for each registration |
    //!
    //! Without `os-poll` the types are there, so that a library can name them, and
    //! [`Poll::new`](crate::Poll::new) is an error of kind `Unsupported`.
    //!
    //! Without `wasmedge` a module imports nothing beyond standard WASI preview 1, and runs in
    //! hosts that know no more. It can serve what the host has opened for it: a listener, taken
    //! over by `from_raw_fd`, accepts, and its connections read and write. `bind` and `connect`
    //! are `Unsupported`. With it, too, a module imports only the calls that it uses.
    //!
    //! On other hosts `wasmedge` changes nothing, and on WASI neither does `os-ext`.
}

pub mod guide {
    //! How to write an event loop.
    //!
    //! # The loop
    //!
    //! A program makes one [`Poll`](crate::Poll) and one [`Events`](crate::Events), registers its
    //! sources, and then does nothing but wait and answer. Each source gets a
    //! [`Token`](crate::Token), a number that its events carry; what belongs to the number is the
    //! program's business: often an index, or a key of a map.
    //!
    //! ```no_run
    //! use mio::{Events, Poll, Token};
    //! use std::io::{self, ErrorKind};
    //!
    //! const LISTENER: Token = Token(0);
    //!
    //! fn run(poll: &mut Poll) -> io::Result<()> {
    //!     let mut events = Events::with_capacity(256);
    //!     loop {
    //!         match poll.poll(&mut events, None) {
    //!             Err(error) if error.kind() == ErrorKind::Interrupted => continue,
    //!             result => result?,
    //!         }
    //!         for event in &events {
    //!             match event.token() {
    //!                 LISTENER => { /* accept */ }
    //!                 Token(_client) if event.is_readable() => { /* read, see below */ }
    //!                 Token(_client) => { /* write */ }
    //!             }
    //!         }
    //!     }
    //! }
    //! ```
    //!
    //! # The one rule
    //!
    //! An event tells of a change, once. So answer it in full: accept, read or write again and
    //! again, until the call says [`WouldBlock`](std::io::ErrorKind::WouldBlock). Who stops
    //! earlier keeps in mind that there is more, since no event will remind him.
    //!
    //! And an event is a hint. It may be spurious, or belong to a connection that has been closed
    //! in the same round. The call that it suggests tells the truth, and `WouldBlock` is an
    //! everyday answer.
    //!
    //! # Accepting
    //!
    //! ```no_run
    //! use mio::net::{TcpListener, TcpStream};
    //! use mio::{Interest, Registry, Token};
    //! use std::collections::HashMap;
    //! use std::io::{self, ErrorKind};
    //!
    //! fn accept(
    //!     listener: &TcpListener,
    //!     registry: &Registry,
    //!     clients: &mut HashMap<Token, TcpStream>,
    //!     next: &mut usize,
    //! ) -> io::Result<()> {
    //!     loop {
    //!         let mut stream = match listener.accept() {
    //!             Ok((stream, _peer)) => stream,
    //!             Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
    //!             Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
    //!             Err(error) => return Err(error), // Worth a message, not the end of a server.
    //!         };
    //!         *next += 1;
    //!         registry.register(&mut stream, Token(*next), Interest::READABLE)?;
    //!         clients.insert(Token(*next), stream);
    //!     }
    //! }
    //! ```
    //!
    //! # Reading
    //!
    //! `Ok(0)` is the end: the peer sends no more. It may still wait for an answer.
    //!
    //! ```no_run
    //! use mio::net::TcpStream;
    //! use std::io::{self, ErrorKind, Read};
    //!
    //! /// Takes all that is there. Says whether the peer may send more.
    //! fn read(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<bool> {
    //!     let mut buf = [0; 4096];
    //!     loop {
    //!         match stream.read(&mut buf) {
    //!             Ok(0) => return Ok(false),
    //!             Ok(length) => input.extend_from_slice(&buf[..length]),
    //!             Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
    //!             Err(error) if error.kind() == ErrorKind::Interrupted => {}
    //!             Err(error) => return Err(error),
    //!         }
    //!     }
    //! }
    //! ```
    //!
    //! # Writing
    //!
    //! Write at once, without waiting for an event: there is nearly always room. Only what did not
    //! fit is kept for the next writable event. A stream that is registered for
    //! `READABLE | WRITABLE` from the start needs no reregistering for that, and does not spin
    //! while there is room.
    //!
    //! ```no_run
    //! use mio::net::TcpStream;
    //! use std::io::{self, ErrorKind, Write};
    //!
    //! /// Sends as much of `output` as there is room for, and leaves the rest in it.
    //! fn write(stream: &mut TcpStream, output: &mut Vec<u8>) -> io::Result<()> {
    //!     while !output.is_empty() {
    //!         match stream.write(output) {
    //!             Ok(length) => drop(output.drain(..length)),
    //!             Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
    //!             Err(error) if error.kind() == ErrorKind::Interrupted => {}
    //!             Err(error) => return Err(error),
    //!         }
    //!     }
    //!     Ok(())
    //! }
    //! ```
    //!
    //! # Connecting
    //!
    //! [`TcpStream::connect`](crate::net::TcpStream::connect) returns before there is a
    //! connection. Register the stream for `WRITABLE`, and at its events ask how it went:
    //!
    //! ```no_run
    //! use mio::net::TcpStream;
    //! use std::io::{self, ErrorKind};
    //!
    //! /// Whether the connection is made; `false` is not yet.
    //! fn connected(stream: &TcpStream) -> io::Result<bool> {
    //!     if let Some(error) = stream.take_error()? {
    //!         return Err(error);
    //!     }
    //!     match stream.peer_addr() {
    //!         Ok(_) => Ok(true),
    //!         Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
    //!         Err(error) => Err(error),
    //!     }
    //! }
    //! ```
    //!
    //! # Ending
    //!
    //! Dropping a socket deregisters and closes it. Events that the last poll has reported for it
    //! are still in `Events`: look the token up, and pass over what is gone.
    //!
    //! An error of one connection ends that connection, and nothing else.
    //!
    //! # Time, and other work
    //!
    //! Timers are the program's: keep a list of moments, and give the time until the first of them
    //! to [`Poll::poll`](crate::Poll::poll). It returns with no event when that time has passed. A
    //! [`Waker`](crate::Waker) ends a poll for work that no socket tells of: from another thread,
    //! or, in a guest, from the loop's own body, when something should happen in its next round.
    //!
    //! # Inside WebAssembly
    //!
    //! A guest is one thread, so whatever waits makes all connections wait. Above all:
    //!
    //! - No `std::thread::sleep`: give `poll` a timeout. In WasmEdge a sleep also makes the host
    //!   forget which sockets it watches, so that the next poll tells it all over again.
    //! - No socket of `std::net`, nor one that blocks. The writing of std's `TcpStream` goes by
    //!   `fd_write`, and in WasmEdge up to 0.17 such a write to a connection that the peer has
    //!   closed ends the whole process, by a signal. Hand such a socket over by `from_std`, and
    //!   write to ours.
    //! - Write what belongs together by one call, or by
    //!   [`write_vectored`](std::io::Write::write_vectored): Nagle's algorithm cannot be switched
    //!   off there.
    //! - The cost of a poll grows with what is registered and not yet reported. Register for what
    //!   is awaited.
    //!
    //! Natively all of this is good practice, too, and the program stays the same.
}

pub use event::Events;
pub use interest::Interest;
pub use poll::{Poll, Registry};
pub use token::Token;
pub use waker::Waker;
