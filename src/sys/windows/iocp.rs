//! IOCP: a completion port, bent into a queue of readiness.
//!
//! A completion port tells what has been done, not what could be done now. But the driver below
//! Winsock has an operation that does nothing and ends when a socket is ready, so its completion is
//! what we want to hear. Between that and edges stand:
//!
//! - one poll a socket at most, for the conditions that are armed. `afd.rs` has its state machine,
//!   and its memory stays until the kernel has let go of it: see `port.rs`;
//! - disarming: an event takes its conditions out of the next poll, so that it is not told again,
//!   and the outcome of the next I/O call puts them back (`io_source.rs` has the rule);
//! - deferral: a source that changes is queued, and the kernel is told before the next wait, so
//!   that a source costs one call an event, however often it changed.
//!
//! A cancelled poll completes as well, so that a wait may end with nothing to tell: it goes on for
//! what is left of its time. A direction that would be ready again at once rests for a moment, by
//! the timeout that a poll can have.
//!
//! The waker is an operation that no driver has: its packet is sent to the port. While it is on the
//! way, further wakes are one with it.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::RawSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::NTSTATUS;

use super::afd::{self, Socket, State};
use super::port::{BATCH, Deliver, Operation, Overlapped, Packets, Port};
use crate::error::no_capacity;
use crate::event::Event as PublicEvent;
use crate::ready::{Direction, Outcome, Ready};
use crate::sys;
use crate::{Interest, Token};

#[derive(Clone)]
pub(crate) struct Selector {
    pub(super) port: Arc<Port>,
}

impl sys::Selector for Selector {
    type Source = RawSocket;
    type Row = Row;
    type Event = Event;

    fn new() -> io::Result<Selector> {
        let port = Arc::new(Port::new()?);
        Ok(Selector { port })
    }

    fn try_clone(&self) -> io::Result<Selector> {
        Ok(self.clone())
    }

    fn subscribe(&self, socket: RawSocket, token: Token, interest: Interest) -> io::Result<Row> {
        let socket = Socket::new(&self.port, socket)?;
        let row = Row(Some((Arc::clone(&self.port), socket)));
        row.change(|state| state.watch(token, interest))?;
        Ok(row)
    }

    fn modify(&self, row: &Row, _: RawSocket, token: Token, interest: Interest) -> io::Result<()> {
        row.change(|state| state.watch(token, interest))
    }

    fn unsubscribe(&self, row: Row, _: RawSocket) -> io::Result<()> {
        drop(row);
        Ok(())
    }

    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        if events.capacity() == 0 {
            return Err(no_capacity());
        }
        // What the clock cannot reach does not end.
        let end = timeout.filter(|timeout| !timeout.is_zero());
        let end = end.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        loop {
            let silent = self.turn(events, milliseconds(left))?;
            if !events.is_empty() {
                return Ok(());
            }
            if let Some(end) = end {
                left = Some(end.saturating_duration_since(Instant::now()));
            }
            // What has ended without an event may be ready by now.
            if silent && left.is_some_and(|left| left.is_zero()) {
                return Ok(());
            }
        }
    }
}

impl Selector {
    /// One wait, and whether nothing at all has ended in it.
    fn turn(&self, events: &mut Vec<PublicEvent>, milliseconds: u32) -> io::Result<bool> {
        let mut room: Packets = [MaybeUninit::uninit(); BATCH];
        let most = |events: &Vec<PublicEvent>| BATCH.min(events.capacity() - events.len());
        let taken = afd::flush(&self.port)
            .and_then(|()| self.port.take(&mut room[..most(events)], milliseconds));
        afd::awake(&self.port);
        let mut taken = taken?;
        let silent = taken.is_empty();
        loop {
            let full = taken.len() == BATCH;
            self.port
                .deliver(taken, &mut |raw| events.push(PublicEvent { raw }));
            if !full || most(events) == 0 {
                return Ok(silent);
            }
            taken = self.port.take(&mut room[..most(events)], 0)?;
        }
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector").finish_non_exhaustive()
    }
}

/// A socket under watch. Its drop ends that, so it goes before the socket.
pub(crate) struct Row(Option<(Arc<Port>, Arc<Socket>)>);

impl Row {
    fn change(&self, change: impl FnOnce(&mut State)) -> io::Result<()> {
        match &self.0 {
            Some((port, socket)) => socket.change(port, change),
            None => Ok(()),
        }
    }
}

impl sys::Row for Row {
    const NONE: Row = Row(None);

    const LEVEL: bool = true;

    fn note(&self, direction: Direction, outcome: Outcome) {
        if !matches!(outcome, Outcome::Moved | Outcome::Nothing) {
            // It fails where the port has no memory for an event: the next wait says so.
            let _ = self.change(|state| state.note(direction, outcome));
        }
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        if let Some((port, socket)) = &self.0 {
            socket.release(port);
        }
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").finish_non_exhaustive()
    }
}

#[derive(Copy, Clone)]
pub(crate) struct Event {
    token: Token,
    ready: Ready,
}

impl Event {
    pub(super) fn new(token: Token, ready: Ready) -> Event {
        Event { token, ready }
    }
}

impl sys::RawEvent for Event {
    #[inline]
    fn token(&self) -> Token {
        self.token
    }

    #[inline]
    fn is(&self, ready: Ready) -> bool {
        self.ready.contains(ready)
    }
}

/// The wait that does not end.
const INFINITE: u32 = u32::MAX;

/// Rounded up, so that no wait ends early; what does not fit is the longest wait that ends.
#[inline]
fn milliseconds(timeout: Option<Duration>) -> u32 {
    timeout.map_or(INFINITE, |timeout| {
        let partial = timeout.subsec_nanos().div_ceil(1_000_000);
        let whole = timeout.as_secs().saturating_mul(1_000);
        let all = whole.saturating_add(partial.into());
        all.min(u64::from(INFINITE - 1)) as u32
    })
}

pub(crate) struct Waker {
    port: Arc<Port>,
    signal: Arc<Signal>,
}

#[repr(C)]
struct Signal {
    operation: Operation,
    token: Token,
    /// Whether the packet is on the way, and to be told.
    sent: AtomicBool,
}

impl sys::Wake for Waker {
    type Selector = Selector;

    fn new(selector: &Selector, token: Token) -> io::Result<Waker> {
        Ok(Waker {
            port: Arc::clone(&selector.port),
            signal: Arc::new(Signal {
                operation: Operation::of::<Signal>(),
                token,
                sent: AtomicBool::new(false),
            }),
        })
    }

    fn wake(&self) -> io::Result<()> {
        if self.signal.sent.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // SAFETY: the packet is not on the way, and we are the one that sends it.
        let sent = unsafe { self.port.send(&self.signal) };
        sent.inspect_err(|_| self.signal.sent.store(false, Ordering::Release))
    }
}

// SAFETY: `repr(C)`, and the first field is made by `Waker::new`.
unsafe impl Overlapped for Signal {
    fn done(self: Arc<Signal>, _: NTSTATUS, _: usize, _: Option<&Arc<Port>>, deliver: Deliver<'_>) {
        if self.sent.swap(false, Ordering::AcqRel) {
            deliver(Event::new(self.token, Ready::READABLE));
        }
    }
}

impl Drop for Waker {
    /// A wake that was not told yet goes with its waker.
    fn drop(&mut self) {
        self.signal.sent.store(false, Ordering::Release);
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}
