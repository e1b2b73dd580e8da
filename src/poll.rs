//! `Poll`, which waits, and `Registry`, which says for what.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::log::log;
use crate::sys::{self, HostSelector, Selector as _};
use crate::{Events, Interest, Token, event};

/// Waits for sources to become ready.
///
#[doc = include_str!("poll.md")]
#[derive(Debug)]
pub struct Poll {
    registry: Registry,
}

/// Registers sources with the [`Poll`] that it came from.
///
/// [`Registry::try_clone`] makes a further one, which may go to another thread.
#[derive(Debug)]
pub struct Registry {
    pub(crate) selector: HostSelector,
    /// Never 0.
    pub(crate) id: u32,
}

impl Poll {
    /// Makes a poller with nothing registered.
    ///
    /// # Errors
    /// The host's: a full descriptor table, above all.
    pub fn new() -> io::Result<Poll> {
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        let selector = sys::selector()?;
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed).max(1);
        let registry = Registry { selector, id };
        Ok(Poll { registry })
    }

    /// The registry of this poller.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Waits until something is ready, and fills `events` with it.
    ///
    /// What `events` held before is dropped. It returns when at least one source is ready, when a
    /// [`Waker`] of this poller has been used, or when `timeout` has passed; then `events` is
    /// empty. With `None` there is no timeout. With a timeout of zero it does not sleep. Where
    /// more is ready than `events` has room for, the next call reports the rest.
    ///
    /// A timeout is rounded up to the host's unit: one nanosecond on `wasm32-wasip1`, else one
    /// millisecond. It may end late, by what the system needs to wake a program, and never early.
    ///
    /// # Errors
    /// - [`Interrupted`](io::ErrorKind::Interrupted): a signal was handled. Poll again.
    /// - [`InvalidInput`](io::ErrorKind::InvalidInput): `events` has capacity 0.
    ///
    /// What goes wrong with one source is an event for that source, never an error here.
    ///
    /// [`Waker`]: crate::Waker
    pub fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.registry.selector.wait(events.cleared(), timeout)
    }
}

impl Registry {
    /// Watches `source` for `interests`; its events carry `token`.
    ///
    /// What is ready already is reported by the next poll.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) where the source is registered, here or
    /// with another poller. Else the host's.
    pub fn register<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: event::Source + ?Sized,
    {
        log!(trace, "register {:?} for {:?}", { token }, { interests });
        source.register(self, token, interests)
    }

    /// Replaces the token and the interests of a registered source.
    ///
    /// What is ready at that moment is reported by the next poll, as with [`Registry::register`].
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) where the source is not registered, or with another
    /// poller. Else the host's.
    pub fn reregister<S>(&self, source: &mut S, token: Token, interests: Interest) -> io::Result<()>
    where
        S: event::Source + ?Sized,
    {
        log!(trace, "reregister {:?} for {:?}", { token }, { interests });
        source.reregister(self, token, interests)
    }

    /// Ends the watching of `source`.
    ///
    /// Dropping a source does the same. Events of it that a poll has returned already stay in
    /// their [`Events`]. The errors are those of [`Registry::reregister`].
    pub fn deregister<S: event::Source + ?Sized>(&self, source: &mut S) -> io::Result<()> {
        log!(trace, "deregister");
        source.deregister(self)
    }

    /// Makes another handle of the same registry. It fails where the descriptor table is full.
    pub fn try_clone(&self) -> io::Result<Registry> {
        let (selector, id) = (self.selector.try_clone()?, self.id);
        Ok(Registry { selector, id })
    }
}
