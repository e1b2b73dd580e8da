//! The library's own files, and the tests beside them, since what they test is private.

#[path = "../../../../../src/sys/wasi/row.rs"]
mod row;
#[path = "../../../../../src/sys/wasi/rows.rs"]
mod rows;
#[path = "../../../../../src/sys/wasi/schedule.rs"]
mod schedule;
#[path = "../../../../../src/sys/wasi/table.rs"]
mod table;
#[path = "../../../../../src/sys/wasi/wait.rs"]
mod wait;

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod drained;
#[cfg(test)]
mod faults;
pub mod fuzz;
#[cfg(test)]
mod host;
mod model;
#[cfg(test)]
mod order;
#[cfg(test)]
mod price;
#[cfg(test)]
mod program;
#[cfg(test)]
mod sequences;
mod steps;
#[cfg(test)]
mod stretches;
#[cfg(test)]
mod timeouts;
mod wire;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub token: crate::Token,
    pub ready: crate::ready::Ready,
}

#[cfg(test)]
impl row::Key {
    /// Names no slot.
    const NOBODY: row::Key = row::Key {
        slot: u32::MAX,
        generation: 0,
    };
}
