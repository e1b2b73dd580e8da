//! poll(2): the table is ours, and so are the edges.
//!
//! The kernel has no queue here. Each call takes the list of all that is waited for, answers what
//! is ready *now*, as long as it is, and forgets. Mio's model is the opposite. Between the two are:
//!
//! - the [`table`], which makes edges: an event disarms what it tells, and the outcome of the next
//!   I/O call arms it again (`io_source.rs` has the rule), or a pause;
//! - a notifier, by which other threads reach a poll that sleeps. While the kernel has the list,
//!   the table is free; a change then writes a byte that ends the call, and the kernel is asked
//!   anew for what is left of the time.
//!
//! A descriptor that is found closed is an error of its source, once, and leaves the table. There
//! is no descriptor that another poller could watch, so none is shown.
#![allow(unsafe_code)]

mod bits;
mod table;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libc::{POLLIN, c_short};

use self::bits::{milliseconds, says};
use self::table::{Slot, Table, row};
use super::cvt;
use crate::error::no_capacity;
use crate::event::Event as PublicEvent;
use crate::ready::Ready;
use crate::sys::{self, Direction, Outcome, Row as _, Selector as _};
use crate::{Interest, Token};

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
        let notifier = Arc::new(super::pipe()?.map(File::from));
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
        Ok(Row(Some(self.clone()), fd))
    }

    fn modify(&self, _: &Row, fd: RawFd, token: Token, interest: Interest) -> io::Result<()> {
        self.change(fd, true, |slot| slot.watch(token, interest))
    }

    fn unsubscribe(&self, mut row: Row, fd: RawFd) -> io::Result<()> {
        row.0 = None;
        self.change(fd, true, |slot| *slot = Slot::default())
    }

    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        let later = timeout.filter(|timeout| !timeout.is_zero());
        let end = later.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        while events.capacity() > 0 {
            let mut table = self.lock();
            let sleep = match table.renew() {
                Some(pause) => Some(left.map_or(pause, |left| left.min(pause))),
                None => left,
            };
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
                answer => answer.map(|_| table.tell(events))?,
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

    fn change(&self, fd: RawFd, known: bool, change: impl FnOnce(&mut Slot)) -> io::Result<()> {
        if self.lock().change(fd, known, change)? {
            // A pipe that is full has said it already.
            let _ = (&self.notifier[1]).write(&[1]);
        }
        Ok(())
    }
}

/// A source's slot. Its drop empties it, so it goes before the descriptor.
#[derive(Debug)]
pub(crate) struct Row(Option<Selector>, RawFd);

impl Row {
    fn change(&self, change: impl FnOnce(&mut Slot)) {
        if let Row(Some(selector), fd) = self {
            // Its descriptor may have been found closed.
            let _ = selector.change(*fd, true, change);
        }
    }
}

impl sys::Row for Row {
    const LEVEL: bool = true;
    const NONE: Row = Row(None, -1);

    #[inline]
    fn note(&self, direction: Direction, outcome: Outcome) {
        if !matches!(outcome, Outcome::Moved | Outcome::Nothing) {
            self.change(|slot| slot.note(direction, outcome));
        }
    }

    fn release(mut self) {
        self.change(Slot::silence);
        self.0 = None;
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
        let pipe = super::pipe()?.map(File::from);
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
