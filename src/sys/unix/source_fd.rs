//! `SourceFd`: registers a descriptor that something else owns.

use std::io;
use std::os::fd::RawFd;

use crate::sys::{HostSelector, Row as _, Selector};
use crate::{Interest, Registry, Token, event};

type Row = <HostSelector as Selector>::Row;

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
        r.selector.subscribe(*self.0, t, i).map(Row::release)
    }

    fn reregister(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
        r.selector.modify(&Row::NONE, *self.0, t, i)
    }

    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        r.selector.unsubscribe(Row::NONE, *self.0)
    }
}
