//! WasmEdge's calls (0.14 and newer) as safe functions, and nothing more.
//!
//! It is the least that a guest needs for TCP and for waiting. An address is always 127.0.0.1.
//! Errors are the host's numbers.

use std::mem::offset_of;

use wasi::{
    Ciovec, Errno, Event, EventFdReadwrite, Fd, Iovec, Subscription, SubscriptionClock,
    SubscriptionFdReadwrite, SubscriptionU, SubscriptionUU,
};

// An address is passed as a pointer to its pointer and length, which is what an iovec is. The
// names with `_v2` are the only unambiguous ones: a plain name's version depends on its type.
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn sock_open(family: i32, kind: i32, fd: *mut Fd) -> i32;
    fn sock_bind_v2(fd: Fd, address: *const Ciovec, port: u32) -> i32;
    fn sock_listen(fd: Fd, backlog: u32) -> i32;
    fn sock_connect_v2(fd: Fd, address: *const Ciovec, port: u32) -> i32;
    fn sock_accept_v2(fd: Fd, flags: u32, accepted: *mut Fd) -> i32;
    fn sock_getlocaladdr_v2(fd: Fd, address: *const Iovec, port: *mut u32) -> i32;
}

// The host reads and writes these as they stand.
const _: () = {
    assert!(size_of::<Subscription>() == 48 && align_of::<Subscription>() == 8);
    assert!(offset_of!(Subscription, u) == 8 && offset_of!(SubscriptionU, u) == 8);
    assert!(size_of::<Event>() == 32 && align_of::<Event>() == 8);
};

const INET4: i32 = 1;
const BACKLOG: u32 = 1024;
const INPROGRESS: i32 = wasi::ERRNO_INPROGRESS.raw() as i32;

#[derive(Copy, Clone)]
pub enum Kind {
    Datagram = 1,
    Stream = 2,
}

/// The host's answer where it is not success.
pub type Result<T> = std::result::Result<T, i32>;

fn cvt(errno: i32) -> Result<()> {
    match errno {
        0 => Ok(()),
        errno => Err(errno),
    }
}

fn told<T>(answer: std::result::Result<T, Errno>) -> Result<T> {
    answer.map_err(|errno| errno.raw().into())
}

pub fn open(kind: Kind) -> Result<Fd> {
    let mut fd = 0;
    // SAFETY: the host writes one descriptor, and `fd` is that.
    cvt(unsafe { sock_open(INET4, kind as i32, &mut fd) })?;
    Ok(fd)
}

/// The host's form of an address: its family, then its bytes. The port goes by itself.
fn loopback() -> [u8; 128] {
    let mut storage = [0; 128];
    storage[0] = INET4 as u8;
    storage[2..6].copy_from_slice(&[127, 0, 0, 1]);
    storage
}

/// A listener at a port of the host's choice, which is returned with it.
pub fn listening() -> Result<(Fd, u16)> {
    let fd = open(Kind::Stream)?;
    let mut storage = loopback();
    let address = Ciovec {
        buf: storage.as_ptr(),
        buf_len: storage.len(),
    };
    // SAFETY: the address and what it points to live through the call, which only reads them.
    cvt(unsafe { sock_bind_v2(fd, &address, 0) })?;
    // SAFETY: no pointers.
    cvt(unsafe { sock_listen(fd, BACKLOG) })?;
    nonblocking(fd)?;
    let mut port = 0;
    let address = Iovec {
        buf: storage.as_mut_ptr(),
        buf_len: storage.len(),
    };
    // SAFETY: the host writes into the storage, of the length told, and one port.
    cvt(unsafe { sock_getlocaladdr_v2(fd, &address, &mut port) })?;
    Ok((fd, port as u16))
}

/// A blocking connect: to a listener on the same machine it does not wait.
pub fn connected(port: u16) -> Result<Fd> {
    let fd = open(Kind::Stream)?;
    let storage = loopback();
    let address = Ciovec {
        buf: storage.as_ptr(),
        buf_len: storage.len(),
    };
    // SAFETY: the address and what it points to live through the call, which only reads them.
    match unsafe { sock_connect_v2(fd, &address, port.into()) } {
        INPROGRESS => Ok(fd),
        errno => cvt(errno).map(|()| fd),
    }
}

