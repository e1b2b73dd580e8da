//! Non-blocking I/O for programs inside WebAssembly, and for the same programs outside of it.
//!
//! A [`Poll`] waits for many sockets at once and tells which of them are ready; the sockets of
//! [`net`] never wait. This is Mio's API, at version 1.2. Built for `wasm32-wasip1` it runs in
//! WasmEdge, for `wasm32-wasip2` in hosts of components, and natively on Linux: the program is the
//! same, line by line.
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
//! The [guide] tells how such a loop is built so that it lasts. Programs on tokio have theirs
//! already, and get their sockets by [`handover`].
//!
//! # Hosts
//!
//! | | WASI: WasmEdge 0.14 and newer | `wasm32-wasip2` | Linux, Android |
//! |---|---|---|---|
//! | waits with | `poll_oneoff` | `poll(2)` | epoll |
//! | events | edges, made by the library | the same | edges, made by the kernel |
//! | TCP, UDP | yes | yes | yes |
//! | nodelay, TTL, multicast | no: WasmEdge has no call for them | no multicast | yes |
//! | Unix sockets | where started with `--allow-af-unix` | no such types | yes |
//! | pipes and other descriptors | no | no | feature `os-ext` |
//! | [`Waker`] | within the one thread | the same | from any thread |
//!
//! Every item that differs between hosts, or its type, says so under "Hosts". What a host lacks is
//! there all the same, and answers an error of kind
//! [`Unsupported`](std::io::ErrorKind::Unsupported) that names what would be needed. Which
//! [features] take part is the program's choice.
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[cfg(any(feature = "net", all(unix, feature = "os-ext")))]
#[macro_use]
mod forward;
#[cfg(any(feature = "net", all(unix, feature = "os-ext")))]
mod io_source;

mod error;
pub mod event;
mod interest;
mod log;
mod poll;
mod ready;
mod sys;
mod token;
mod waker;

#[cfg(feature = "net")]
pub mod handover;
#[cfg(feature = "net")]
pub mod net;

#[cfg(all(unix, feature = "os-ext"))]
pub mod unix;
#[cfg(all(windows, feature = "os-ext"))]
pub mod windows;

#[doc = include_str!("features.md")]
pub mod features {}

#[doc = include_str!("guide.md")]
pub mod guide {}

pub use event::Events;
pub use interest::Interest;
pub use poll::{Poll, Registry};
pub use token::Token;
pub use waker::Waker;
