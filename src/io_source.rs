//! A socket with its registration, and the one rule for watching it again.
//!
//! Every I/O call of the public types passes through here. A host with kernel edges ignores what
//! follows; WASI's is level-triggered and forgets, so a delivered event takes its row out of the
//! table, and the outcome of the next I/O call decides when it goes back in: see [`Outcome`]. A rule
//! turns a call's result into its outcome; the rules stand with the calls that they are for.

use std::fmt;
use std::io::{self, ErrorKind};
use std::num::NonZeroU32;

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
    registration: Option<Registration>,
    inner: T,
}

struct Registration {
    row: HostRow,
    registry: NonZeroU32,
}

impl<T> IoSource<T> {
    pub(crate) const fn new(inner: T) -> IoSource<T> {
        IoSource {
            registration: None,
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

    /// Makes a user's own I/O call, whose direction is unknown: `WouldBlock` is said of both.
    #[inline]
    pub(crate) fn try_io<R>(&self, call: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let result = call();
        if let Some(row) = self.level_row() {
            let outcome = sent(&result);
            row.note(Direction::Read, outcome);
            row.note(Direction::Write, outcome);
        }
        result
    }

    /// The row that is to hear of outcomes, where the host needs it.
    #[inline]
    fn level_row(&self) -> Option<&HostRow> {
        match &self.registration {
            Some(registration) if HostRow::LEVEL => Some(&registration.row),
            _ => None,
        }
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
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        if let Some(registration) = &self.registration {
            return Err(taken(registration, registry));
        }
        let row = registry
            .selector()
            .subscribe(self.inner.source(), token, interests)?;
        let registry = registry.id();
        self.registration = Some(Registration { row, registry });
        Ok(())
    }

    #[inline]
    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        let registration = held(self.registration.as_ref(), registry)?;
        let source = self.inner.source();
        registry
            .selector()
            .modify(&registration.row, source, token, interests)
    }

    #[inline]
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        held(self.registration.as_ref(), registry)?;
        match self.registration.take() {
            Some(registration) => registry
                .selector()
                .unsubscribe(registration.row, self.inner.source()),
            None => Ok(()),
        }
    }
}

#[cold]
fn taken(registration: &Registration, registry: &Registry) -> io::Error {
    let (what, advice) = if registration.registry == registry.id() {
        let advice = "use `reregister` to change it, or `deregister` first";
        ("this source is registered already", advice)
    } else {
        let advice = "deregister it there first, while that poller exists";
        ("this source is registered with another poller", advice)
    };
    error(ErrorKind::AlreadyExists, what, advice)
}

#[inline]
fn held<'a>(
    registration: Option<&'a Registration>,
    registry: &Registry,
) -> io::Result<&'a Registration> {
    match registration {
        Some(registration) if registration.registry == registry.id() => Ok(registration),
        _ => {
            let what = "this source is not registered with this poller";
            Err(error(ErrorKind::NotFound, what, "call `register` first"))
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for IoSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
