//! `Waker`: ends a poll from outside of it.

use std::io;

use crate::sys::{HostWaker, Wake as _};
use crate::{Registry, Token};

/// Makes the current or the next poll return, with an event that carries the waker's token.
///
/// A wake is never lost: one that comes before the poll ends it at once. Wakes that come before
/// they are reported count as one. The event is readable; nothing is to be read.
///
/// Keep one waker per poller, in an `Arc` where several threads wake.
///
/// ```
/// use mio::{Events, Poll, Token, Waker};
///
/// # fn main() -> std::io::Result<()> {
/// const WAKE: Token = Token(7);
///
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let waker = Waker::new(poll.registry(), WAKE)?;
///
/// waker.wake()?;
/// poll.poll(&mut events, None)?;
/// assert_eq!(events.iter().next().map(|event| event.token()), Some(WAKE));
/// # Ok(())
/// # }
/// ```
///
/// # Hosts
///
/// A guest has one thread, so nobody can wake a poll that sleeps; a wake between two polls makes
/// the second return at once, together with the sources that are ready then. It costs no host
/// call. With epoll the waker is an `eventfd`.
#[derive(Debug)]
pub struct Waker {
    inner: HostWaker,
}

impl Waker {
    /// Makes a waker whose events carry `token`. It fails where the descriptor table is full.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Waker> {
        HostWaker::new(&registry.selector, token).map(|inner| Waker { inner })
    }

    /// Wakes the poller. No host is known to refuse it.
    pub fn wake(&self) -> io::Result<()> {
        self.inner.wake()
    }
}
