//! Non-blocking I/O for programs inside WebAssembly, and for the same programs outside of it.
//!
#![doc = include_str!("lib.md")]
#![deny(unsafe_code)]
#![warn(missing_docs)]

#[cfg(any(feature = "net", all(unix, feature = "os-ext")))]
#[macro_use]
mod forward;
#[cfg(any(feature = "net", all(unix, feature = "os-ext")))]
mod io_source;

mod error;
pub mod event;
mod interest;
mod log;
mod poll;
mod ready;
mod sys;
mod token;
mod waker;

#[cfg(feature = "net")]
pub mod handover;
#[cfg(feature = "net")]
pub mod net;

#[cfg(all(unix, feature = "os-ext"))]
pub mod unix;
#[cfg(all(windows, feature = "os-ext"))]
pub mod windows;

#[doc = include_str!("features.md")]
pub mod features {}

#[doc = include_str!("guide.md")]
pub mod guide {}

pub use event::Events;
pub use interest::Interest;
pub use poll::{Poll, Registry};
pub use token::Token;
pub use waker::Waker;
