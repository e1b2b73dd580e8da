//! A socket with its registration, and the one rule for watching it again.
//!
//! Every I/O call of the public types passes through here. A host with kernel edges ignores what
//! follows; WASI's is level-triggered and forgets, so a delivered event takes its row out of the
//! table, and the outcome of the next I/O call decides when it goes back in: see [`Flow`].

use std::fmt;
use std::io::{self, ErrorKind};
use std::num::NonZeroU32;

use crate::error::Error;
use crate::sys::{Direction, HostSelector, Row as _, Selector};
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

/// How an I/O call uses up readiness, which decides what rearms its direction besides
/// `WouldBlock`.
#[derive(Copy, Clone)]
pub(crate) enum Flow {
    /// Bytes, of which so many were asked for. Any input taken rearms reading: a program that
    /// takes one buffer per event then never loses a wake-up, and cannot spin, since each event
    /// costs it input. An end of stream disarms reading, since an earlier read of the same event
    /// may have armed it. Output rearms writing only where less was taken than offered: a socket
    /// that always has room would fire for ever.
    Bytes(usize),
    /// Whole items: connections, datagrams. A call takes one item or one pending error from the
    /// queue, so it rearms either way.
    Items,
    /// Takes nothing that another event could be about.
    Nothing,
    /// As `Nothing`, but where it would block, that is for want of room in another socket. This one
    /// is writable all the while, so it is watched again after a pause.
    Elsewhere,
}

// With pipes alone, nothing moves items.
const _: [Flow; 3] = [Flow::Items, Flow::Nothing, Flow::Elsewhere];

impl<T> IoSource<T> {
    pub(crate) const fn new(inner: T) -> IoSource<T> {
        IoSource {
            registration: None,
            inner,
        }
    }

    /// Ends the registration, without a word to a kernel that needs none, and gives the socket.
    pub(crate) fn into_inner(self) -> T {
        self.inner
    }

    /// The socket, for calls that neither use nor tell readiness.
    #[inline]
    pub(crate) fn inner(&self) -> &T {
        &self.inner
    }

    /// Makes one I/O call that moves `flow` in `direction`, and rearms as its outcome asks.
    #[inline]
    pub(crate) fn io<R: Amount>(
        &self,
        direction: Direction,
        flow: Flow,
        call: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let result = call(&self.inner);
        if let Some(row) = self.level_row() {
            match after(direction, flow, result.as_ref().map(Amount::amount)) {
                Rearm::No => {}
                Rearm::Now => row.rearm(direction),
                Rearm::Never => row.disarm(direction),
                Rearm::Later => row.rearm_later(direction),
            }
        }
        result
    }

    /// Makes a user's own I/O call, whose direction is unknown: `WouldBlock` rearms both.
    #[inline]
    pub(crate) fn try_io<R>(&self, call: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let result = call();
        if let (Some(row), Err(error)) = (self.level_row(), &result) {
            if is_retry(error) {
                row.rearm(Direction::Read);
                row.rearm(Direction::Write);
            }
        }
        result
    }

    /// The row to rearm, where there is one and the host needs it.
    #[inline]
    fn level_row(&self) -> Option<&HostRow> {
        match &self.registration {
            Some(registration) if HostRow::LEVEL => Some(&registration.row),
            _ => None,
        }
    }
}

enum Rearm {
    No,
    Now,
    Later,
    Never,
}

#[inline]
fn after(direction: Direction, flow: Flow, result: Result<usize, &io::Error>) -> Rearm {
    match (result, flow, direction) {
        (Err(error), Flow::Elsewhere, _) if is_retry(error) => Rearm::Later,
        (Err(error), ..) if is_retry(error) => Rearm::Now,
        (Err(error), Flow::Items, _) if !is_pending_error(error) => Rearm::Later,
        (_, Flow::Items, _) | (Ok(1..), Flow::Bytes(_), Direction::Read) => Rearm::Now,
        (Ok(0), Flow::Bytes(1..), Direction::Read) => Rearm::Never,
        (Ok(moved), Flow::Bytes(asked), Direction::Write) if 0 < moved && moved < asked => {
            Rearm::Now
        }
        _ => Rearm::No,
    }
}

/// The call did nothing and wants to be made again.
fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// An error that waited in the socket's queue and is gone now that it was told. Others (a full
/// descriptor table, no memory) would be told again at once: those rearm after a pause.
fn is_pending_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::TimedOut
    )
}

/// How much a call moved, where that matters.
pub(crate) trait Amount {
    fn amount(&self) -> usize;
}

impl Amount for usize {
    #[inline]
    fn amount(&self) -> usize {
        *self
    }
}

/// Items with their address: the flow does not depend on their size.
impl<A, B> Amount for (A, B) {
    #[inline]
    fn amount(&self) -> usize {
        1
    }
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
    if registration.registry == registry.id() {
        Error::AlreadyRegistered.into()
    } else {
        Error::OtherRegistry.into()
    }
}

#[inline]
fn held<'a>(
    registration: Option<&'a Registration>,
    registry: &Registry,
) -> io::Result<&'a Registration> {
    match registration {
        Some(registration) if registration.registry == registry.id() => Ok(registration),
        Some(_) => Err(Error::OtherRegistry.into()),
        None => Err(Error::NotRegistered.into()),
    }
}

impl<T: fmt::Debug> fmt::Debug for IoSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
