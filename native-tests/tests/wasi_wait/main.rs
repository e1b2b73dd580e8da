//! The WASI host's wait over a scripted host: the faults that a real one shows seldom or never.
//!
//! `table.rs` and `wait.rs` are compiled here as they are, beside the parts of the library that
//! they name; only the host below them is ours. Each test says what the host answers, call by
//! call, and then looks at the events, at the rows that the host was handed, and at the number of
//! calls: a lost event, a spin and a hang all show there.

#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/ready.rs"]
mod ready;

mod event {
    //! The one field of the public event that the host's side uses.
    pub struct Event {
        pub raw: crate::sys::wasi::Event,
    }
}

#[path = "../common/counting.rs"]
mod counting;
mod sys;

use mio::{Interest, Token};

/// Runs a fuzz target on one input.
pub fn fuzz(target: &str, input: &[u8]) {
    let mut targets = sys::wasi::fuzz::TARGETS.iter();
    let found = targets.find(|known| known.name == target);
    (found.expect("a target of this name").run)(input);
}
