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

mod bounds;
mod cost;
mod drained;
mod faults;
mod host;
mod model;
mod order;
mod price;
mod program;
mod stretches;
mod timeouts;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub token: crate::Token,
    pub ready: crate::ready::Ready,
}
