//! The subscription table: every registered source, and its rows in the list for the host.
//!
#![doc = include_str!("table.md")]

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use wasi::Fd;

use super::row::{FdHasher, Key, Role};
use super::rows::{PARKED, Rows, put};
use crate::event::Event;
use crate::ready::Ready;
use crate::sys::{Direction, Outcome};
use crate::{Interest, Token};

/// After so many events of which nothing came, the next is told after a pause: a host may call
/// ready what is not, such as a datagram socket that was shut down (WasmEdge 0.14 to 0.17).
const MANY: u8 = 4;

/// The host said that the peer is gone: behind a short read there is the end, to be read at once.
const ENDING: u32 = u32::MAX;

#[derive(Default)]
pub(super) struct Table {
    pub(super) rows: Rows,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_fd: HashMap<Fd, u32, BuildHasherDefault<FdHasher>>,
    parked: Vec<u64>,
    /// How many sources take datagrams.
    datagrams: usize,
    /// The slot that a report in turn goes on with.
    turn: usize,
    /// Counts waits, so that a slot knows whether its event is in this one's output.
    wait: u64,
    /// Tells a wait from those shortly before and after it; never 0 or `ENDING`.
    stamp: u32,
}

struct Slot {
    fd: Fd,
    generation: u32,
    token: Token,
    interest: Interest,
    role: Role,
    /// The last wait that reported this source, and where in its output.
    reported: (u64, u32),
    /// The stamp of the wait after which a read came up short, until the next; 0, or `ENDING`.
    drained: u32,
    /// How many events in a row, by direction, nothing came of.
    futile: [u8; 2],
}

/// What became of an event.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Done,
    /// Its row is not in the list (any more).
    Stale,
    /// The output has no room; the row stays armed.
    Full,
}

impl Table {
    pub(super) fn new() -> Table {
        Table {
            rows: Rows::new(),
            stamp: 1,
            ..Table::default()
        }
    }

    /// Adds a source with every row of `interest` armed; `None` where its descriptor is in here
    /// already, since WasmEdge refuses the second row of a descriptor and direction (errno 20).
    pub(super) fn insert(&mut self, fd: Fd, role: Role, t: Token, i: Interest) -> Option<Key> {
        if self.by_fd.contains_key(&fd) {
            return None;
        }
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        let at = slot as usize;
        let generation = self.slots.get(at).map_or(0, |slot| slot.generation);
        let entry = Slot {
            fd,
            generation,
            token: t,
            interest: i,
            role,
            reported: (0, 0),
            drained: 0,
            futile: [0; 2],
        };
        put(&mut self.slots, at, entry);
        self.by_fd.insert(fd, slot);
        self.rows.renew(slot, role == Role::Listener);
        self.datagrams += usize::from(role == Role::Datagrams);
        let key = Key { slot, generation };
        self.modify(key, t, i);
        Some(key)
    }

