//! The list for the host: one array in the host's own format, in three stretches.
//!
#![doc = include_str!("rows.md")]

use wasi::{Fd, Subscription};

use super::row::{First, Key, row};
use crate::sys::Direction;

/// Not in the list.
const DISARMED: u32 = 0;
/// Not in the list, until a pause is over.
pub(super) const PARKED: u32 = u32::MAX;

/// How many hot rows were handed over, all waits together, before an epoch ends: some 4 ms of the
/// host's time. With few hot rows a silent one stays for hundreds of waits, with thousands for ten.
const EPOCH: usize = 8192;
/// How often each active source fires in an epoch, on average, before it ends.
const FIRES: u32 = 4;
/// It ends after so many epochs' worth of rows in any case: in a loop that polls in vain, or whose
/// sources fire once and are gone.
const PATIENCE: usize = 64;
/// One in so many hot rows is looked at in a wait.
const GLANCE: usize = 4;
/// With fewer cold rows than a clock and two looks at the time cost, all are handed over.
const FEW: usize = 24;

#[derive(Default)]
pub(super) struct Rows {
    list: Vec<Subscription>,
    /// Two of each slot, one for each direction.
    places: Vec<Place>,
    hot: usize,
    unseen: usize,
    /// The prefix that the last call handed over.
    handed: usize,
    /// The rows that fired since the wait began, by their places.
    fired: Vec<u32>,
    /// How many rows for writing are in the list.
    pub(super) writers: usize,
    /// The hot row that is looked at next.
    glance: usize,
    epoch: u16,
    /// What this epoch has had: hot rows handed over, rows armed, and different ones of them.
    shown: usize,
    armed: u32,
    active: u32,
}

#[derive(Copy, Clone)]
struct Place {
    /// The index in the list; or `DISARMED`, or `PARKED`.
    at: u32,
    /// The epoch in which the row was armed last. One that is old enough to look new again does no
    /// harm: its row stays hot a little longer.
    epoch: u16,
    /// It is in the list no longer than until the next wait, unless it is armed again before.
    fired: bool,
    always: bool,
}

impl Rows {
    pub(super) fn new() -> Rows {
        Rows {
            list: vec![First::Clock(0).row()],
            hot: 1,
            unseen: 1,
            handed: 1,
            glance: 1,
            ..Rows::default()
        }
    }

    /// A slot has a new owner, none of whose rows is in the list. They may be always hot.
    pub(super) fn renew(&mut self, slot: u32, always: bool) {
        let epoch = self.epoch;
        let place = Place {
            at: DISARMED,
            epoch,
            fired: false,
            always,
        };
        put(&mut self.places, index(slot, Direction::Read), place);
        put(&mut self.places, index(slot, Direction::Write), place);
    }

    /// Where a row stands in the list, or why it does not.
    pub(super) fn at(&self, slot: u32, direction: Direction) -> u32 {
        self.places[index(slot, direction)].at
    }

    pub(super) fn is_armed(&self, slot: u32, direction: Direction) -> bool {
        let place = &self.places[index(slot, direction)];
        !place.fired && place.at != DISARMED && place.at != PARKED
    }

    pub(super) fn park(&mut self, slot: u32, direction: Direction) {
        self.disarm(slot, direction);
        self.places[index(slot, direction)].at = PARKED;
    }

    pub(super) fn count(&self) -> usize {
        self.list.len() - 1
    }

    pub(super) fn cold(&self) -> usize {
        self.list.len() - self.hot
    }

    /// Whether it is worth a thought which rows are handed over.
    pub(super) fn are_many(&self) -> bool {
        self.cold() > FEW.max(self.hot)
    }

    /// Arms a row that is not: as a hot one, or where it was if it fired just now.
    pub(super) fn arm(&mut self, key: Key, fd: Fd, direction: Direction) {
        let epoch = self.epoch;
        let place = &mut self.places[index(key.slot, direction)];
        let is_new = std::mem::replace(&mut place.epoch, epoch) != epoch;
        let (fired, at) = (std::mem::take(&mut place.fired), place.at as usize);
        self.armed = self.armed.saturating_add(1);
        self.active += u32::from(is_new);
        if !fired {
            self.push(row(key.pack(direction), fd, direction));
            self.writers += direction as usize;
        } else if at >= self.hot {
            let row = self.list[at];
            self.take_out(at);
            self.push(row);
        }
    }

    fn push(&mut self, row: Subscription) {
        let end = self.list.len();
        put(&mut self.list, end, row);
        self.shift(self.unseen, end);
        self.shift(self.hot, self.unseen);
        self.put(self.hot, row);
        self.hot += 1;
        self.unseen += 1;
    }

