//! What a host may answer: anything that fits into the format.

use arbitrary::{Arbitrary, Result, Unstructured};
use wasi::{ERRNO_SUCCESS, EVENTRWFLAGS_FD_READWRITE_HANGUP, Subscription};

use super::super::model::{Any, any_direction};
use super::super::row::FIRST;
use super::world::World;
use crate::ready::Ready;
use crate::sys::Direction;

/// What a call does.
#[derive(Clone, Debug, Arbitrary)]
pub enum Answer {
    Fails(#[arbitrary(with = any_errno)] u16),
    /// No event, after so many microseconds.
    Nothing(u16),
    /// The same of every row, after so many microseconds.
    All(#[arbitrary(with = any_errno)] u16, u16),
    /// These events, and perhaps a claim that there are so many.
    Events(Vec<Word>, Option<u32>),
}

/// One event.
#[derive(Clone, Debug, Arbitrary)]
pub struct Word {
    who: Who,
    #[arbitrary(with = any_errno)]
    errno: u16,
    kind: u8,
    flags: u16,
    bytes: u64,
}

#[derive(Clone, Debug, Arbitrary)]
enum Who {
    /// A row of this call.
    Listed(Any),
    /// A row of anybody that there ever was.
    Former(Any, #[arbitrary(with = any_direction)] Direction),
    First,
    Invented(u64),
}

impl Answer {
    /// Writes the answer: how many events it claims to have, or how the call failed.
    pub fn give(
        self,
        world: &mut World,
        rows: &[Subscription],
        events: &mut [wasi::Event],
    ) -> std::result::Result<usize, u16> {
        match self {
            Answer::Fails(errno) => Err(errno.max(1)),
            Answer::Nothing(micros) => {
                world.pass(u64::from(micros) * 1_000);
                Ok(0)
            }
            Answer::All(errno, micros) => {
                world.pass(u64::from(micros) * 1_000);
                for (event, row) in events.iter_mut().zip(rows) {
                    *event = said(row.userdata, errno);
                }
                Ok(rows.len())
            }
            Answer::Events(words, claim) => {
                // A host writes no more events than there are rows, whatever it claims.
                let count = words.len().min(rows.len());
                for (event, word) in events.iter_mut().zip(&words[..count]) {
                    *event = word.event(world, rows);
                }
                Ok(claim.map_or(count, |claim| claim as usize))
            }
        }
    }
}

impl Word {
    fn event(&self, world: &World, rows: &[Subscription]) -> wasi::Event {
        let userdata = match self.who {
            Who::Listed(any) => any.get(rows).userdata,
            Who::Former(any, direction) => world.former(any, direction).unwrap_or(0),
            Who::First => FIRST,
            Who::Invented(userdata) => userdata,
        };
        event(userdata, self.errno, self.kind, self.bytes, self.flags)
    }
}

/// An event as a host says it.
pub fn said(userdata: u64, errno: u16) -> wasi::Event {
    event(userdata, errno, 1, 1, 0)
}

fn event(userdata: u64, errno: u16, kind: u8, bytes: u64, flags: u16) -> wasi::Event {
    let mut wire = [0; size_of::<wasi::Event>()];
    wire[..8].copy_from_slice(&userdata.to_ne_bytes());
    wire[8..10].copy_from_slice(&errno.to_ne_bytes());
    wire[10] = kind;
    wire[16..24].copy_from_slice(&bytes.to_ne_bytes());
    wire[24..26].copy_from_slice(&flags.to_ne_bytes());
    // SAFETY: the fields are plain numbers at these places, as `abi.rs` asserts; every pattern of
    // bits is an event.
    unsafe { std::mem::transmute::<[u8; size_of::<wasi::Event>()], wasi::Event>(wire) }
}

/// What an event says.
pub struct Said {
    pub errno: u16,
    pub ready: Ready,
}

impl Said {
    pub fn of(event: &wasi::Event) -> Said {
        let direction = if event.userdata & 1 == 0 {
            Ready::READABLE
        } else {
            Ready::WRITABLE
        };
        let closed = Ready::READ_CLOSED | Ready::WRITE_CLOSED;
        let hangup = event.fd_readwrite.flags & EVENTRWFLAGS_FD_READWRITE_HANGUP != 0;
        let mut ready = direction;
        if event.error != ERRNO_SUCCESS {
            ready = ready | Ready::ERROR;
        }
        if hangup {
            ready = ready | closed;
        }
        Said {
            errno: event.error.raw(),
            ready,
        }
    }
}

/// One that means something to the library, or any.
fn any_errno(input: &mut Unstructured<'_>) -> Result<u16> {
    let known = [0, 0, 20, 27, 44, 8];
    let at = input.int_in_range(0..=known.len())?;
    known
        .get(at)
        .map_or_else(|| u16::arbitrary(input), |errno| Ok(*errno))
}
