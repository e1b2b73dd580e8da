//! What every case stands on: an event loop with a deadline, in which both ends of a connection
//! live. The small moves that cases make in it are in `moves.rs`.
//!
//! The loop is a mailbox. `wait` looks for one event and keeps the others for the waits to come,
//! so a case reads as a sequence although events arrive in any order. `turn` is the bare poll,
//! for the cases whose subject is the poll itself.

pub(crate) mod handle;
mod moves;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::event::{Event, Source};
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token};

pub(crate) use self::moves::*;

/// No wait of a case goes on for longer. It only ends a hang: no verdict rests on its length. Wine
/// asks its one server at nearly every call.
pub(crate) const DEADLINE: Duration = Duration::from_secs(if WINSOCK { 24 } else { 8 });

/// Whether the case runs inside WebAssembly.
///
/// There the library arms a direction again when an operation has consumed input, which the edges
/// of a kernel do not: these need an operation that would block.
pub(crate) const GUEST: bool = cfg!(target_os = "wasi");

/// Whether the edges are the library's own, over a host that forgets: there, what a call has left
/// behind, or an attempt that failed, is a reason to tell of it again after a pause.
pub(crate) const FORGETS: bool = GUEST || cfg!(any(windows, mio_unsupported_force_poll_poll));

/// Whether the guest has WasmEdge's sockets, which lack some options.
pub(crate) const FEW_OPTIONS: bool = cfg!(target_env = "p1");

/// Whether the host sends in a thread of its own, so that what was sent arrives in its own time.
/// How many polls that takes says nothing there: the deadline alone ends a wait for it.
pub(crate) const SENDS_LATER: bool = cfg!(target_env = "p2");

/// Whether the host tells of each direction in an event of its own, and of that direction alone.
/// kqueue does.
pub(crate) const EVENT_PER_DIRECTION: bool = cfg!(any(
    mio_kqueue_model,
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_vendor = "apple",
));

/// The systems whose queue is a kqueue, and what else they have in common: a datagram for a full
/// Unix socket is `ENOBUFS` and no event follows, what is not connected cannot be shut down,
/// datagrams of UDP are short at first, and the loopback has no broadcasts.
pub(crate) const BSD: bool = EVENT_PER_DIRECTION && !cfg!(mio_kqueue_model);

/// Winsock may tell the error of a connection by every call that follows, it does not tell it by
/// `SO_ERROR`, and std has no kind for some of what it says.
pub(crate) const WINSOCK: bool = cfg!(windows);

pub(crate) const READABLE: Interest = Interest::READABLE;
pub(crate) const WRITABLE: Interest = Interest::WRITABLE;
pub(crate) const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Tokens of `tcp_pair`, out of the way of the cases' own.
const LISTENER: usize = 1_000_001;
const CLIENT: usize = 1_000_002;

/// The faults by which a host invents readiness, and those by which it ends a wait too early. What
/// it says then cannot be told from the truth, so it is passed on: an event may be spurious.
const INVENTED: &[&str] = &["zero", "error", "hangup"];
const CUT_SHORT: &[&str] = &["early"];

/// Whether the host has one of these faults. One that has faults on purpose names them, so that a
/// case can hold the library to what it can keep to there; any other has none.
pub(crate) fn host_has(faults: &[&str]) -> bool {
    let named = std::env::var("MIO_WASI_FAULTS").unwrap_or_default();
    named.split(',').any(|fault| faults.contains(&fault))
}

/// One event, copied out of `Events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) token: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) error: bool,
    pub(crate) read_closed: bool,
    pub(crate) write_closed: bool,
}

impl From<&Event> for Seen {
    fn from(event: &Event) -> Seen {
        Seen {
            token: event.token().0,
            readable: event.is_readable(),
            writable: event.is_writable(),
            error: event.is_error(),
            read_closed: event.is_read_closed(),
            write_closed: event.is_write_closed(),
        }
    }
}

/// The event loop of a case.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) poll: Poll,
    events: Events,
    mailbox: VecDeque<Seen>,
    deadline: Instant,
}