    /// Its event was delivered, so the row is armed no more. It stays in the list until
    /// [`Rows::settle`]: most rows are armed again by then, and need not have moved.
    pub(super) fn fire(&mut self, slot: u32, direction: Direction) {
        let place = index(slot, direction);
        self.places[place].fired = true;
        self.fired.push(place as u32);
    }

    /// A wait begins: takes out what fired in the last one and was not armed again. What is left
    /// of the last answer is about rows that may have moved since.
    pub(super) fn settle(&mut self) {
        self.handed = usize::MAX;
        while let Some(row) = self.fired.pop() {
            if self.places[row as usize].fired {
                self.disarm(row >> 1, Direction::of_row(row.into()));
            }
        }
    }

    pub(super) fn disarm(&mut self, slot: u32, direction: Direction) {
        let place = &mut self.places[index(slot, direction)];
        place.fired = false;
        match std::mem::replace(&mut place.at, DISARMED) {
            DISARMED | PARKED => {}
            at => {
                self.writers -= direction as usize;
                self.take_out(at as usize);
            }
        }
    }

    /// Fills the hole that a row leaves.
    fn take_out(&mut self, mut hole: usize) {
        if hole < self.hot {
            self.hot -= 1;
            self.shift(self.hot, hole);
            hole = self.hot;
        }
        if hole < self.unseen {
            self.unseen -= 1;
            self.shift(self.unseen, hole);
            hole = self.unseen;
        }
        self.shift(self.list.len() - 1, hole);
        self.list.pop();
    }

    /// A wait begins that asks the host: some hot rows may cool down.
    pub(super) fn cool(&mut self) {
        if self.list.len() <= FEW {
            return;
        }
        self.shown += self.hot;
        let fired = self.armed >= FIRES * self.active.max(1);
        if self.shown >= EPOCH && fired || self.shown >= PATIENCE * EPOCH {
            self.epoch = self.epoch.wrapping_add(1);
            (self.shown, self.armed, self.active) = (0, 0, 0);
        }
        for _ in 0..=self.hot / GLANCE {
            if self.glance >= self.hot {
                self.glance = 1;
            }
            match self.list[..self.hot].get(self.glance) {
                Some(row) if self.is_silent(row) => {
                    self.hot -= 1;
                    self.swap(self.glance, self.hot);
                }
                _ => self.glance += 1,
            }
        }
    }

    /// Whether a row was armed neither in this epoch nor in the last.
    fn is_silent(&self, row: &Subscription) -> bool {
        let (key, direction) = Key::unpack(row.userdata);
        let place = &self.places[index(key.slot, direction)];
        !place.always && self.epoch.wrapping_sub(place.epoch) > 1
    }

    /// Makes the next call hand over the hot rows and `cold` of the others, the next unseen ones.
    pub(super) fn show(&mut self, cold: usize) {
        let end = self.hot + cold;
        if end >= self.list.len() {
            self.handed = self.list.len();
            self.unseen = self.hot;
            return;
        }
        self.handed = end;
        for at in self.hot..end {
            if self.unseen >= self.list.len() {
                self.unseen = at;
            }
            self.swap(at, self.unseen);
            self.unseen += 1;
        }
    }

    /// What the next call hands over. Valid until the table changes.
    pub(super) fn prefix(&mut self, first: Option<First>) -> &[Subscription] {
        let end = self.handed.min(self.list.len());
        match first {
            Some(first) => {
                self.list[0] = first.row();
                &self.list[..end]
            }
            None => &self.list[1..end],
        }
    }

    /// Whether the row that stands at `at` was handed over by this wait's last call.
    pub(super) fn is_handed(&self, at: u32) -> bool {
        (at as usize) < self.handed
    }

    /// The rows that the last call handed over, from the end: so they may be taken out meanwhile.
    pub(super) fn handed(&self) -> impl Iterator<Item = usize> + use<> {
        (1..self.handed.min(self.list.len())).rev()
    }

    pub(super) fn get(&self, at: usize) -> (Key, Direction) {
        Key::unpack(self.list[at].userdata)
    }

    fn shift(&mut self, from: usize, to: usize) {
        if from != to {
            self.put(to, self.list[from]);
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        if one != other {
            let row = self.list[one];
            self.put(one, self.list[other]);
            self.put(other, row);
        }
    }

    fn put(&mut self, at: usize, row: Subscription) {
        self.list[at] = row;
        let (key, direction) = Key::unpack(row.userdata);
        self.places[index(key.slot, direction)].at = at as u32;
    }
}

/// Replaces what is at `at`, or adds it at the end: then room is made for a quarter more, since
/// memory is dear to those with many rows.
pub(super) fn put<T>(list: &mut Vec<T>, at: usize, item: T) {
    if let Some(place) = list.get_mut(at) {
        *place = item;
        return;
    }
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 4 + 8);
    }
    list.push(item);
}

fn index(slot: u32, direction: Direction) -> usize {
    (slot << 1 | direction as u32) as usize
}
