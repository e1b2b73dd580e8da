//! Sockets at the host's door: addresses in its form, and the calls that every host has.
//!
//! Bytes go by `sock_send` and `sock_recv`, whoever the host is: on WasmEdge an `fd_write` to a
//! broken connection is a SIGPIPE, which ends the runtime. What only WasmEdge has (to open, bind,
//! connect; addresses, options, datagrams) is `wasmedge`, or `standard`, a twin of the same names
//! whose functions say which feature is missing. No function here allocates, save for an error
//! that is the library's own.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::offset_of;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::slice;

use wasi::{Ciovec, Fd, Iovec, Riflags};

use super::cvt;

#[cfg_attr(not(feature = "wasmedge"), path = "sock/standard.rs")]
mod wasmedge;

pub(crate) use wasmedge::*;

/// No flags for a receiving call.
pub(crate) const TAKE: Riflags = 0;
/// Leaves what is received in the queue.
pub(crate) const PEEK: Riflags = wasi::RIFLAGS_RECV_PEEK;

/// The host's limit for one call, in WasmEdge 1024 pieces; more is an error there.
const MAX_PIECES: usize = 1024;

/// What a socket carries, by the host's numbers.
#[derive(Copy, Clone)]
pub(crate) enum Kind {
    Datagram = 1,
    Stream = 2,
}

/// A family of addresses, by the host's numbers.
#[derive(Copy, Clone)]
pub(crate) enum Family {
    Inet4 = 1,
    Inet6 = 2,
    Unix = 3,
}

/// What the host writes an address into.
#[derive(Copy, Clone)]
#[repr(C)]
struct Storage {
    family: u16,
    bytes: [u8; 126],
}

const _: () = {
    assert!(size_of::<Storage>() == 128 && align_of::<Storage>() == 2);
    assert!(offset_of!(Storage, family) == 0 && offset_of!(Storage, bytes) == 2);
};

/// A socket's address in the host's form. One that was made here always has a family: WasmEdge
/// aborts when it is given one without.
#[derive(Copy, Clone)]
pub(crate) struct Address {
    storage: Storage,
    port: u16,
}

impl Address {
    /// How long a path can be. It needs no zero byte at its end.
    pub(crate) const MAX_PATH: usize = 108;

    fn new(family: Family, port: u16, told: &[u8]) -> Address {
        let family = family as u16;
        let mut bytes = [0; 126];
        bytes[..told.len()].copy_from_slice(told);
        let storage = Storage { family, bytes };
        Address { storage, port }
    }

    /// The address of a Unix socket; `path` has at most [`Address::MAX_PATH`] bytes.
    pub(crate) fn unix(path: &[u8]) -> Address {
        Address::new(Family::Unix, 0, path)
    }

    /// The path's bytes, with the zero bytes behind it.
    pub(crate) fn path(&self) -> &[u8] {
        &self.storage.bytes[..Address::MAX_PATH]
    }

    pub(crate) fn is_unix(&self) -> bool {
        self.storage.family == Family::Unix as u16
    }

    /// The address as std has it. The host keeps flow label and scope of IPv6 to itself.
    pub(crate) fn ip(&self) -> io::Result<SocketAddr> {
        let bytes = &self.storage.bytes;
        if self.storage.family == Family::Inet4 as u16 {
            let [a, b, c, d, ..] = *bytes;
            Ok((Ipv4Addr::new(a, b, c, d), self.port).into())
        } else if self.storage.family == Family::Inet6 as u16 {
            let mut octets = [0; 16];
            octets.copy_from_slice(&bytes[..16]);
            Ok((Ipv6Addr::from(octets), self.port).into())
        } else {
            cvt(Err(wasi::ERRNO_AFNOSUPPORT))
        }
    }
}

impl From<SocketAddr> for Address {
    #[inline]
    fn from(address: SocketAddr) -> Address {
        let port = address.port();
        match address {
            SocketAddr::V4(v4) => Address::new(Family::Inet4, port, &v4.ip().octets()),
            SocketAddr::V6(v6) => Address::new(Family::Inet6, port, &v6.ip().octets()),
        }
    }
}

// std's slices for gathering and scattering are the host's own, so a list of them goes as it is.
const _: () = {
    assert!(size_of::<IoSlice>() == 8 && align_of::<IoSlice>() == align_of::<Ciovec>());
    assert!(size_of::<IoSliceMut>() == 8 && align_of::<IoSliceMut>() == align_of::<Iovec>());
    assert!(size_of::<Iovec>() == 8 && size_of::<Ciovec>() == 8);
    assert!(offset_of!(Iovec, buf) == 0 && offset_of!(Iovec, buf_len) == 4);
    assert!(offset_of!(Ciovec, buf) == 0 && offset_of!(Ciovec, buf_len) == 4);
};

fn raw(fd: BorrowedFd<'_>) -> Fd {
    fd.as_raw_fd() as Fd
}

/// Receives into `pieces` by one call. Of a datagram that is longer the rest is lost.
#[inline]
pub(crate) fn recv(
    fd: BorrowedFd<'_>,
    pieces: &mut [IoSliceMut<'_>],
    flags: Riflags,
) -> io::Result<usize> {
    let count = pieces.len().min(MAX_PIECES);
    if count == 0 {
        return Ok(0);
    }
    // SAFETY: on wasm32 an `IoSliceMut` is an `Iovec` (sizes asserted above), there are `count` of
    // them, and the cast keeps the right to write to what they point to.
    let pieces = unsafe { slice::from_raw_parts(pieces.as_mut_ptr().cast::<Iovec>(), count) };
    // SAFETY: each piece is a buffer that is borrowed mutably for the whole call.
    cvt(unsafe { wasi::sock_recv(raw(fd), pieces, flags) }).map(|(length, _)| length)
}

/// Sends `pieces` by one call, or as many bytes of them as there is room for.
#[inline]
pub(crate) fn send(fd: BorrowedFd<'_>, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let count = pieces.len().min(MAX_PIECES);
    if count == 0 {
        return Ok(0);
    }
    // SAFETY: on wasm32 an `IoSlice` is a `Ciovec` (sizes asserted above), and there are `count`.
    let pieces = unsafe { slice::from_raw_parts(pieces.as_ptr().cast::<Ciovec>(), count) };
    // SAFETY: each piece is a buffer that is borrowed for the whole call.
    cvt(unsafe { wasi::sock_send(raw(fd), pieces, 0) })
}

pub(crate) fn shutdown(fd: BorrowedFd<'_>, how: Shutdown) -> io::Result<()> {
    let how = match how {
        Shutdown::Read => wasi::SDFLAGS_RD,
        Shutdown::Write => wasi::SDFLAGS_WR,
        Shutdown::Both => wasi::SDFLAGS_RD | wasi::SDFLAGS_WR,
    };
    // SAFETY: no pointers.
    cvt(unsafe { wasi::sock_shutdown(raw(fd), how) })
}

fn owned(fd: Fd) -> OwnedFd {
    // SAFETY: called with what the host has just opened for us, so nobody else has it. WasmEdge's
    // descriptors are below 2^31, so it is not -1.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}

/// One call sets all flags, so this clears the others, which a socket has not.
fn nonblocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    cvt(unsafe { wasi::fd_fdstat_set_flags(raw(fd.as_fd()), wasi::FDFLAGS_NONBLOCK) })?;
    Ok(fd)
}
