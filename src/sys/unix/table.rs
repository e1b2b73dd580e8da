//! The table of the poll(2) adapter: what is watched, and what of it the kernel is asked.
//!
//! What a source wants is *armed*, or was told and not found wanting since. An event disarms what
//! it tells, and tells the latter as well, as a kernel's edge does. Errors and hang-ups come
//! unasked, and stay: they disarm all, and count as armed until then, which keeps a row in the list
//! that has nothing else.
//!
//! Where no I/O call will say when to watch again, a pause does: what is *parked* is armed after
//! it. That is after a call that left something behind, or would fail again; after events of which
//! nothing comes; and for a source that tells of no calls. An event may come twice so, and none is
//! lost. Pure: no call to the system but for the time, and no unsafe code.

use std::io;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};
use std::{fmt, mem};

use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, c_short, pollfd};

use super::Event;
use super::bits::{RDHUP, wanted};
use crate::event::Event as PublicEvent;
use crate::sys::{Direction, Outcome};
use crate::{Interest, Token};

/// What a system can be asked for.
const KNOWN: c_short = if cfg!(target_os = "linux") {
    !0
} else {
    !RDHUP
};
const FAULT: c_short = POLLERR | POLLHUP | POLLNVAL;
/// So many events in a row of which nothing came are no accident.
const MANY: u8 = 4;
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(super) struct Table {
    /// By descriptor.
    slots: Vec<Slot>,
    /// The notifier's row, and those of slots with something armed. Empty while the kernel has it.
    pub(super) list: Vec<pollfd>,
    /// When the pause is over.
    resume: Option<Instant>,
    /// The descriptor to begin with, for whose event there was no room.
    turn: RawFd,
}

#[derive(Copy, Clone, Default)]
pub(super) struct Slot {
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
    pub(super) fn watch(&mut self, token: Token, interest: Interest) {
        // Whoever asks for nothing here is a source all the same.
        let wanted = wanted(FAULT.into(), interest) as c_short & KNOWN;
        (self.token, self.wanted) = (token.0, wanted);
        (self.armed, self.parked) = (wanted | FAULT, 0);
    }

    /// The source is a name, and will tell of no calls. An event may have been told already.
    pub(super) fn silence(&mut self) {
        self.mute = true;
        self.parked |= self.wanted & !self.armed;
    }

    /// An I/O call has ended so.
    pub(super) fn note(&mut self, direction: Direction, outcome: Outcome) {
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
    /// Changes the slot of a source that is `known`, or is not. Says whether the kernel, which has
    /// the list, does not know what it should.
    pub(super) fn change(
        &mut self,
        fd: RawFd,
        known: bool,
        change: impl FnOnce(&mut Slot),
    ) -> io::Result<bool> {
        let at = fd as usize;
        if !known && at >= self.slots.len() {
            self.slots.reserve(at | 255);
            self.slots.resize(at + 1, Slot::default());
        }
        let slot = self.slots.get_mut(at);
        let Some(slot) = slot.filter(|slot| (slot.wanted != 0) == known) else {
            let errno = if known { libc::ENOENT } else { libc::EEXIST };
            return Err(io::Error::from_raw_os_error(errno));
        };
        let before = (slot.armed, slot.parked);
        change(slot);
        let changed = before != (slot.armed, slot.parked);
        slot.changed |= changed;
        Ok(changed && self.list.is_empty())
    }

    /// Brings the list up to date, and tells how long the pause of what is parked lasts.
    pub(super) fn renew(&mut self) -> Option<Duration> {
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

    /// Makes events of what the kernel says. What it says of a row that has changed meanwhile is
    /// void: the next call will say it again, if it is still so.
    pub(super) fn tell(&mut self, events: &mut Vec<PublicEvent>) {
        let rows = &self.list[1..];
        let (later, first) = rows.split_at(rows.partition_point(|row| row.fd < self.turn));
        for row in first.iter().chain(later).filter(|row| row.revents != 0) {
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
            slot.parked = if slot.mute { slot.wanted & !FAULT } else { 0 };
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
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

pub(super) fn row(fd: RawFd, events: c_short) -> pollfd {
    let revents = 0;
    pollfd {
        fd,
        events,
        revents,
    }
}
