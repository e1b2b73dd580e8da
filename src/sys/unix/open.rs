//! How a descriptor is opened so that it neither blocks nor outlives an `exec`: by flags.
//!
//! `open_bare.rs` has the same names for the systems whose calls take none.

pub(super) use super::own;
pub(super) use libc::{accept4, pipe2};

pub(super) const FLAGS: libc::c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
