//! A row in the host's format, and the number by which the host's answer finds its way back.

use std::hash::Hasher;

use wasi::{
    CLOCKID_MONOTONIC, EVENTTYPE_CLOCK, EVENTTYPE_FD_READ, EVENTTYPE_FD_WRITE, Eventtype, Fd,
    Subscription, SubscriptionClock, SubscriptionFdReadwrite, SubscriptionU, SubscriptionUU,
};

use crate::ready::Ready;
use crate::sys::Direction;

/// The number of row 0. No slot ever has it: it would be the last of 2^31 slots.
pub(super) const FIRST: u64 = u64::MAX;
/// The number of no row, for the same reason.
pub(super) const NOBODY: u64 = u64::MAX - 1;

/// Names a slot for as long as its owner has it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// What a source is, as far as it matters how it is watched.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    #[default]
    Stream,
    /// Few, and what waits for one is a person: its row is always hot.
    Listener,
    /// Its errors come out of the blue: see [`Table::report_silent`](super::table::Table).
    Datagrams,
}

/// What ends a wait although no source is ready.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// So many nanoseconds have passed.
    Clock(u64),
    /// Nothing: this socket can always be written to.
    Spare(Fd),
}

impl Key {
    pub(super) fn pack(self, direction: Direction) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot) << 1 | direction as u64
    }

    pub(super) fn unpack(userdata: u64) -> (Key, Direction) {
        let generation = (userdata >> 32) as u32;
        let slot = userdata as u32 >> 1;
        let key = Key { slot, generation };
        (key, Direction::of_row(userdata))
    }
}

impl Direction {
    /// The direction of the row that carries this number.
    pub(super) fn of_row(userdata: u64) -> Direction {
        [Direction::Read, Direction::Write][userdata as usize & 1]
    }

    pub(super) fn other(self) -> Direction {
        [Direction::Write, Direction::Read][self as usize]
    }

    pub(super) fn ready(self) -> Ready {
        [Ready::READABLE, Ready::WRITABLE][self as usize]
    }
}

impl Ready {
    /// `self` where `condition` holds, else nothing: a translation table reads as a sum of these.
    #[inline]
    pub(super) const fn when(self, condition: bool) -> Ready {
        if condition { self } else { Ready::NOTHING }
    }
}

impl First {
    pub(super) fn row(self) -> Subscription {
        match self {
            First::Spare(fd) => row(FIRST, fd, Direction::Write),
            First::Clock(nanoseconds) => {
                let clock = SubscriptionClock {
                    id: CLOCKID_MONOTONIC,
                    timeout: nanoseconds,
                    precision: 0,
                    flags: 0,
                };
                subscription(FIRST, EVENTTYPE_CLOCK, SubscriptionUU { clock })
            }
        }
    }
}

/// A source's row in one direction. Both kinds have the same structure.
pub(super) fn row(userdata: u64, file_descriptor: Fd, direction: Direction) -> Subscription {
    let kind = [EVENTTYPE_FD_READ, EVENTTYPE_FD_WRITE][direction as usize];
    let fd_read = SubscriptionFdReadwrite { file_descriptor };
    subscription(userdata, kind, SubscriptionUU { fd_read })
}

fn subscription(userdata: u64, kind: Eventtype, u: SubscriptionUU) -> Subscription {
    let tag = kind.raw();
    Subscription {
        userdata,
        u: SubscriptionU { tag, u },
    }
}

/// WasmEdge's descriptors are random, other hosts' dense: a multiplication spreads either. It
/// spares the guest std's hash with its random keys, which would be one more host call.
#[derive(Default)]
pub(super) struct FdHasher(u64);

impl Hasher for FdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }
    fn write_u32(&mut self, fd: u32) {
        self.0 = (self.0 ^ u64::from(fd)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