    /// Replaces token and interest, and arms every row of the interest: what is ready fires once
    /// more, as it does with epoll.
    pub(super) fn modify(&mut self, key: Key, token: Token, interest: Interest) {
        let Some(slot) = self.find(key) else { return };
        self.slots[slot].token = token;
        self.slots[slot].interest = interest;
        self.slots[slot].drained = 0;
        for direction in [Direction::Read, Direction::Write] {
            if wants(interest, direction) {
                self.arm(key, direction);
            } else {
                self.disarm(key, direction);
            }
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        let Some(slot) = self.find(key) else { return };
        self.disarm(key, Direction::Read);
        self.disarm(key, Direction::Write);
        self.by_fd.remove(&self.slots[slot].fd);
        self.datagrams -= usize::from(self.slots[slot].role == Role::Datagrams);
        self.slots[slot].generation = key.generation.wrapping_add(1);
        self.free.push(key.slot);
    }

    /// An I/O call has ended so: arms the direction, or disarms or parks it.
    pub(super) fn note(&mut self, key: Key, direction: Direction, outcome: Outcome) {
        let Some(slot) = self.find(key) else { return };
        let armed = self.rows.is_armed(key.slot, direction);
        let slot = &mut self.slots[slot];
        if direction == Direction::Read && slot.drained != ENDING {
            slot.drained = 0;
        }
        let futile = &mut slot.futile[direction as usize];
        *futile = match outcome {
            Outcome::Dry if !armed => futile.saturating_add(1),
            Outcome::Dry | Outcome::Stuck | Outcome::Ended | Outcome::Nothing => *futile,
            _ => 0,
        };
        let patient = *futile <= MANY;
        let known = outcome == Outcome::Drained && slot.drained != ENDING;
        if known && wants(slot.interest, direction) {
            slot.drained = self.stamp;
        }
        match outcome {
            Outcome::Took | Outcome::Drained => self.arm(key, direction),
            Outcome::Dry if !armed && patient => self.arm(key, direction),
            Outcome::Dry | Outcome::Left if !armed => self.park(key, direction),
            Outcome::Stuck => self.park(key, direction),
            Outcome::Ended => self.disarm(key, direction),
            _ => {}
        }
    }

    /// Whether the source is known to have nothing to read: the last read came up short, its row is
    /// armed, and no wait has begun since. It is known once, and asked again the host is to say.
    pub(super) fn take_drained(&mut self, key: Key) -> bool {
        let slot = self.find(key).map(|slot| &mut self.slots[slot]);
        slot.is_some_and(|slot| {
            let known = slot.drained == self.stamp;
            slot.drained *= u32::from(!known);
            known
        })
    }

    /// Puts the row of a direction into the list, if the source's interest has it.
    pub(super) fn arm(&mut self, key: Key, direction: Direction) {
        let Some(slot) = self.find(key) else { return };
        let Slot { fd, interest, .. } = self.slots[slot];
        if wants(interest, direction) && !self.rows.is_armed(key.slot, direction) {
            self.unpark_one(key, direction);
            self.rows.arm(key, fd, direction);
        }
    }

    pub(super) fn disarm(&mut self, key: Key, direction: Direction) {
        if self.find(key).is_some() {
            self.unpark_one(key, direction);
            self.rows.disarm(key.slot, direction);
        }
    }

    fn unpark_one(&mut self, key: Key, direction: Direction) {
        if self.rows.at(key.slot, direction) == PARKED {
            self.parked.retain(|row| *row != key.pack(direction));
        }
    }

    /// Takes a row out of the list until [`Table::unpark`].
    pub(super) fn park(&mut self, key: Key, direction: Direction) {
        let Some(slot) = self.find(key) else { return };
        let parked = self.rows.at(key.slot, direction) == PARKED;
        if !parked && wants(self.slots[slot].interest, direction) {
            self.rows.park(key.slot, direction);
            self.parked.push(key.pack(direction));
        }
    }

    pub(super) fn unpark(&mut self) {
        while let Some(userdata) = self.parked.pop() {
            let (key, direction) = Key::unpack(userdata);
            if self.find(key).is_some() {
                self.rows.disarm(key.slot, direction);
                self.arm(key, direction);
            }
        }
    }

    /// Whether a wait may end with nothing: see [`Table::park_writers`], [`Table::report_silent`].
    pub(super) fn has_suspects(&self) -> bool {
        self.datagrams > 0 || self.rows.writers > 0
    }

    pub(super) fn parked(&self) -> usize {
        self.parked.len()
    }

    pub(super) fn has_armed(&self) -> bool {
        self.rows.count() > 0
    }

    /// A new wait begins, with an empty output.
    pub(super) fn begin(&mut self) {
        self.wait += 1;
        self.stamp = self.stamp % (ENDING - 1) + 1;
        self.rows.settle();
    }

    /// Adds `ready` to the event of the source whose row is `row`, and disarms the row.
    pub(super) fn deliver(&mut self, row: u64, ready: Ready, out: &mut Vec<Event>) -> Delivery {
        let (key, direction) = Key::unpack(row);
        let Some(slot) = self.find(key) else {
            return Delivery::Stale;
        };
        let handed = self.rows.is_handed(self.rows.at(key.slot, direction));
        if !handed || !self.rows.is_armed(key.slot, direction) {
            return Delivery::Stale;
        }
        let slot = &mut self.slots[slot];
        if ready.contains(Ready::READ_CLOSED) {
            slot.drained = ENDING;
        }
        // What has fired and was not found wanting since may still be ready: a kernel's edge says
        // so as well, and there are programs that count on it.
        let other = direction.other();
        let open = wants(slot.interest, other)
            && !self.rows.is_armed(key.slot, other)
            && self.rows.at(key.slot, other) != PARKED;
        let ready = ready | other.ready().when(open);
        let (wait, index) = slot.reported;
        if wait == self.wait {
            let raw = &mut out[index as usize].raw;
            raw.ready = raw.ready | ready;
        } else if out.len() < out.capacity() {
            slot.reported = (self.wait, out.len() as u32);
            let token = slot.token;
            let raw = super::Event { token, ready };
            out.push(Event { raw });
        } else {
            return Delivery::Full;
        }
        self.rows.fire(key.slot, direction);
        Delivery::Done
    }

    /// Parks the rows of sources that are watched for writing alone, and says whether there were
    /// any. On WasmEdge (0.14 to 0.17) a stream whose peer has half-closed, and whose send buffer
    /// is full, ends every wait at once with no event: it is one of these.
    pub(super) fn park_writers(&mut self) -> bool {
        let before = self.rows.count();
        for at in self.rows.handed() {
            let (key, direction) = self.rows.get(at);
            if direction == Direction::Write && self.is_suspect(key.slot as usize) {
                self.park(key, direction);
            }
        }
        self.rows.count() < before
    }

    /// Reports somebody as readable, as far as there is room. On WasmEdge (0.14 to 0.17) a datagram
    /// socket that is watched for reading alone and has a pending error, such as a refusal by ICMP,
    /// ends every wait at once with no event; its next call tells the error. Where there is no such
    /// socket, whatever is armed is reported, if the host has said nothing before: an event may be
    /// spurious, and silence must not last.
    pub(super) fn report_silent(&mut self, out: &mut Vec<Event>, before: bool) {
        self.report_in_turn(out, |table, slot, direction| {
            direction == Direction::Read && table.is_suspect(slot)
        });
        if out.is_empty() && before {
            self.report_in_turn(out, |_, _, _| true);
        }
    }

    /// Reports rows that the host was handed and that `pick` names, each time from where there
    /// was no room left.
    fn report_in_turn(&mut self, out: &mut Vec<Event>, pick: fn(&Table, usize, Direction) -> bool) {
        let count = self.slots.len();
        let first = self.turn;
        for at in (first..first + count).map(|at| at % count) {
            let generation = self.slots[at].generation;
            let slot = at as u32;
            for direction in [Direction::Read, Direction::Write] {
                let armed = self.rows.is_armed(slot, direction);
                if !armed || !pick(self, at, direction) {
                    continue;
                }
                let row = Key { slot, generation }.pack(direction);
                if self.deliver(row, direction.ready(), out) == Delivery::Full {
                    self.turn = at;
                    return;
                }
            }
        }
    }

    /// Watched in one direction alone, in which WasmEdge (0.14 to 0.17) may see less than there is.
    fn is_suspect(&self, slot: usize) -> bool {
        let armed = |direction| self.rows.is_armed(slot as u32, direction);
        match [Direction::Read, Direction::Write].map(armed) {
            [true, false] => self.slots[slot].role == Role::Datagrams,
            [false, true] => true,
            _ => false,
        }
    }

    fn find(&self, key: Key) -> Option<usize> {
        let slot = self.slots.get(key.slot as usize)?;
        (slot.generation == key.generation).then_some(key.slot as usize)
    }
}

fn wants(interest: Interest, direction: Direction) -> bool {
    [interest.is_readable(), interest.is_writable()][direction as usize]
}
