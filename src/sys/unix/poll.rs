//! poll(2): the table is ours, and so are the edges.
//!
//! The kernel has no queue here. Each call takes the list of all that is waited for, answers what
//! is ready *now*, as long as it is, and forgets. Mio's model is the opposite. Between the two:
//!
//! - *Edges.* An event disarms what it tells, and the outcome of the next I/O call arms it again
//!   (`io_source.rs` has the rule). So what a source asked for is armed, or was told and not found
//!   wanting since; an event tells the latter as well, as a kernel's edge does. Errors and hang-ups
//!   come unasked, and stay: they disarm all. Until then the row is in the list even where nothing
//!   else is armed.
//! - *Parking.* Where no I/O call will say when to watch again, because the last one left something
//!   behind, or because a `SourceFd` tells of none, a pause does. An event may come twice so, and
//!   none is lost.
//! - *Threads.* While the kernel has the list, the table is free. A change then ends the call by a
//!   byte in the notifier, and makes the answer for its row void: the next call says it again.
//! - *A closed descriptor* is an error of its source, once, and ends the registration.
//!
//! There is no descriptor that another poller could watch, so none is shown.
#![allow(unsafe_code)]

mod bits;

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, mem};

use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, c_short, pollfd};

use self::bits::{RDHUP, milliseconds, says, wanted};
use super::cvt;
use crate::error::no_capacity;
use crate::event::Event as PublicEvent;
use crate::ready::Ready;
use crate::sys::{self, Direction, Outcome, Row as _, Selector as _};
use crate::{Interest, Token};

const READ: c_short = POLLIN | POLLPRI | RDHUP;
/// What comes unasked. Armed all the same, it keeps the row in the list.
const FAULT: c_short = POLLERR | POLLHUP | POLLNVAL;
/// What a system can be asked for.
const KNOWN: c_short = if cfg!(target_os = "linux") {
    !0
} else {
    !RDHUP
};
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub(crate) struct Selector {
    table: Arc<Mutex<Table>>,
}

impl sys::Selector for Selector {
    type Source = RawFd;
    type Row = Row;
    type Event = Event;

    fn new() -> io::Result<Selector> {
        let table = Table::new(UnixStream::pair()?);
        let table = Arc::new(Mutex::new(table));
        Ok(Selector { table })
    }

    fn try_clone(&self) -> io::Result<Selector> {
        Ok(self.clone())
    }

    fn subscribe(&self, fd: RawFd, token: Token, interest: Interest) -> io::Result<Row> {
        // SAFETY: only numbers go in. It fails where there is no such descriptor.
        cvt(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
        let table = &mut self.lock();
        let count = table.slots.len().max(fd as usize + 1);
        table.slots.resize(count, Slot::default());
        table.change(fd, false, |slot| slot.watch(token, interest))?;
        let selector = Some(self.clone());
        Ok(Row { selector, fd })
    }

    fn modify(&self, _: &Row, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        let watch = |slot: &mut Slot| slot.watch(token, interest);
        self.lock().change(fd, true, watch)
    }

    fn unsubscribe(&self, mut row: Row, fd: RawFd) -> io::Result<()> {
        row.selector = None;
        self.lock().change(fd, true, |slot| *slot = Slot::default())
    }

    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        if events.capacity() == 0 {
            return Err(no_capacity());
        }
        let once = timeout == Some(Duration::ZERO);
        let end = timeout.filter(|_| !once);
        let end = end.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        loop {
            let mut table = self.lock();
            let sleep = left.into_iter().chain(table.renew()).min();
            let mut list = mem::take(&mut table.list);
            drop(table);
            let (rows, count) = (list.as_mut_ptr(), list.len() as libc::nfds_t);
            // SAFETY: these are `list`'s rows, which nobody else has during the call.
            let answer = cvt(unsafe { libc::poll(rows, count, milliseconds(sleep)) });
            let told = self.lock().settle(list, answer, events);
            if once || told? {
                return Ok(());
            }
            left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(());
            }
        }
    }
}

impl Selector {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector").finish_non_exhaustive()
    }
}

struct Table {
    /// The sources, by descriptor.
    slots: Vec<Slot>,
    /// The notifier's row, and those of all slots with something armed. Empty while the kernel has
    /// it.
    list: Vec<pollfd>,
    /// A slot has changed, and the list has not.
    stale: bool,
    notifier: (UnixStream, UnixStream),
    /// There is a byte in it.
    notified: bool,
    /// When what is parked is armed.
    resume: Option<Instant>,
    /// The descriptor whose event is next, where there was no room.
    turn: RawFd,
}

#[derive(Copy, Clone, Default)]
struct Slot {
    token: usize,
    /// Nothing where there is no source.
    wanted: c_short,
    armed: c_short,
    parked: c_short,
    /// It has changed since the list was made.
    changed: bool,
    /// The source tells of no I/O.
    mute: bool,
}

impl Slot {
    fn watch(&mut self, token: Token, interest: Interest) {
        self.token = token.0;
        self.wanted = wanted(interest) & KNOWN;
        self.armed = self.wanted | FAULT;
        self.parked = 0;
    }
}

impl Table {
    fn new(notifier: (UnixStream, UnixStream)) -> Table {
        Table {
            slots: Vec::new(),
            list: Vec::new(),
            stale: true,
            notifier,
            notified: false,
            resume: None,
            turn: 0,
        }
    }

