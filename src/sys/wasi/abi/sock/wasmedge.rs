//! WasmEdge's own socket calls, 0.14 and newer.
//!
//! The names with `_v2` are imported because a plain name is WasmEdge's first version of the call
//! (no ports, no Unix addresses) or its second depending on the signature, and 0.14 does not check
//! it. Each signature stands once, here. A program loads elsewhere as long as it uses none of them.
//!
//! All sockets are made non-blocking, and a function that fails has closed what it opened.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use wasi::{Ciovec, Fd, Iovec, Riflags, Size};

use super::{Address, Family, Kind, Storage, nonblocking, owned, raw};
use crate::error::{ErrorKind, error};

// An address is passed as a pointer to its pointer and length, which is what an iovec is: the
// host reads from a `Ciovec` and writes through an `Iovec`. Every answer is an errno.
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn sock_open(family: i32, kind: i32, fd: *mut Fd) -> i32;
    fn sock_bind_v2(fd: Fd, address: *const Ciovec, port: u32) -> i32;
    fn sock_listen(fd: Fd, backlog: u32) -> i32;
    fn sock_connect_v2(fd: Fd, address: *const Ciovec, port: u32) -> i32;
    fn sock_accept_v2(fd: Fd, flags: u32, accepted: *mut Fd) -> i32;
    fn sock_recv_from_v2(
        fd: Fd,
        pieces: *const Iovec,
        count: Size,
        address: *const Iovec,
        flags: u32,
        port: *mut u32,
        length: *mut Size,
        told: *mut u16,
    ) -> i32;
    fn sock_send_to_v2(
        fd: Fd,
        pieces: *const Ciovec,
        count: Size,
        address: *const Ciovec,
        port: u32,
        flags: u32,
        length: *mut Size,
    ) -> i32;
    fn sock_getlocaladdr_v2(fd: Fd, address: *const Iovec, port: *mut u32) -> i32;
    fn sock_getpeeraddr_v2(fd: Fd, address: *const Iovec, port: *mut u32) -> i32;
    fn sock_getsockopt(fd: Fd, level: u32, name: u32, value: *mut u8, size: *mut u32) -> i32;
    fn sock_setsockopt(fd: Fd, level: u32, name: u32, value: *const u8, size: u32) -> i32;
}

/// The only level of options there is.
const SOCKET: u32 = 0;
/// How long a listener's queue of connections may be.
const BACKLOG: u32 = 1024;

const INPROGRESS: i32 = wasi::ERRNO_INPROGRESS.raw() as i32;
const NOSYS: i32 = wasi::ERRNO_NOSYS.raw() as i32;

// The options, by the host's numbers: each is one `int`, only linger two, on or off and seconds.
const REUSE_ADDRESS: u32 = 0;
pub(crate) const ERROR: u32 = 2;
pub(crate) const BROADCAST: u32 = 4;
pub(crate) const SEND_BUFFER: u32 = 5;
pub(crate) const RECEIVE_BUFFER: u32 = 6;
pub(crate) const LINGER: u32 = 9;

