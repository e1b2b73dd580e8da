//! Every public item of mio 1.2.4 is here with the same path and signature. The build script
//! turns each line of the target's list in `api` into code that compiles only where the item is as
//! listed; this file adds what the lists leave out, the derived and automatic traits, and counts
//! the lines. The same file compiles against mio itself in `upstream/`, which proves the
//! assertions; `cargo runners typecheck` compiles it both ways for systems that are not at hand.

use std::fmt::Debug;
use std::hash::Hash;
use std::panic::{RefUnwindSafe, UnwindSafe};

use mio::event::{self, Event, Iter};
use mio::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use mio::net::{UnixDatagram, UnixListener, UnixStream};
#[cfg(unix)]
use mio::unix::{SourceFd, pipe};
#[cfg(windows)]
use mio::windows::NamedPipe;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

#[allow(clippy::all, reason = "generated: one shape for every line")]
mod list {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

const LIST: &str = include_str!(concat!(env!("OUT_DIR"), "/api.txt"));
/// The impls of a poller's descriptor, each of one function, which there is not with poll(2).
const LESS: usize = if cfg!(mio_unsupported_force_poll_poll) {
    3
} else {
    0
};

/// What a line of a list starts with, the kind of assertion that it must have become, and how
/// many there are: in Linux's and macOS' lists, FreeBSD's, and Windows'.
const KINDS: [(&str, &str, [usize; 3]); 10] = [
    ("pub mod ", "module", [7, 7, 6]),
    ("pub struct ", "type", [17, 17, 12]),
    ("#[repr(transparent)] pub struct ", "type", [1, 1, 1]),
    ("pub trait ", "trait", [1, 1, 1]),
    ("impl", "impl", [124 - LESS, 124, 68]),
    ("pub type ", "associated type", [6, 6, 6]),
    ("pub const mio", "constant", [3, 4, 2]),
    ("pub const fn ", "function", [6, 6, 6]),
    ("pub unsafe fn ", "function", [8, 8, 4]),
    ("pub fn ", "function", [273 - LESS, 273, 164]),
];

/// Which of the counts is this target's.
const LISTED: usize = if cfg!(windows) {
    2
} else if cfg!(target_os = "freebsd") {
    1
} else {
    0
};

#[test]
fn every_line_of_the_list_became_an_assertion_of_its_kind() {
    assert_eq!(LIST.lines().count(), list::ASSERTED.len());
    let mut seen = [0; KINDS.len()];
    for (line, asserted) in LIST.lines().zip(list::ASSERTED) {
        let kind = KINDS.iter().position(|(start, ..)| line.starts_with(start));
        let kind = kind.unwrap_or_else(|| panic!("a line of no known kind: {line}"));
        assert_eq!(KINDS[kind].1, *asserted, "{line}");
        seen[kind] += 1;
    }
    assert_eq!(seen, KINDS.map(|(.., counts)| counts[LISTED]));
}

fn automatic<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug + 'static>() {}

/// Every type can cross threads, be moved and be caught over, and says what it is.
#[test]
fn automatic_traits() {
    automatic::<Event>();
    automatic::<Events>();
    automatic::<Iter<'static>>();
    automatic::<Interest>();
    automatic::<Poll>();
    automatic::<Registry>();
    automatic::<Token>();
    automatic::<Waker>();
    automatic::<TcpListener>();
    automatic::<TcpStream>();
    automatic::<UdpSocket>();
}

/// It holds what the system writes into, which a caught panic may have left half done.
#[cfg(windows)]
#[test]
fn automatic_traits_of_a_named_pipe() {
    fn automatic<T: Send + Sync + Unpin + Debug + 'static>() {}
    automatic::<NamedPipe>();
}

#[cfg(unix)]
#[test]
fn automatic_traits_on_unix() {
    automatic::<UnixDatagram>();
    automatic::<UnixListener>();
    automatic::<UnixStream>();
    automatic::<SourceFd<'static>>();
    automatic::<pipe::Receiver>();
    automatic::<pipe::Sender>();
}

#[test]
fn derived_traits() {
    fn value<T: Copy + Clone + PartialEq + Eq + PartialOrd + Ord>() {}
    fn key<T: Hash>() {}
    fn cloned<T: Clone>() {}
    value::<Token>();
    key::<Token>();
    value::<Interest>();
    cloned::<Event>();
    cloned::<Iter<'_>>();
}

/// Programs match on constant tokens, which takes more than `PartialEq`.
#[test]
fn a_token_is_a_pattern() {
    const SERVER: Token = Token(0);
    assert!(matches!(Token(0), SERVER));
    assert!(!matches!(Token(1), SERVER));
}

/// `mio::Events` and `mio::event::Events` are one type, as are the two paths of `Source`'s user.
#[test]
fn two_paths_one_type() {
    let _: fn(Events) -> event::Events = |events| events;
}

/// A source outside the library writes these three methods and no more.
#[test]
fn a_source_needs_three_methods() -> std::io::Result<()> {
    struct Inner(UdpSocket);
    impl event::Source for Inner {
        fn register(&mut self, r: &Registry, t: Token, i: Interest) -> std::io::Result<()> {
            self.0.register(r, t, i)
        }
        fn reregister(&mut self, r: &Registry, t: Token, i: Interest) -> std::io::Result<()> {
            self.0.reregister(r, t, i)
        }
        fn deregister(&mut self, r: &Registry) -> std::io::Result<()> {
            self.0.deregister(r)
        }
    }
    let poll = Poll::new()?;
    let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
    let mut source: Box<dyn event::Source> = Box::new(Inner(socket));
    poll.registry()
        .register(&mut source, Token(0), Interest::READABLE)?;
    poll.registry()
        .reregister(&mut source, Token(1), Interest::READABLE)?;
    poll.registry().deregister(&mut source)
}
