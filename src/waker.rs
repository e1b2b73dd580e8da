//! `Waker`: ends a poll from outside of it.

use std::io;

use crate::sys::{HostWaker, Wake as _};
use crate::{Registry, Token};

/// Makes the current or the next poll return, with an event that carries the waker's token.
///
#[doc = include_str!("waker.md")]
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
