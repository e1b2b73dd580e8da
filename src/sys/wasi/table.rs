//! The subscription table: every registered source, kept as the list that the host is handed.
//!
//! [`Table::list`] *is* the wire format. `poll_oneoff` takes the whole list with each call and
//! forgets it, so the list is never built: a row is pushed when a direction is armed, and leaves
//! by `swap_remove` when its event is delivered; both cost the same with ten rows or ten thousand.
//! Row 0 is kept for what ends a wait by itself (a clock, or the spare socket), so that the list
//! with and without it are two slices of one array.
//!
//! Words: a *source* is a descriptor with a token and an interest, and owns a *slot*; a *row* is a
//! subscription, one per source and direction. A direction is *armed* (its row is in the list),
//! *disarmed* (it is not) or *parked* (it is not, and comes back after a pause).
//!
//! The host returns with each event the number that its row carried: generation, slot, direction.
//! A slot that is used again has a newer generation, so an event of its former owner finds nobody.
//!
//! Pure: no host call and no unsafe code, so that it is tested on any machine. Each wait's events
//! of one source are merged into one, for which the slot notes where in the output it stands.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use wasi::{Fd, Subscription};

use super::row::{FdHasher, First, Key, row};
use crate::event::Event;
use crate::ready::Ready;
use crate::sys::{Direction, Outcome};
use crate::{Interest, Token};

const DISARMED: u32 = 0;
const PARKED: u32 = u32::MAX;

/// After so many events of which nothing came, the next is told after a pause: a host may call
/// ready what is not, such as a datagram socket that was shut down (WasmEdge 0.14 to 0.17).
const MANY: u8 = 4;

pub(super) struct Table {
    rows: Vec<Subscription>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_fd: HashMap<Fd, u32, BuildHasherDefault<FdHasher>>,
    /// The rows that are parked.
    parked: Vec<u64>,
    /// How many sources there are of those that may end a wait with nothing.
    suspects: usize,
    /// The slot that a report in turn goes on with.
    turn: usize,
    /// Counts waits, so that a slot knows whether its event is in this one's output.
    wait: u64,
}

