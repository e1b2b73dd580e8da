//! Sockets by standard preview1 alone, for a build without the feature `wasmedge`: what the host
//! has opened can accept, receive, send and shut down. Every other call is an error that says so.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use wasi::Riflags;

use super::super::cvt;
use super::{Address, Family, Kind, nonblocking, owned, raw};
use crate::error::{ErrorKind, error};

// The options, by the names that an error calls them.
pub(crate) const ERROR: &str = "take_error";
pub(crate) const BROADCAST: &str = "a socket's broadcast flag";
pub(crate) const SEND_BUFFER: &str = "a socket's buffer size";
pub(crate) const RECEIVE_BUFFER: &str = SEND_BUFFER;
pub(crate) const LINGER: &str = "a socket's linger time";

#[cold]
fn missing<T>(call: &'static str) -> io::Result<T> {
    let advice = "standard WASI has no such call; for WasmEdge's, build mio_wasi with its feature \
                 `wasmedge`";
    Err(error(ErrorKind::Unsupported, call, advice))
}

pub(crate) fn spare() -> Option<OwnedFd> {
    None
}

/// The next connection. The flag is for the connection, but WasmEdge (0.14 to 0.17) gives it to
/// the listener, which is right as well; so the connection is told once more.
pub(crate) fn accept(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: no pointers of ours.
    let accepted = cvt(unsafe { wasi::sock_accept(raw(fd), wasi::FDFLAGS_NONBLOCK) })?;
    nonblocking(owned(accepted))
}

/// Where a connection came from that has just been accepted: nobody can tell.
pub(crate) fn origin(_: BorrowedFd<'_>) -> io::Result<Address> {
    Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())
}

macro_rules! missing {
    ($($call:ident($($argument:ty),*) -> $answer:ty = $what:literal;)*) => {$(
        pub(crate) fn $call($(_: $argument),*) -> io::Result<$answer> {
            missing($what)
        }
    )*};
}

missing! {
    open(Family, Kind) -> OwnedFd = "opening a socket";
    connected(Kind, &Address) -> OwnedFd = "connect";
    bound(Kind, &Address) -> OwnedFd = "bind";
    listening(&Address) -> OwnedFd = "bind";
    connect(BorrowedFd<'_>, &Address) -> () = "connect";
    local_addr(BorrowedFd<'_>) -> Address = "local_addr";
    peer_addr(BorrowedFd<'_>) -> Address = "peer_addr";
    recv_from(BorrowedFd<'_>, &mut [u8], Riflags) -> (usize, Address) = "recv_from";
    send_to(BorrowedFd<'_>, &[u8], &Address) -> usize = "send_to";
}

pub(crate) fn option<const N: usize>(_: &impl AsFd, name: &'static str) -> io::Result<[i32; N]> {
    missing(name)
}

pub(crate) fn set_option<const N: usize>(
    _: &impl AsFd,
    name: &'static str,
    _: [i32; N],
) -> io::Result<()> {
    missing(name)
}
