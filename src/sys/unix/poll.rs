//! poll(2): the table is ours, and so are the edges.
//!
//! The kernel has no queue here. Each call takes the list of all that is waited for, answers what
//! is ready *now*, as long as it is, and forgets. Mio's model is the opposite. Between the two:
//!
//! - *Edges.* An event disarms what it tells, and the outcome of the next I/O call arms it again
//!   (`io_source.rs` has the rule). So what a source asked for is armed, or was told and not found
//!   wanting since; an event tells the latter as well, as a kernel's edge does. Errors and hang-ups
//!   come unasked, and stay: they disarm all, and until then the row is in the list.
//! - *Parking.* Where no I/O call will say when to watch again, because the last one left something
//!   behind, or events come and nothing of them, or a `SourceFd` tells of no calls, a pause does.
//!   An event may come twice so, and none is lost.
//! - *Threads.* While the kernel has the list, the table is free. A change then ends the call by a
//!   byte in the notifier, and makes the answer for its row void: the next call says it again.
//! - *A closed descriptor* is an error of its source, once, and ends the registration.
//!
//! There is no descriptor that another poller could watch, so none is shown.
#![allow(unsafe_code)]

mod bits;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, mem};

use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, c_short, pollfd};

use self::bits::{RDHUP, milliseconds, says, wanted};
use super::{cvt, open};
use crate::error::no_capacity;
use crate::event::Event as PublicEvent;
use crate::ready::Ready;
use crate::sys::{self, Direction, Outcome, Row as _, Selector as _};
use crate::{Interest, Token};

/// What comes unasked. Armed all the same, it keeps the row in the list.
const FAULT: c_short = POLLERR | POLLHUP | POLLNVAL;
/// So many events in a row of which nothing came are no accident.
const MANY: u8 = 4;
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(crate) struct Selector {
    table: Arc<Mutex<Table>>,
    /// The end to read from, and the end to write to.
    notifier: Arc<[File; 2]>,
}

impl sys::Selector for Selector {
    type Source = RawFd;
    type Row = Row;
    type Event = Event;

    fn new() -> io::Result<Selector> {
        let notifier = Arc::new(open::pipe()?.map(File::from));
        let mut table = Table::default();
        table.list.push(row(notifier[0].as_raw_fd(), POLLIN));
        let table = Arc::new(Mutex::new(table));
        Ok(Selector { table, notifier })
    }

    fn try_clone(&self) -> io::Result<Selector> {
        Ok(self.clone())
    }

    fn subscribe(&self, fd: RawFd, token: Token, interest: Interest) -> io::Result<Row> {
        // SAFETY: it is numbers, and zero is a value of each.
        let mut stat: libc::stat = unsafe { mem::zeroed() };
        // SAFETY: the kernel writes one `stat`.
        cvt(unsafe { libc::fstat(fd, &mut stat) })?;
        if stat.st_mode & libc::S_IFMT == libc::S_IFREG {
            // A file is always ready. As epoll does:
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        self.change(fd, false, |slot| slot.watch(token, interest))?;
        let selector = Some(self.clone());
        Ok(Row { selector, fd })
    }

    fn modify(&self, _: &Row, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.change(fd, true, |slot| slot.watch(token, interest))
    }

    fn unsubscribe(&self, mut row: Row, fd: RawFd) -> io::Result<()> {
        row.selector = None;
        self.change(fd, true, |slot| *slot = Slot::default())
    }

    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        let later = timeout.filter(|timeout| !timeout.is_zero());
        let end = later.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        while events.capacity() > 0 {
            let mut table = self.lock();
            let sleep = left.into_iter().chain(table.renew()).min();
            let mut list = mem::take(&mut table.list);
            drop(table);
            let (rows, count) = (list.as_mut_ptr(), list.len() as libc::nfds_t);
            // SAFETY: these are `list`'s rows, which nobody else has during the call.
            let answer = cvt(unsafe { libc::poll(rows, count, milliseconds(sleep)) });
            if list[0].revents != 0 {
                let _ = (&self.notifier[0]).read(&mut [0; 64]);
            }
            let mut table = self.lock();
            table.list = list;
            match answer {
                // Some kernels are short of memory so, and want to be asked again.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                answer => table.tell(answer? as usize, events),
            }
            if !events.is_empty() || left == Some(Duration::ZERO) {
                return Ok(());
            }
            left = end.map(|end| end.saturating_duration_since(Instant::now()));
        }
        Err(no_capacity())
    }
}