struct Slot {
    fd: Fd,
    generation: u32,
    token: Token,
    interest: Interest,
    datagrams: bool,
    /// Where the rows stand in the list, by direction; or `DISARMED`, or `PARKED`.
    rows: [u32; 2],
    /// The last wait that reported this source, and where in its output.
    reported: (u64, u32),
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
            rows: vec![First::Clock(0).row()],
            slots: Vec::new(),
            free: Vec::new(),
            by_fd: HashMap::default(),
            parked: Vec::new(),
            suspects: 0,
            turn: 0,
            wait: 0,
        }
    }

    /// Adds a source with every row of `interest` armed; `None` where its descriptor is in here
    /// already, since WasmEdge refuses the second row of a descriptor and direction (errno 20). For
    /// `datagrams` see [`Table::report_silent`].
    pub(super) fn insert(
        &mut self,
        fd: Fd,
        datagrams: bool,
        token: Token,
        interest: Interest,
    ) -> Option<Key> {
        if self.by_fd.contains_key(&fd) {
            return None;
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(Slot::empty());
                self.slots.len() as u32 - 1
            }
        };
        self.by_fd.insert(fd, slot);
        let entry = &mut self.slots[slot as usize];
        entry.fd = fd;
        entry.datagrams = datagrams;
        entry.futile = [0; 2];
        let generation = entry.generation;
        let key = Key { slot, generation };
        self.modify(key, token, interest);
        Some(key)
    }

    /// Replaces token and interest, and arms every row of the interest: what is ready fires once
    /// more, as it does with epoll.
    pub(super) fn modify(&mut self, key: Key, token: Token, interest: Interest) {
        let Some(slot) = self.find(key) else { return };
        self.slots[slot].token = token;
        self.slots[slot].interest = interest;
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
        self.slots[slot].generation = key.generation.wrapping_add(1);
        self.free.push(key.slot);
    }

    /// An I/O call has ended so: arms the direction, or disarms or parks it.
    pub(super) fn note(&mut self, key: Key, direction: Direction, outcome: Outcome) {
        let Some(slot) = self.find(key) else { return };
        let slot = &mut self.slots[slot];
        let armed = slot.is_armed(direction);
        let futile = &mut slot.futile[direction as usize];
        match outcome {
            Outcome::Moved => *futile = 0,
            Outcome::Took => {
                *futile = 0;
                self.arm(key, direction);
            }
            Outcome::Left => {
                *futile = 0;
                if !armed {
                    self.park(key, direction);
                }
            }
            Outcome::Dry if !armed => {
                *futile = futile.saturating_add(1);
                if *futile > MANY {
                    self.park(key, direction);
                } else {
                    self.arm(key, direction);
                }
            }
            Outcome::Stuck => self.park(key, direction),
            Outcome::Ended => self.disarm(key, direction),
            Outcome::Dry | Outcome::Nothing => {}
        }
    }

    /// Puts the row of a direction into the list, if the source's interest has it.
    pub(super) fn arm(&mut self, key: Key, direction: Direction) {
        let Some(slot) = self.find(key) else { return };
        if self.slots[slot].is_armed(direction) || !wants(self.slots[slot].interest, direction) {
            return;
        }
        self.disarm(key, direction);
        self.rows
            .push(row(key.pack(direction), self.slots[slot].fd, direction));
        self.place(slot, direction, self.rows.len() as u32 - 1);
    }

    /// Takes the row of a direction out of the list.
    pub(super) fn disarm(&mut self, key: Key, direction: Direction) {
        let Some(slot) = self.find(key) else { return };
        let place = self.place(slot, direction, DISARMED);
        if place == PARKED {
            self.parked.retain(|row| *row != key.pack(direction));
        } else if place != DISARMED {
            let index = place as usize;
            self.rows.swap_remove(index);
            if let Some(moved) = self.rows.get(index) {
                let (key, direction) = Key::unpack(moved.userdata);
                self.slots[key.slot as usize].rows[direction as usize] = index as u32;
            }
        }
    }

    /// Notes where a row stands, and gives where it stood.
    fn place(&mut self, slot: usize, direction: Direction, place: u32) -> u32 {
        let slot = &mut self.slots[slot];
        self.suspects -= usize::from(slot.is_suspect());
        let before = std::mem::replace(&mut slot.rows[direction as usize], place);
        self.suspects += usize::from(slot.is_suspect());
        before
    }

    /// Takes a row out of the list until [`Table::unpark`].
    pub(super) fn park(&mut self, key: Key, direction: Direction) {
        let Some(slot) = self.find(key) else { return };
        let parked = self.slots[slot].rows[direction as usize] == PARKED;
        if parked || !wants(self.slots[slot].interest, direction) {
            return;
        }
        self.disarm(key, direction);
        self.slots[slot].rows[direction as usize] = PARKED;
        self.parked.push(key.pack(direction));
    }

    /// Arms what is parked.
    pub(super) fn unpark(&mut self) {
        while let Some(userdata) = self.parked.pop() {
            let (key, direction) = Key::unpack(userdata);
            if let Some(slot) = self.find(key) {
                self.slots[slot].rows[direction as usize] = DISARMED;
                self.arm(key, direction);
            }
        }
    }

    pub(super) fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Whether a wait may end with nothing: see [`Table::park_writers`], [`Table::report_silent`].
    pub(super) fn has_suspects(&self) -> bool {
        self.suspects > 0
    }

    pub(super) fn has_armed(&self) -> bool {
        self.rows.len() > 1
    }

    /// The list for the host. Valid until the table changes.
    pub(super) fn list(&mut self, first: Option<First>) -> &[Subscription] {
        match first {
            Some(first) => {
                self.rows[0] = first.row();
                &self.rows
            }
            None => &self.rows[1..],
        }
    }

    /// A new wait begins, with an empty output.
    pub(super) fn begin(&mut self) {
        self.wait += 1;
    }

    /// Adds `ready` to the event of the source whose row is `userdata`, and disarms the row.
    pub(super) fn deliver(
        &mut self,
        userdata: u64,
        ready: Ready,
        out: &mut Vec<Event>,
    ) -> Delivery {
        let (key, direction) = Key::unpack(userdata);
        let Some(slot) = self.find(key) else {
            return Delivery::Stale;
        };
        let slot = &mut self.slots[slot];
        if !slot.is_armed(direction) {
            return Delivery::Stale;
        }
        // What has fired and was not found wanting since may still be ready: a kernel's edge says
        // so as well, and there are programs that count on it.
        let other = direction.other();
        let open = wants(slot.interest, other) && slot.rows[other as usize] == DISARMED;
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
        self.disarm(key, direction);
        Delivery::Done
    }

    /// Parks the rows of sources that are watched for writing alone, and says whether there were
    /// any. On WasmEdge (0.14 to 0.17) a stream whose peer has half-closed, and whose send buffer
    /// is full, ends every wait at once with no event: it is one of these.
    pub(super) fn park_writers(&mut self) -> bool {
        let before = self.rows.len();
        // From the end, since the last row takes the place of the one that leaves.
        for index in (1..before).rev() {
            let (key, direction) = Key::unpack(self.rows[index].userdata);
            if direction == Direction::Write && self.slots[key.slot as usize].is_suspect() {
                self.park(key, direction);
            }
        }
        self.rows.len() < before
    }

    /// Reports somebody as readable, as far as there is room. On WasmEdge (0.14 to 0.17) a datagram
    /// socket that is watched for reading alone and has a pending error, such as a refusal by ICMP,
    /// ends every wait at once with no event; its next call tells the error. Where there is no such
    /// socket, whatever is armed is reported: an event may be spurious, and silence must not last.
    pub(super) fn report_silent(&mut self, out: &mut Vec<Event>) {
        self.report_in_turn(out, |slot, direction| {
            direction == Direction::Read && slot.is_suspect()
        });
        if out.is_empty() {
            self.report_in_turn(out, |_, _| true);
        }
    }

    /// Reports armed rows that `suspect` picks, each time from where there was no room left.
    fn report_in_turn(&mut self, out: &mut Vec<Event>, suspect: impl Fn(&Slot, Direction) -> bool) {
        let count = self.slots.len();
        let first = self.turn;
        for at in (first..first + count).map(|at| at % count) {
            let generation = self.slots[at].generation;
            let slot = at as u32;
            for direction in [Direction::Read, Direction::Write] {
                let entry = &self.slots[at];
                if !entry.is_armed(direction) || !suspect(entry, direction) {
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

    fn find(&self, key: Key) -> Option<usize> {
        let slot = self.slots.get(key.slot as usize)?;
        (slot.generation == key.generation).then_some(key.slot as usize)
    }
}

impl Slot {
    fn empty() -> Slot {
        Slot {
            fd: 0,
            generation: 0,
            token: Token(0),
            interest: Interest::READABLE,
            datagrams: false,
            rows: [DISARMED; 2],
            reported: (0, 0),
            futile: [0; 2],
        }
    }

    fn is_armed(&self, direction: Direction) -> bool {
        !matches!(self.rows[direction as usize], DISARMED | PARKED)
    }

    /// Watched in one direction alone, in which WasmEdge (0.14 to 0.17) may see less than there is.
    fn is_suspect(&self) -> bool {
        match [Direction::Read, Direction::Write].map(|direction| self.is_armed(direction)) {
            [true, false] => self.datagrams,
            [false, true] => true,
            _ => false,
        }
    }
}

fn wants(interest: Interest, direction: Direction) -> bool {
    match direction {
        Direction::Read => interest.is_readable(),
        Direction::Write => interest.is_writable(),
    }
}
