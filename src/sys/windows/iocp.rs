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

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::RawSocket;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Release};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::NTSTATUS;

use super::afd::{self, Socket, State};
use super::port::{BATCH, Deliver, Home, Operation, Overlapped, Port, lock};
use crate::error::no_capacity;
use crate::event::Event as PublicEvent;
use crate::ready::{Direction, Outcome, Ready};
use crate::sys;
use crate::{Interest, Token};

#[derive(Clone, Debug)]
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
        let row = Row(Some((Arc::clone(&self.port), Socket::new(&self.port)?)));
        self.modify(&row, socket, token, interest)?;
        Ok(row)
    }

    fn modify(&self, row: &Row, s: RawSocket, token: Token, interest: Interest) -> io::Result<()> {
        if let Some((port, socket)) = &row.0 {
            socket.open(port, s)?;
        }
        row.change(|state| state.watch(token, interest))
    }

    fn unsubscribe(&self, row: Row, _: RawSocket) -> io::Result<()> {
        drop(row);
        Ok(())
    }

    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        let mut room = [MaybeUninit::uninit(); BATCH];
        let room = &mut room[..events.capacity().min(BATCH)];
        if room.is_empty() {
            return Err(no_capacity());
        }
        // What the clock cannot reach does not end.
        let end = timeout.filter(|timeout| !timeout.is_zero());
        let end = end.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        loop {
            afd::flush(&self.port)?;
            let packets = self.port.take(room, milliseconds(left))?;
            for packet in packets {
                let mut deliver = |raw| events.push(PublicEvent { raw });
                self.port.complete(packet, Some(&self.port), &mut deliver);
            }
            if !events.is_empty() {
                return Ok(());
            }
            if let Some(end) = end {
                left = Some(end.saturating_duration_since(Instant::now()));
            }
            // What has ended without an event is polled anew, and may be ready by now.
            if packets.is_empty() && left.is_some_and(|left| left.is_zero()) {
                return Ok(());
            }
        }
    }
}

/// A socket under watch. Its drop ends that, so it goes before the socket.
#[derive(Debug)]
pub(crate) struct Row(Option<(Arc<Port>, Arc<Socket>)>);

impl Row {
    fn change(&self, by: impl FnOnce(&mut State)) -> io::Result<()> {
        let Some((port, socket)) = &self.0 else {
            return Ok(());
        };
        let mut state = lock(&socket.state);
        by(&mut state);
        socket.settle(&mut state, port)
    }
}

impl sys::Row for Row {
    const NONE: Row = Row(None);

    const LEVEL: bool = true;

    fn note(&self, direction: Direction, outcome: Outcome) {
        if !matches!(outcome, Outcome::Moved | Outcome::Nothing) {
            // It fails only where the kernel has no memory for an event.
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

#[derive(Copy, Clone)]
pub(crate) struct Event(Token, Ready);

impl Event {
    pub(super) fn new(token: Token, ready: Ready) -> Event {
        Event(token, ready)
    }
}

impl sys::RawEvent for Event {
    #[inline]
    fn token(&self) -> Token {
        self.0
    }

    #[inline]
    fn is(&self, ready: Ready) -> bool {
        self.1.contains(ready)
    }
}

/// The wait that does not end.
const INFINITE: u32 = u32::MAX;

/// Rounded up, so that no wait ends early; what does not fit is the longest wait that ends.
fn milliseconds(timeout: Option<Duration>) -> u32 {
    let up = |timeout: Duration| timeout.as_nanos().div_ceil(1_000_000);
    timeout.map_or(INFINITE, |timeout| {
        up(timeout).min((INFINITE - 1).into()) as u32
    })
}

#[derive(Debug)]
pub(crate) struct Waker {
    port: Arc<Port>,
    signal: Arc<Signal>,
}

#[derive(Debug)]
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
        let port = Arc::clone(&selector.port);
        let (operation, sent) = (Operation::of::<Signal>(), AtomicBool::new(false));
        let signal = Arc::new(Signal {
            operation,
            token,
            sent,
        });
        Ok(Waker { port, signal })
    }

    fn wake(&self) -> io::Result<()> {
        let sent = &self.signal.sent;
        if sent.swap(true, AcqRel) {
            return Ok(());
        }
        // SAFETY: the packet is not on the way, and we are the one that sends it.
        unsafe { self.port.send(&self.signal) }.inspect_err(|_| sent.store(false, Release))
    }
}

// SAFETY: `repr(C)`, and the first field is made by `Waker::new`.
unsafe impl Overlapped for Signal {
    fn done(self: Arc<Signal>, _: NTSTATUS, _: usize, _: Home<'_>, deliver: Deliver<'_>) {
        if self.sent.swap(false, AcqRel) {
            deliver(Event::new(self.token, Ready::READABLE));
        }
    }
}

impl Drop for Waker {
    /// A wake that was not told yet goes with its waker.
    fn drop(&mut self) {
        self.signal.sent.store(false, Release);
    }
}
