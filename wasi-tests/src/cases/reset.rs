//! Resetting a connection: the one socket option that the cases need and the API does not have.
//! `SO_LINGER` with no time to linger makes the end of a stream a reset.

use mio::net::TcpStream;

use crate::harness::handle::{AsRawFd, RawFd};

/// On or off, and the seconds; most systems have it in this shape.
#[repr(C)]
struct Linger {
    on: i32,
    seconds: i32,
}

const NOW: Linger = Linger { on: 1, seconds: 0 };

/// Drops the stream in such a way that its peer sees a reset.
pub(crate) fn reset(stream: TcpStream) {
    // SAFETY: the descriptor is open, and the pointer and the length are those of a `Linger`.
    let failed = unsafe { set(stream.as_raw_fd(), &NOW, size_of::<Linger>() as u32) };
    assert_eq!(failed, 0, "SO_LINGER");
}

#[cfg(all(target_env = "p1", feature = "wasmedge"))]
unsafe fn set(descriptor: RawFd, value: &Linger, length: u32) -> i32 {
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn sock_setsockopt(
            descriptor: i32,
            level: i32,
            name: i32,
            value: *const Linger,
            length: u32,
        ) -> i32;
    }
    const SOL_SOCKET: i32 = 0;
    const SO_LINGER: i32 = 9;
    // SAFETY: the caller's descriptor, and a value that lives until the call returns.
    unsafe { sock_setsockopt(descriptor, SOL_SOCKET, SO_LINGER, value, length) }
}

/// Nobody gets as far: without a connect there is no stream to reset.
#[cfg(all(target_env = "p1", not(feature = "wasmedge")))]
unsafe fn set(_: RawFd, _: &Linger, _: u32) -> i32 {
    -1
}

/// Winsock's structure has halves, and its calls another convention.
#[cfg(windows)]
unsafe fn set(socket: RawFd, value: &Linger, _: u32) -> i32 {
    unsafe extern "system" {
        fn setsockopt(socket: usize, level: i32, name: i32, value: *const u16, length: i32) -> i32;
    }
    let value = [value.on as u16, value.seconds as u16];
    // SAFETY: the caller's socket, and a value that lives until the call returns.
    unsafe { setsockopt(socket as usize, 0xFFFF, 0x80, value.as_ptr(), 4) }
}

#[cfg(not(any(windows, target_env = "p1")))]
unsafe fn set(descriptor: RawFd, value: &Linger, length: u32) -> i32 {
    unsafe extern "C" {
        fn setsockopt(
            descriptor: i32,
            level: i32,
            name: i32,
            value: *const Linger,
            length: u32,
        ) -> i32;
    }
    const LINUX: bool = cfg!(any(target_os = "linux", target_os = "android"));
    const WASI: bool = cfg!(target_os = "wasi");
    const SOL_SOCKET: i32 = match (LINUX, WASI) {
        (true, _) => 1,
        (_, true) => i32::MAX,
        _ => 0xFFFF,
    };
    const SO_LINGER: i32 = if LINUX || WASI { 13 } else { 0x80 };
    // SAFETY: the caller's descriptor, and a value that lives until the call returns.
    unsafe { setsockopt(descriptor, SOL_SOCKET, SO_LINGER, value, length) }
}
