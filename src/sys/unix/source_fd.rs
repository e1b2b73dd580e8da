//! `SourceFd`: registers a descriptor that something else owns.

use std::io;
use std::os::fd::RawFd;

use crate::sys::{KernelRow, Selector as _};
use crate::{Interest, Registry, Token, event};

/// Watches a descriptor that this library has no type for.
///
#[doc = include_str!("source_fd.md")]
#[derive(Debug)]
pub struct SourceFd<'a>(
    /// The descriptor to watch.
    pub &'a RawFd,
);

impl event::Source for SourceFd<'_> {
    fn register(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
        r.selector.subscribe(*self.0, t, i).map(drop)
    }

    fn reregister(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
        r.selector.modify(&KernelRow, *self.0, t, i)
    }

    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        r.selector.unsubscribe(KernelRow, *self.0)
    }
}