impl Loop {
    pub(crate) fn new() -> Loop {
        Loop::with_capacity(256)
    }

    /// A loop whose `Events` hold `capacity` events.
    pub(crate) fn with_capacity(capacity: usize) -> Loop {
        Loop {
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(capacity),
            mailbox: VecDeque::new(),
            deadline: Instant::now() + DEADLINE,
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    #[track_caller]
    pub(crate) fn add(&self, source: &mut impl Source, token: usize, interest: Interest) {
        self.registry()
            .register(source, Token(token), interest)
            .unwrap();
    }

    #[track_caller]
    pub(crate) fn change(&self, source: &mut impl Source, token: usize, interest: Interest) {
        self.registry()
            .reregister(source, Token(token), interest)
            .unwrap();
    }

    #[track_caller]
    pub(crate) fn remove(&self, source: &mut impl Source) {
        self.registry().deregister(source).unwrap();
    }

    /// One poll, and what it reported. A signal's interruption is not an answer, so it polls again.
    #[track_caller]
    pub(crate) fn turn(&mut self, timeout: Option<Duration>) -> Vec<Seen> {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        loop {
            match self.poll.poll(&mut self.events, left) {
                Ok(()) => return self.events.iter().map(Seen::from).collect(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    left = end
                        .map(|end| end.saturating_duration_since(Instant::now()))
                        .or(left);
                }
                Err(error) => panic!("poll failed: {error}"),
            }
        }
    }

    /// One poll that waits for an event until the deadline at most.
    #[track_caller]
    pub(crate) fn next(&mut self, what: &str) -> Vec<Seen> {
        loop {
            let seen = self.turn(Some(self.left(what)));
            if !seen.is_empty() {
                return seen;
            }
            assert!(host_has(CUT_SHORT), "no event until the deadline: {what}");
        }
    }

    /// The time up to the deadline; panics when it is over.
    #[track_caller]
    pub(crate) fn left(&self, what: &str) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the deadline is over: {what}");
        left
    }

    /// Waits for an event of `token` that `fits`. Others stay in the mailbox.
    #[track_caller]
    pub(crate) fn wait(&mut self, token: usize, what: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let found = self
                .mailbox
                .iter()
                .position(|seen| seen.token == token && fits(seen));
            if let Some(place) = found {
                return self.mailbox.remove(place).unwrap();
            }
            let seen = self.next(what);
            self.mailbox.extend(seen);
        }
    }

    #[track_caller]
    pub(crate) fn readable(&mut self, token: usize) -> Seen {
        self.wait(token, &format!("source {token} readable"), |seen| {
            seen.readable
        })
    }

    #[track_caller]
    pub(crate) fn writable(&mut self, token: usize) -> Seen {
        self.wait(token, &format!("source {token} writable"), |seen| {
            seen.writable
        })
    }

    /// Both directions have ended, as `seen` says, which told of reading. Where that is not to tell
    /// of writing, another event does, if `interest` asks for it.
    #[track_caller]
    pub(crate) fn both_closed(&mut self, seen: Seen, interest: Interest) {
        assert!(seen.read_closed, "{seen:?}");
        assert_eq!(seen.write_closed, !EVENT_PER_DIRECTION, "{seen:?}");
        if EVENT_PER_DIRECTION && interest.is_writable() {
            self.wait(seen.token, "the end of writing", |seen| seen.write_closed);
        }
    }

    /// Throws away what `wait` has kept.
    pub(crate) fn forget(&mut self) {
        self.mailbox.clear();
    }

    /// Polls with short timeouts until `time` is over, and tells how often. A slow machine polls
    /// less in this time, and a loop that spins a hundred times as often: that is what to look for.
    #[track_caller]
    pub(crate) fn turns_in(&mut self, time: Duration, mut each: impl FnMut(Seen)) -> u32 {
        let end = Instant::now() + time;
        let mut turns = 0;
        while Instant::now() < end {
            self.turn(Some(Duration::from_millis(10)))
                .into_iter()
                .for_each(&mut each);
            turns += 1;
        }
        turns
    }

