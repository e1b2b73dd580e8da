//! The cases, one promise a function. `lib.rs` lists them: one that is missing there is dead code.

mod reset;
mod short;

pub(crate) mod churn;
pub(crate) mod drained;
pub(crate) mod edge;
pub(crate) mod error;
pub(crate) mod poll;
pub(crate) mod register;
pub(crate) mod tcp;
pub(crate) mod timeout;
pub(crate) mod udp;
#[cfg(not(any(windows, target_env = "p2")))]
pub(crate) mod unix;
#[cfg(any(windows, target_env = "p2"))]
#[path = "no_unix.rs"]
pub(crate) mod unix;
pub(crate) mod waker;
