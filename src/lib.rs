//! Non-blocking I/O for programs inside WebAssembly, and for the same programs outside of it.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod error;
pub mod event;
mod interest;
#[cfg(any(feature = "net", all(unix, feature = "os-ext")))]
mod io_source;
mod log;
mod poll;
mod ready;
mod sys;
mod token;
mod waker;

#[cfg(feature = "net")]
pub mod net;

#[cfg(all(unix, feature = "os-ext"))]
pub mod unix;

pub mod features {
    //! The features.
}

pub mod guide {
    //! The guide.
}

pub use event::Events;
pub use interest::Interest;
pub use poll::{Poll, Registry};
pub use token::Token;
pub use waker::Waker;
