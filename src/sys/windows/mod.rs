//! Windows: a completion port, and the sockets, which are std's own.

mod afd;
mod iocp;
#[cfg(feature = "os-ext")]
pub(crate) mod named_pipe;
mod port;
#[cfg(feature = "net")]
pub(crate) mod socket;

pub(crate) use iocp::{Selector, Waker};
