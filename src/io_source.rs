//! A socket with its registration, and the one rule for watching it again.
//!
//! Every I/O call of the public types passes through here. A host with kernel edges ignores what
//! follows; WASI's is level-triggered and forgets, so a delivered event takes its row out of the
//! table, and the outcome of the next I/O call decides when it goes back in: see [`Outcome`].
//! A rule turns a call's result into its outcome; the rules stand with the calls they are for.

use std::io::{self, ErrorKind};

use crate::error::error;
use crate::sys::{Direction, HostSelector, Outcome, Row as _, Selector};
use crate::{Interest, Registry, Token, event};

type HostRow = <HostSelector as Selector>::Row;

/// A thing that the host's selector can watch: each host says how to find its descriptor.
pub(crate) trait AsSource {
    fn source(&self) -> <HostSelector as Selector>::Source;
}

/// A source of events that remembers where it is registered.
///
/// The order of the fields is load-bearing: the row leaves the host's table before the descriptor
/// closes. WasmEdge (0.14 to 0.17) notes a closed descriptor and then still waits for it.
pub(crate) struct IoSource<T> {
    row: HostRow,
    /// The number of the registry that the source is registered with; 0 is no registry's.
    registry: u32,
    inner: T,
}

impl<T> IoSource<T> {
    pub(crate) const fn new(inner: T) -> IoSource<T> {
        IoSource {
            row: HostRow::NONE,
            registry: 0,
            inner,
        }
    }

    /// Gives the socket. On a host that forgets this ends the registration; a kernel that keeps its
    /// own list keeps the descriptor in it.
    pub(crate) fn into_inner(self) -> T {
        self.inner
    }

    /// The socket, for calls that neither use nor tell readiness.
    #[inline]
    pub(crate) fn inner(&self) -> &T {
        &self.inner
    }

    /// Makes one I/O call in `direction`, whose result means what `rule` says.
    #[inline]
    pub(crate) fn io<R>(
        &self,
        direction: Direction,
        rule: impl FnOnce(&io::Result<R>) -> Outcome,
        call: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let result = call(&self.inner);
        if let Some(row) = self.level_row() {
            row.note(direction, rule(&result));
        }
        result
    }

    /// Reads a stream of bytes. After a read that came up short the next one may be told without
    /// the host that it would block; see [`Outcome::Drained`].
    #[inline]
    pub(crate) fn read(
        &self,
        rule: impl FnOnce(&io::Result<usize>) -> Outcome,
        call: impl FnOnce(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if let Some(row) = self.level_row() {
            row.permit_read()?;
        }
        self.io(Direction::Read, rule, call)
    }

    /// Makes a user's own I/O call, whose direction is unknown: what it says is said of both.
    #[inline]
    pub(crate) fn try_io<R>(&self, call: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let result = call();
        if let Some(row) = self.level_row() {
            let outcome = match sent(&result) {
                // It may have begun what is to be told: a connect.
                Outcome::Nothing => Outcome::Stuck,
                outcome => outcome,
            };
            row.note(Direction::Write, outcome);
            // It may have taken a part of what there is.
            let read = result.as_ref().map_or(outcome, |_| Outcome::Left);
            row.note(Direction::Read, read);
        }
        result
    }

    /// The row that is to hear of outcomes, where the host needs it.
    #[inline]
    fn level_row(&self) -> Option<&HostRow> {
        (HostRow::LEVEL && self.registry != 0).then_some(&self.row)
    }

    #[cold]
    #[inline(never)]
    fn taken(&self, registry: &Registry) -> io::Error {
        let (what, advice) = if self.registry == registry.id {
            let advice = "use `reregister` to change it, or `deregister` first";
            ("this source is registered already", advice)
        } else {
            let advice = "deregister it there first, while that poller exists";
            ("this source is registered with another poller", advice)
        };
        error(ErrorKind::AlreadyExists, what, advice)
    }

    fn is_held(&self, registry: &Registry) -> io::Result<()> {
        if self.registry == registry.id {
            return Ok(());
        }
        let what = "this source is not registered with this poller";
        Err(error(ErrorKind::NotFound, what, "call `register` first"))
    }
}

/// The rule for a call that does all or nothing, and after which nothing is left to be told.
pub(crate) fn sent<R>(result: &io::Result<R>) -> Outcome {
    match result {
        Ok(_) => Outcome::Moved,
        Err(error) if is_retry(error) => Outcome::Dry,
        Err(_) => Outcome::Nothing,
    }
}

/// The call did nothing and wants to be made again.
pub(crate) fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl<T: AsSource> event::Source for IoSource<T> {
    #[inline]
    fn register(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
        if self.registry != 0 {
            return Err(self.taken(r));
        }
        // Noted first, so that success has nothing left to do.
        self.registry = r.id;
        let row = r.selector.subscribe(self.inner.source(), t, i);
        self.row = row.inspect_err(|_| self.registry = 0)?;
        Ok(())
    }
    #[inline]
    fn reregister(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
        self.is_held(r)?;
        r.selector.modify(&self.row, self.inner.source(), t, i)
    }
    #[inline]
    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        self.is_held(r)?;
        self.registry = 0;
        let row = std::mem::replace(&mut self.row, HostRow::NONE);
        r.selector.unsubscribe(row, self.inner.source())
    }
}