impl Selector {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the slot of a source that is `known`, or is not.
    fn change(&self, fd: RawFd, known: bool, change: impl FnOnce(&mut Slot)) -> io::Result<()> {
        let (table, at) = (&mut *self.lock(), fd as usize);
        if !known && at >= table.slots.len() {
            table.slots.reserve(at | 255);
            table.slots.resize(at + 1, Slot::default());
        }
        let slot = table.slots.get_mut(at);
        let Some(slot) = slot.filter(|slot| (slot.wanted != 0) == known) else {
            let errno = if known { libc::ENOENT } else { libc::EEXIST };
            return Err(io::Error::from_raw_os_error(errno));
        };
        let before = (slot.armed, slot.parked);
        change(slot);
        if before != (slot.armed, slot.parked) {
            slot.changed = true;
            if table.list.is_empty() {
                // A pipe that is full has said it already.
                let _ = (&self.notifier[1]).write(&[1]);
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Table {
    /// The sources, by descriptor.
    slots: Vec<Slot>,
    /// The notifier's row, and those of slots with something armed. The kernel has it where empty.
    list: Vec<pollfd>,
    /// When the pause of what is parked is over.
    resume: Option<Instant>,
    /// The descriptor to begin with, for whose event there was no room.
    turn: RawFd,
}

#[derive(Copy, Clone, Default)]
struct Slot {
    token: usize,
    /// Nothing where there is no source.
    wanted: c_short,
    armed: c_short,
    parked: c_short,
    futile: u8,
    /// It has since the list was made.
    changed: bool,
    /// The source tells of no calls.
    mute: bool,
}

impl Slot {
    fn watch(&mut self, token: Token, interest: Interest) {
        (self.token, self.wanted, self.parked) = (token.0, wanted(interest), 0);
        self.armed = self.wanted | FAULT;
    }

    fn note(&mut self, direction: Direction, outcome: Outcome) {
        let bits = [POLLIN | POLLPRI | RDHUP, POLLOUT][direction as usize] & self.wanted;
        let fired = bits & !self.armed;
        self.futile = match outcome {
            Outcome::Dry => self.futile.saturating_add((fired & POLLIN != 0).into()),
            _ => 0,
        };
        match outcome {
            Outcome::Ended => self.armed &= !bits,
            Outcome::Left | Outcome::Stuck => self.parked |= fired,
            _ if self.futile > MANY => self.parked |= fired,
            _ if bits != 0 => self.armed |= bits | FAULT,
            _ => {}
        }
    }
}

impl Table {
    /// Brings the list up to date, and tells how long the pause of what is parked lasts.
    fn renew(&mut self) -> Option<Duration> {
        let over = self.resume.is_some_and(|end| end <= Instant::now());
        let mut parked = 0;
        self.list.truncate(1);
        for (fd, slot) in self.slots.iter_mut().enumerate() {
            if over && slot.parked != 0 {
                slot.armed |= mem::take(&mut slot.parked) | FAULT;
            }
            parked |= slot.parked;
            slot.changed = false;
            if slot.armed != 0 {
                self.list.push(row(fd as RawFd, slot.armed));
            }
        }
        let end = self.resume;
        self.resume = (parked != 0).then(|| end.unwrap_or_else(|| Instant::now() + PAUSE));
        let end = self.resume?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Makes events of what the kernel says of `count` rows.
    fn tell(&mut self, count: usize, events: &mut Vec<PublicEvent>) {
        let (_, rows) = self.list.split_at(1);
        let (later, first) = rows.split_at(rows.partition_point(|row| row.fd < self.turn));
        let told = first.iter().chain(later).filter(|row| row.revents != 0);
        for row in told.take(count) {
            let slot = &mut self.slots[row.fd as usize];
            if slot.changed {
                continue;
            }
            if events.len() == events.capacity() {
                self.turn = row.fd;
                break;
            }
            let fault = row.revents & FAULT != 0;
            slot.armed &= if fault { 0 } else { !row.revents };
            slot.parked = if slot.mute { slot.wanted } else { 0 };
            let open = slot.wanted & !slot.armed & (POLLIN | POLLOUT);
            let raw = Event(Token(slot.token), row.revents | open);
            events.push(PublicEvent { raw });
            if row.revents & POLLNVAL != 0 {
                *slot = Slot::default();
            }
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Table")
    }
}

fn row(fd: RawFd, events: c_short) -> pollfd {
    let revents = 0;
    pollfd {
        fd,
        events,
        revents,
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
            // Its descriptor may have been found closed.
            let _ = selector.change(self.fd, true, change);
        }
    }
}

impl sys::Row for Row {
    const LEVEL: bool = true;
    const NONE: Row = Row {
        selector: None,
        fd: -1,
    };

    #[inline]
    fn note(&self, direction: Direction, outcome: Outcome) {
        if !matches!(outcome, Outcome::Moved | Outcome::Nothing) {
            self.change(|slot| slot.note(direction, outcome));
        }
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
pub(crate) struct Event(Token, c_short);

impl sys::RawEvent for Event {
    #[inline]
    fn token(&self) -> Token {
        self.0
    }

    #[inline]
    fn is(&self, ready: Ready) -> bool {
        says(self.1.into(), ready)
    }
}

/// A source that can always be read: it is armed by a wake, and by nothing else.
#[derive(Debug)]
pub(crate) struct Waker {
    row: Row,
    _pipe: [File; 2],
}

impl sys::Wake for Waker {
    type Selector = Selector;

    fn new(selector: &Selector, token: Token) -> io::Result<Waker> {
        let pipe = open::pipe()?.map(File::from);
        let row = selector.subscribe(pipe[0].as_raw_fd(), token, Interest::READABLE)?;
        row.note(Direction::Read, Outcome::Ended);
        (&pipe[1]).write_all(&[1])?;
        Ok(Waker { row, _pipe: pipe })
    }

    fn wake(&self) -> io::Result<()> {
        self.row.note(Direction::Read, Outcome::Took);
        Ok(())
    }
}
