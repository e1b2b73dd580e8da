//! Windows: a completion port, and the sockets, which are std's own.

mod afd;
mod iocp;
mod port;
#[cfg(feature = "net")]
pub(crate) mod socket;

pub(crate) use iocp::{Selector, Waker};
