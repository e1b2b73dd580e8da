//! The seam: what a host must give, and the one place where a host is chosen.
//!
//! A host is a module with four parts of the same names: a [`Selector`] (the queue of events), its
//! [`Row`] (what a registered source holds), its [`RawEvent`] (an event as the host writes it) and
//! a [`Wake`]r; and beside them the sockets, under the names that std uses. Nothing outside `sys`
//! asks which host it is. Dispatch is static: the rest of the library is compiled for one host.
//!
//! `unix` has three queues, of which one is compiled: epoll, kqueue, `poll(2)`.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use crate::error::{ErrorKind, error, no_capacity};
use crate::event::Event;
pub(crate) use crate::ready::{Direction, Outcome, Ready};
use crate::{Interest, Registry, Token};

#[cfg(target_os = "wasi")]
#[path = "wasi/mod.rs"]
mod imp;
#[cfg(unix)]
#[path = "unix/mod.rs"]
mod imp;
#[cfg(windows)]
#[path = "windows/mod.rs"]
pub(crate) mod imp;

// Threads would wait for the lock that a wait on WASI holds.
#[cfg(not(any(
    unix,
    windows,
    all(target_os = "wasi", not(target_feature = "atomics"))
)))]
compile_error!(
    "mio_wasi runs on wasm32-wasip1 and -wasip2, Linux, Android, illumos, Apple's systems, \
     FreeBSD, NetBSD, OpenBSD, DragonFly, Solaris, Haiku, Hurd and Windows; see the README's \
     table of targets"
);

// The sockets, and what else the host has.
pub(crate) use imp::*;

pub(crate) type HostSelector = imp::Selector;
pub(crate) type HostEvent = <HostSelector as Selector>::Event;
pub(crate) type HostWaker = Waker;

/// The queue of a new poller. Without `os-poll` the types exist, and this is why there is none.
pub(crate) fn selector() -> io::Result<HostSelector> {
    if cfg!(feature = "os-poll") {
        return HostSelector::new();
    }
    let advice = "build mio_wasi with its feature `os-poll`";
    Err(error(ErrorKind::Unsupported, "Poll::new", advice))
}

/// A queue of events, shared by a `Poll`, its registries and its wakers.
pub(crate) trait Selector: Sized + Debug + Send + Sync + 'static {
    /// What the host calls a source: a descriptor, and what is known of it.
    type Source: Copy;
    /// Held by the registered source; its drop ends the subscription.
    type Row: Row;
    /// An event as the host writes it.
    type Event: RawEvent;

    fn new() -> io::Result<Self>;
    fn try_clone(&self) -> io::Result<Self>;
    /// Adds the rows of `interest`, armed.
    fn subscribe(&self, s: Self::Source, t: Token, i: Interest) -> io::Result<Self::Row>;
    /// New token and interest; every row armed again.
    fn modify(&self, row: &Self::Row, s: Self::Source, t: Token, i: Interest) -> io::Result<()>;
    fn unsubscribe(&self, row: Self::Row, s: Self::Source) -> io::Result<()>;
    /// Waits, then fills `events`, which is empty, up to its capacity; without any, it fails. An
    /// error is the queue's own; a source's error is an event with [`Ready::ERROR`].
    fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()>;
}

/// A registered source's end of the subscription. Hosts with kernel edges need none of it.
pub(crate) trait Row: Debug + Send + Sync + Sized {
    /// What a source has that is not registered.
    const NONE: Self;

    /// Whether the host forgets: only then is it told of outcomes.
    const LEVEL: bool = false;

    /// An I/O call in this direction has ended so: watch, or do not.
    #[inline]
    fn note(&self, _: Direction, _: Outcome) {}

    /// Whether a read of a stream may ask the host, or is known to block.
    #[inline]
    fn permit_read(&self) -> io::Result<()> {
        Ok(())
    }

    /// Lets go of the subscription without ending it: its source is a name that keeps nothing.
    fn release(self) {}
}

/// Nothing: a kernel with edges of its own has the row, and drops it when the descriptor closes.
#[derive(Debug)]
pub(crate) struct KernelRow;

impl Row for KernelRow {
    const NONE: KernelRow = KernelRow;
}

/// An event as the host writes it, and its one translation.
pub(crate) trait RawEvent: Copy + Send + Sync {
    fn token(&self) -> Token;
    /// Whether it says this one thing.
    fn is(&self, ready: Ready) -> bool;
}

/// Ends a wait from elsewhere: another thread, or the program itself before it waits.
pub(crate) trait Wake: Debug + Send + Sync + Sized {
    type Selector: Selector;

    fn new(selector: &Self::Selector, token: Token) -> io::Result<Self>;
    fn wake(&self) -> io::Result<()>;
}

// A host that falls short does not build.
const _: fn() = || {
    fn host<S: Selector, W: Wake<Selector = S>>() {
        let _ = (S::subscribe, S::modify, S::unsubscribe);
        let _ = (S::Row::LEVEL, S::Row::NONE, S::Row::note);
        let _ = (S::Row::permit_read, S::Row::release, Outcome::Drained);
        // What each host and set of features uses a part of.
        let _ = |registry: &Registry| registry.id;
        let _ = (Direction::Read, Direction::Write, KernelRow, no_capacity);
        let _ = (Outcome::Moved, Outcome::Took, Outcome::Dry, Outcome::Left);
        let _ = (Outcome::Stuck, Outcome::Ended, Outcome::Nothing);
    }
    host::<HostSelector, HostWaker>();
};