fn cvt(errno: i32) -> io::Result<()> {
    match errno {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// A socket that can always be written to.
pub(crate) fn spare() -> Option<OwnedFd> {
    create(Family::Inet4, Kind::Datagram).ok()
}

pub(crate) fn open(family: Family, kind: Kind) -> io::Result<OwnedFd> {
    create(family, kind).and_then(nonblocking)
}

fn create(family: Family, kind: Kind) -> io::Result<OwnedFd> {
    let mut fd = 0;
    // SAFETY: the host writes one descriptor, and `fd` is that.
    match unsafe { sock_open(family as i32, kind as i32, &mut fd) } {
        NOSYS if matches!(family, Family::Unix) => {
            let what = "opening a Unix socket";
            let advice = "start WasmEdge with its flag `--allow-af-unix`";
            Err(error(ErrorKind::Unsupported, what, advice))
        }
        errno => cvt(errno).map(|()| owned(fd)),
    }
}

/// A new socket, connected to `to` or on its way there.
pub(crate) fn connected(kind: Kind, to: &Address) -> io::Result<OwnedFd> {
    let fd = open(to.family(), kind)?;
    connect(fd.as_fd(), to)?;
    Ok(fd)
}

/// A new socket at `at`.
pub(crate) fn bound(kind: Kind, at: &Address) -> io::Result<OwnedFd> {
    let fd = open(at.family(), kind)?;
    bind(fd.as_fd(), at)?;
    Ok(fd)
}

/// A new listener at `at`. A TCP address that a closed connection still holds may be taken.
pub(crate) fn listening(at: &Address) -> io::Result<OwnedFd> {
    let fd = open(at.family(), Kind::Stream)?;
    if !at.is_unix() {
        set_option(&fd, REUSE_ADDRESS, [1])?;
    }
    bind(fd.as_fd(), at)?;
    // SAFETY: no pointers.
    cvt(unsafe { sock_listen(raw(fd.as_fd()), BACKLOG) })?;
    Ok(fd)
}

fn bind(fd: BorrowedFd<'_>, at: &Address) -> io::Result<()> {
    // SAFETY: the address and what it points to live through the call, which only reads them.
    cvt(unsafe { sock_bind_v2(raw(fd), &at.wire(), at.port.into()) })
}

/// Connects, or begins to.
pub(crate) fn connect(fd: BorrowedFd<'_>, to: &Address) -> io::Result<()> {
    // SAFETY: the address and what it points to live through the call, which only reads them.
    match unsafe { sock_connect_v2(raw(fd), &to.wire(), to.port.into()) } {
        INPROGRESS => Ok(()),
        errno => cvt(errno),
    }
}

/// The next connection. No flags are passed: WasmEdge (0.14 to 0.17) gives them to the listener
/// and leaves the connection blocking.
pub(crate) fn accept(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut accepted = 0;
    // SAFETY: the host writes one descriptor, and `accepted` is that.
    cvt(unsafe { sock_accept_v2(raw(fd), 0, &mut accepted) })?;
    nonblocking(owned(accepted))
}

/// Where a connection came from that has just been accepted.
pub(crate) fn origin(fd: BorrowedFd<'_>) -> io::Result<Address> {
    peer_addr(fd)
}

pub(crate) fn local_addr(fd: BorrowedFd<'_>) -> io::Result<Address> {
    // SAFETY: `told` passes a buffer of the size that it says and a place for the port.
    told(|address, port| unsafe { sock_getlocaladdr_v2(raw(fd), address, port) })
}

pub(crate) fn peer_addr(fd: BorrowedFd<'_>) -> io::Result<Address> {
    // SAFETY: `told` passes a buffer of the size that it says and a place for the port.
    told(|address, port| unsafe { sock_getpeeraddr_v2(raw(fd), address, port) })
}

/// An address that `call` writes, with its port in the host's order of bytes. What the call leaves
/// alone is zero.
#[inline]
fn told(call: impl FnOnce(&Iovec, &mut u32) -> i32) -> io::Result<Address> {
    let (family, bytes, mut port) = (0, [0; 126], 0);
    let mut storage = Storage { family, bytes };
    // The pointer must carry the right to write, or an optimiser reads its own zeros afterwards.
    let (buf, buf_len) = ((&raw mut storage).cast(), size_of::<Storage>());
    cvt(call(&Iovec { buf, buf_len }, &mut port))?;
    // A Unix address has no port, and the host leaves anything there.
    let port = port as u16;
    Ok(Address { storage, port })
}

/// Receives one datagram and its sender. Of a longer datagram the rest is lost. The family of the
/// address is garbage where a Unix socket's sender has no name.
pub(crate) fn recv_from(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: Riflags,
) -> io::Result<(usize, Address)> {
    let piece = IoSliceMut::new(buffer);
    let pieces = (&raw const piece).cast::<Iovec>();
    let (mut length, mut truncated) = (0, 0);
    let mut from = told(|address, port| {
        let (length, truncated) = (&mut length, &mut truncated);
        let flags = flags.into();
        // SAFETY: `pieces` is one piece, borrowed mutably, and its buffer as well; `told` passes
        // a buffer of the size that it says; the rest are places for the numbers written there.
        unsafe { sock_recv_from_v2(raw(fd), pieces, 1, address, flags, port, length, truncated) }
    })?;
    // Here alone the host gives the port as the network has it (0.14 to 0.17).
    from.port = from.port.swap_bytes();
    Ok((length, from))
}

pub(crate) fn send_to(fd: BorrowedFd<'_>, bytes: &[u8], to: &Address) -> io::Result<usize> {
    let piece = IoSlice::new(bytes);
    let pieces = (&raw const piece).cast::<Ciovec>();
    let mut length = 0;
    let (address, port) = (to.wire(), to.port.into());
    // SAFETY: one piece; it, its buffer and the address live through the call, which only reads
    // them and writes `length`.
    cvt(unsafe { sock_send_to_v2(raw(fd), pieces, 1, &address, port, 0, &mut length) })?;
    Ok(length)
}

/// What an option is. With a size below 4, WasmEdge (0.14 to 0.17) aborts when it is asked for the
/// error.
pub(crate) fn option<const N: usize>(socket: &impl AsFd, name: u32) -> io::Result<[i32; N]> {
    let mut value = [0; N];
    let mut size = size_of_val(&value) as u32;
    let (fd, to) = (raw(socket.as_fd()), value.as_mut_ptr().cast());
    // SAFETY: the host writes at most `size` bytes, which is what `value` has, and the size.
    cvt(unsafe { sock_getsockopt(fd, SOCKET, name, to, &mut size) })?;
    Ok(value)
}

pub(crate) fn set_option<const N: usize>(
    socket: &impl AsFd,
    name: u32,
    value: [i32; N],
) -> io::Result<()> {
    let size = size_of_val(&value) as u32;
    let (fd, from) = (raw(socket.as_fd()), value.as_ptr().cast());
    // SAFETY: the host reads `size` bytes, which is what `value` has.
    cvt(unsafe { sock_setsockopt(fd, SOCKET, name, from, size) })
}

impl Address {
    fn family(&self) -> Family {
        match self.storage.family {
            1 => Family::Inet4,
            2 => Family::Inet6,
            _ => Family::Unix,
        }
    }

    /// As the host takes it: by its length, so that only a Unix address is told by its family.
    fn wire(&self) -> Ciovec {
        let bytes = self.storage.bytes.as_ptr();
        let (buf, buf_len) = match self.family() {
            Family::Inet4 => (bytes, 4),
            Family::Inet6 => (bytes, 16),
            Family::Unix => ((&raw const self.storage).cast(), size_of::<Storage>()),
        };
        Ciovec { buf, buf_len }
    }
}