    /// Changes the slot of a source that is `known`, or is not, and tells the kernel.
    fn change(&mut self, fd: RawFd, known: bool, change: impl FnOnce(&mut Slot)) -> io::Result<()> {
        let slot = self.slots.get_mut(fd as usize);
        let Some(slot) = slot.filter(|slot| (slot.wanted != 0) == known) else {
            let errno = if known { libc::ENOENT } else { libc::EEXIST };
            return Err(io::Error::from_raw_os_error(errno));
        };
        let before = (slot.armed, slot.parked);
        change(slot);
        if before != (slot.armed, slot.parked) {
            slot.changed = true;
            self.stale = true;
            if self.list.is_empty() && !self.notified {
                self.notified = self.notifier.0.write(&[1]).is_ok();
            }
        }
        Ok(())
    }

    /// Brings the list up to date, and says how long the pause of what is parked lasts.
    fn renew(&mut self) -> Option<Duration> {
        let over = self.resume.is_some_and(|resume| resume <= Instant::now());
        if self.stale || over {
            self.stale = false;
            self.list.clear();
            let row = |fd, events| pollfd {
                fd,
                events,
                revents: 0,
            };
            self.list.push(row(self.notifier.1.as_raw_fd(), POLLIN));
            let mut parked = false;
            for (fd, slot) in self.slots.iter_mut().enumerate() {
                if over && slot.parked != 0 {
                    slot.armed |= mem::take(&mut slot.parked) | FAULT;
                }
                parked |= slot.parked != 0;
                slot.changed = false;
                if slot.armed != 0 {
                    self.list.push(row(fd as RawFd, slot.armed));
                }
            }
            let resume = self.resume;
            self.resume = parked.then(|| resume.unwrap_or_else(|| Instant::now() + PAUSE));
        }
        let resume = self.resume?;
        Some(resume.saturating_duration_since(Instant::now()))
    }

    /// Takes the list back with the kernel's answer, and says whether there are events.
    fn settle(
        &mut self,
        list: Vec<pollfd>,
        answer: io::Result<i32>,
        events: &mut Vec<PublicEvent>,
    ) -> io::Result<bool> {
        if mem::take(&mut self.notified) {
            let _ = self.notifier.1.read(&mut [0; 1])?;
        }
        let count = match answer {
            // Some kernels are short of memory so, and want to be asked again.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            answer => answer,
        };
        let (_, rows) = list.split_at(1);
        let (last, first) = rows.split_at(rows.partition_point(|row| row.fd < self.turn));
        let told = first.iter().chain(last).filter(|row| row.revents != 0);
        for row in told.take(*count.as_ref().unwrap_or(&0) as usize) {
            let slot = &mut self.slots[row.fd as usize];
            if slot.changed {
                continue;
            }
            if events.len() == events.capacity() {
                self.turn = row.fd;
                break;
            }
            self.stale = true;
            let fault = row.revents & FAULT != 0;
            slot.armed &= if fault { 0 } else { !row.revents };
            slot.parked = if slot.mute { slot.wanted } else { 0 };
            let open = slot.wanted & !slot.armed & (POLLIN | POLLOUT);
            let (token, events_) = (Token(slot.token), row.revents | open);
            events.push(PublicEvent {
                raw: Event {
                    token,
                    events: events_,
                },
            });
            if row.revents & POLLNVAL != 0 {
                *slot = Slot::default();
            }
        }
        self.list = list;
        count.map(|_| !events.is_empty())
    }
}

/// A source's slot. Its drop empties it, so it goes before the descriptor.
#[derive(Debug)]
pub(crate) struct Row {
    selector: Option<Selector>,
    fd: RawFd,
}

impl Row {
    fn change(&self, change: impl FnOnce(&mut Slot)) {
        if let Some(selector) = &self.selector {
            // It may have left the table already, by a fault of its own.
            let _ = selector.lock().change(self.fd, true, change);
        }
    }
}

impl sys::Row for Row {
    const NONE: Row = Row {
        selector: None,
        fd: -1,
    };
    const LEVEL: bool = true;

    #[inline]
    fn note(&self, direction: Direction, outcome: Outcome) {
        if matches!(outcome, Outcome::Moved | Outcome::Nothing) {
            return;
        }
        let bits = [READ, POLLOUT][direction as usize];
        self.change(|slot| match (outcome, slot.wanted & bits) {
            (_, 0) => {}
            (Outcome::Took | Outcome::Drained | Outcome::Dry, bits) => slot.armed |= bits | FAULT,
            (Outcome::Ended, bits) => slot.armed &= !bits,
            (_, bits) => slot.parked |= bits & !slot.armed,
        });
    }

    fn release(mut self) {
        self.change(|slot| slot.mute = true);
        self.selector = None;
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.change(|slot| *slot = Slot::default());
    }
}

#[derive(Copy, Clone)]
pub(crate) struct Event {
    token: Token,
    events: c_short,
}

impl sys::RawEvent for Event {
    #[inline]
    fn token(&self) -> Token {
        self.token
    }

    #[inline]
    fn is(&self, ready: Ready) -> bool {
        says(self.events.into(), ready)
    }
}

/// A source that can always be read and is told of when a wake arms it.
#[derive(Debug)]
pub(crate) struct Waker {
    row: Row,
    _pipe: (UnixStream, UnixStream),
}

impl sys::Wake for Waker {
    type Selector = Selector;

    fn new(selector: &Selector, token: Token) -> io::Result<Waker> {
        let mut pipe = UnixStream::pair()?;
        let row = selector.subscribe(pipe.1.as_raw_fd(), token, Interest::READABLE)?;
        row.note(Direction::Read, Outcome::Ended);
        pipe.0.write_all(&[1])?;
        Ok(Waker { row, _pipe: pipe })
    }

    fn wake(&self) -> io::Result<()> {
        self.row.note(Direction::Read, Outcome::Dry);
        Ok(())
    }
}