    /// Nothing is left to report, be it asked in passing or with a wait, which lasts to its end.
    #[track_caller]
    pub(crate) fn quiet(&mut self, why: &str) {
        let kept = &self.mailbox;
        assert!(kept.is_empty(), "{why}, but there were {kept:?}");
        for timeout in [0, 0, 4].map(Duration::from_millis) {
            let start = Instant::now();
            let seen = self.turn(Some(timeout));
            let waited = start.elapsed();
            let invented = !seen.is_empty() && host_has(INVENTED);
            assert!(
                seen.is_empty() || invented,
                "{why}, but {timeout:?} gave {seen:?}"
            );
            let cut_short = waited < timeout && !invented && !host_has(CUT_SHORT);
            assert!(!cut_short, "{why}, but {timeout:?} took {waited:?}");
        }
    }

    /// A connection over IPv4: the client's end and the server's, neither registered.
    #[track_caller]
    pub(crate) fn tcp_pair(&mut self) -> (TcpStream, TcpStream) {
        let mut listener = TcpListener::bind(localhost()).unwrap();
        self.tcp_pair_at(&mut listener)
    }

    /// A connection through `listener`, which is not registered before or after.
    #[track_caller]
    pub(crate) fn tcp_pair_at(&mut self, listener: &mut TcpListener) -> (TcpStream, TcpStream) {
        self.add(listener, LISTENER, READABLE);
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        self.add(&mut client, CLIENT, WRITABLE);
        self.writable(CLIENT);
        if let Some(error) = client.take_error().unwrap() {
            panic!("a connection to a listener failed: {error}");
        }
        let server = self.accept(listener, LISTENER).0;
        self.remove(&mut client);
        self.remove(listener);
        self.mailbox
            .retain(|seen| seen.token != CLIENT && seen.token != LISTENER);
        (client, server)
    }

    /// Waits for a connection to a listener that is registered as `token`, and takes one.
    #[track_caller]
    pub(crate) fn accept(
        &mut self,
        listener: &TcpListener,
        token: usize,
    ) -> (TcpStream, SocketAddr) {
        loop {
            self.readable(token);
            if let Some(accepted) = would_block(listener.accept()) {
                return accepted;
            }
        }
    }

    /// Waits for exactly `count` bytes from a source that is registered as `token`.
    #[track_caller]
    pub(crate) fn receive(&mut self, mut source: impl Read, token: usize, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let mut filled = 0;
        self.readable(token);
        while filled < count {
            match would_block(source.read(&mut bytes[filled..])) {
                Some(0) => panic!("end of stream after {filled} of {count} bytes"),
                Some(read) => filled += read,
                None => _ = self.readable(token),
            }
        }
        bytes
    }

    /// Fills a stream that is registered as `token` until its kernel takes no more, which may move
    /// bytes on for a moment. Tells the bytes, and what was reported of the stream meanwhile.
    #[track_caller]
    pub(crate) fn saturate(&mut self, stream: &TcpStream, token: usize) -> (usize, Vec<Seen>) {
        let mut sent = 0;
        let mut all = Vec::new();
        loop {
            sent += fill(stream);
            self.left("a full buffer");
            let seen = self.turn(Some(Duration::from_millis(20)));
            let before = all.len();
            all.extend(seen.into_iter().filter(|seen| seen.token == token));
            if all.len() == before {
                return (sent, all);
            }
        }
    }

    /// Waits for a datagram to a socket that is registered as `token`, and takes one.
    #[track_caller]
    pub(crate) fn datagram(&mut self, socket: &UdpSocket, token: usize) -> (Vec<u8>, SocketAddr) {
        let mut bytes = vec![0; 65_536];
        loop {
            self.readable(token);
            if let Some((length, sender)) = would_block(socket.recv_from(&mut bytes)) {
                bytes.truncate(length);
                return (bytes, sender);
            }
        }
    }
}
