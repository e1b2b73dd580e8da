//! Subscriptions and events as they lie in the guest's memory.

use crate::errno::Errno;
use crate::memory::Memory;

pub const SUBSCRIPTION: u32 = 48;
pub const EVENT: u32 = 32;
/// An event's flag: the peer has closed, or there is no connection.
pub const HANGUP: u16 = 1;

const MONOTONIC: u32 = 1;
const ABSOLUTE: u16 = 1;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Clock {
        id: u32,
        timeout: u64,
        absolute: bool,
    },
    Read(u32),
    Write(u32),
    /// None of the three, or in a way that there is not: of this type.
    Nothing(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    pub userdata: u64,
    pub wanted: Wanted,
}

/// An event as the guest gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub userdata: u64,
    pub error: Errno,
    pub kind: u8,
    pub nbytes: u64,
    pub flags: u16,
}

impl Subscription {
    pub fn read(memory: &Memory<'_>, at: u32) -> Result<Subscription, Errno> {
        let bytes: [u8; SUBSCRIPTION as usize] = memory.read(at, 8)?;
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let wanted = match bytes[8] {
            0 if u32_at(16) <= MONOTONIC && u32_at(40) as u16 <= ABSOLUTE => Wanted::Clock {
                id: u32_at(16),
                timeout: u64_at(24),
                absolute: u32_at(40) as u16 == ABSOLUTE,
            },
            1 => Wanted::Read(u32_at(16)),
            2 => Wanted::Write(u32_at(16)),
            tag => Wanted::Nothing(tag),
        };
        Ok(Subscription {
            userdata: u64_at(0),
            wanted,
        })
    }

    pub fn fd(&self) -> Option<u32> {
        match self.wanted {
            Wanted::Read(fd) | Wanted::Write(fd) => Some(fd),
            _ => None,
        }
    }

    pub fn event(&self, error: Errno) -> Event {
        Event {
            userdata: self.userdata,
            error,
            kind: match self.wanted {
                Wanted::Read(_) => 1,
                Wanted::Write(_) => 2,
                Wanted::Clock { .. } => 0,
                Wanted::Nothing(tag) => tag,
            },
            nbytes: 0,
            flags: 0,
        }
    }
}

impl Event {
    pub fn bytes(&self) -> [u8; EVENT as usize] {
        let mut bytes = [0; EVENT as usize];
        bytes[..8].copy_from_slice(&self.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.error.0.to_le_bytes());
        bytes[10] = self.kind;
        bytes[16..24].copy_from_slice(&self.nbytes.to_le_bytes());
        bytes[24..26].copy_from_slice(&self.flags.to_le_bytes());
        bytes
    }

    pub fn read(memory: &Memory<'_>, at: u32) -> Result<Event, Errno> {
        let bytes: [u8; EVENT as usize] = memory.read(at, 8)?;
        let number = |range: std::ops::Range<usize>| {
            bytes[range]
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        Ok(Event {
            userdata: number(0..8),
            error: Errno(number(8..10) as u16),
            kind: bytes[10],
            nbytes: number(16..24),
            flags: number(24..26) as u16,
        })
    }
}
