//! What a source is to its host: a descriptor.

pub(crate) use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// Calls a macro with the names of the methods that convert it.
macro_rules! handles {
    ($then:ident $($name:ident)?) => {
        $then! { as_fd as_raw_fd into_raw_fd from_raw_fd $($name)? }
    };
}
