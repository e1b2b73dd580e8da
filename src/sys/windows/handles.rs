//! What a source is to its host: a socket. The names are those that descriptors have elsewhere.

pub(crate) use std::os::windows::io::{
    AsRawSocket as AsRawFd, AsSocket as AsFd, BorrowedSocket as BorrowedFd,
    FromRawSocket as FromRawFd, IntoRawSocket as IntoRawFd, OwnedSocket as OwnedFd,
    RawSocket as RawFd,
};

/// Calls a macro with the names of the methods that convert it.
macro_rules! handles {
    ($then:ident $($name:ident)?) => {
        $then! { as_socket as_raw_socket into_raw_socket from_raw_socket $($name)? }
    };
}