/// The next connection, made non-blocking. No flags are passed: WasmEdge (0.14 to 0.17) would
/// give them to the listener.
pub fn accept(listener: Fd) -> Result<Fd> {
    let mut fd = 0;
    // SAFETY: the host writes one descriptor, and `fd` is that.
    cvt(unsafe { sock_accept_v2(listener, 0, &mut fd) })?;
    nonblocking(fd)?;
    Ok(fd)
}

fn nonblocking(fd: Fd) -> Result<()> {
    // SAFETY: no pointers.
    told(unsafe { wasi::fd_fdstat_set_flags(fd, wasi::FDFLAGS_NONBLOCK) })
}

pub fn close(fd: Fd) {
    // SAFETY: no pointers. Whether it was open, the host checks.
    let _ = unsafe { wasi::fd_close(fd) };
}

#[inline]
pub fn recv(fd: Fd, buffer: &mut [u8]) -> Result<usize> {
    let piece = [Iovec {
        buf: buffer.as_mut_ptr(),
        buf_len: buffer.len(),
    }];
    // SAFETY: the host writes at most `buf_len` bytes into the buffer, which is borrowed for it.
    told(unsafe { wasi::sock_recv(fd, &piece, 0) }).map(|(length, _)| length)
}

#[inline]
pub fn send(fd: Fd, bytes: &[u8]) -> Result<usize> {
    let piece = [Ciovec {
        buf: bytes.as_ptr(),
        buf_len: bytes.len(),
    }];
    // SAFETY: the host reads `buf_len` bytes, which are borrowed for it.
    told(unsafe { wasi::sock_send(fd, &piece, 0) })
}

/// Waits for one of `rows`, of which there is at least one, and returns how many events there
/// are. `events` has room for as many.
#[inline]
pub fn poll(rows: &[Subscription], events: &mut [Event]) -> Result<usize> {
    assert!(!rows.is_empty() && rows.len() <= events.len());
    // SAFETY: the host reads the rows and writes at most as many events.
    told(unsafe { wasi::poll_oneoff(rows.as_ptr(), events.as_mut_ptr(), rows.len()) })
}

/// A place for an event.
pub fn no_event() -> Event {
    Event {
        userdata: 0,
        error: wasi::ERRNO_SUCCESS,
        type_: wasi::EVENTTYPE_CLOCK,
        fd_readwrite: EventFdReadwrite {
            nbytes: 0,
            flags: 0,
        },
    }
}

/// The monotonic clock in nanoseconds.
pub fn now() -> u64 {
    // SAFETY: no pointers of ours.
    unsafe { wasi::clock_time_get(wasi::CLOCKID_MONOTONIC, 1) }.unwrap_or(0)
}

pub fn readable(fd: Fd, userdata: u64) -> Subscription {
    let fd_read = SubscriptionFdReadwrite {
        file_descriptor: fd,
    };
    let tag = wasi::EVENTTYPE_FD_READ.raw();
    let u = SubscriptionUU { fd_read };
    Subscription {
        userdata,
        u: SubscriptionU { tag, u },
    }
}

pub fn writable(fd: Fd, userdata: u64) -> Subscription {
    let mut row = readable(fd, userdata);
    row.u.tag = wasi::EVENTTYPE_FD_WRITE.raw();
    row
}

/// A clock that fires `timeout` nanoseconds after the call.
pub fn clock(timeout: u64, userdata: u64) -> Subscription {
    let clock = SubscriptionClock {
        id: wasi::CLOCKID_MONOTONIC,
        timeout,
        precision: 0,
        flags: 0,
    };
    let tag = wasi::EVENTTYPE_CLOCK.raw();
    let u = SubscriptionUU { clock };
    Subscription {
        userdata,
        u: SubscriptionU { tag, u },
    }
}
