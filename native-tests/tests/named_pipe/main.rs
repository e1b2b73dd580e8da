//! Named pipes of Windows, over this library and, from the same source, over mio itself.
//!
//! The other end of most pipes is a blocking `File` of std, which needs no poll. Where mio does
//! something else the test says so by [`unlike_mio`], and must fail there.
#![cfg(windows)]

#[path = "../common/mod.rs"]
mod common;
mod connect;
#[path = "../common/counting.rs"]
mod counting;
mod lifetime;
mod message;
mod register;
mod stream;
mod threads;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{FromRawHandle, IntoRawHandle};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::Watch;
use mio::windows::NamedPipe;
use mio::{Events, Interest, Token};
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OVERLAPPED;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};

const SERVER: Token = Token(1);
const CLIENT: Token = Token(2);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Whether this is the package that compiles the tests over mio.
fn over_mio() -> bool {
    env!("CARGO_PKG_NAME") == "upstream-parity"
}

/// A test that mio fails, for this reason.
#[track_caller]
fn unlike_mio(reason: &str, test: impl FnOnce()) {
    if over_mio() {
        let outcome = catch_unwind(AssertUnwindSafe(test));
        assert!(
            outcome.is_err(),
            "listed as different ({reason}), but it does not fail"
        );
    } else {
        test();
    }
}

/// Whether this is Wine, which does this otherwise than Windows. It is said past the harness, which
/// keeps what a test that passes prints.
fn wine(otherwise: &str) -> bool {
    // SAFETY: both names end with a zero.
    let wine = unsafe {
        let module = GetModuleHandleA(c"ntdll.dll".as_ptr().cast());
        GetProcAddress(module, c"wine_get_version".as_ptr().cast()).is_some()
    };
    if wine {
        let _ = writeln!(io::stderr(), "skipped: Wine {otherwise}");
    }
    wine
}

/// A name that no other test has.
fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(r"\\.\pipe\mio-wasi-{}-{number}", process::id())
}

fn server() -> (NamedPipe, String) {
    let name = name();
    let server = NamedPipe::new(&name).expect("a pipe");
    (server, name)
}

/// A server that is registered as [`SERVER`], and its name.
#[track_caller]
fn listening(watch: &Watch) -> (NamedPipe, String) {
    let (mut server, name) = server();
    let registered = watch.registry().register(&mut server, SERVER, BOTH);
    registered.expect("registered");
    (server, name)
}

/// The other end, blocking.
fn peer(name: &str) -> File {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).open(name);
    file.expect("a client")
}

/// The other end, for a poll.
fn client(name: &str) -> NamedPipe {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = options.custom_flags(FILE_FLAG_OVERLAPPED).open(name);
    let handle = file.expect("a client").into_raw_handle();
    // SAFETY: the file has given its handle away, and nobody else has it.
    unsafe { NamedPipe::from_raw_handle(handle) }
}

/// Connects a server that is registered as [`SERVER`] with a client that is there or will be.
#[track_caller]
fn meet(watch: &mut Watch, server: &NamedPipe) {
    while let Err(error) = server.connect() {
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        watch.writable(SERVER);
    }
    settle(watch);
}

/// Both ends of a pipe; the server's is registered as [`SERVER`].
#[track_caller]
fn connected(watch: &mut Watch) -> (NamedPipe, File) {
    let (server, name) = listening(watch);
    let peer = peer(&name);
    meet(watch, &server);
    (server, peer)
}

/// Drops the events of what has happened so far.
fn settle(watch: &mut Watch) {
    let mut events = Events::with_capacity(64);
    loop {
        let polled = watch.poll.poll(&mut events, Some(Duration::ZERO));
        polled.expect("a poll that works");
        if events.is_empty() {
            return;
        }
    }
}

/// One read, when it can be made.
#[track_caller]
fn read(watch: &mut Watch, token: Token, pipe: &NamedPipe, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match { pipe }.read(room) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => drop(watch.readable(token)),
            result => return result,
        }
    }
}

/// Reads just so many bytes.
#[track_caller]
fn read_exact(watch: &mut Watch, token: Token, pipe: &NamedPipe, length: usize) -> Vec<u8> {
    let mut all = vec![0; length];
    let mut at = 0;
    while at < length {
        let count = read(watch, token, pipe, &mut all[at..]).expect("a read");
        assert_ne!(count, 0, "the end after {at} of {length}");
        at += count;
    }
    all
}

/// Writes everything, whenever a write can be made.
#[track_caller]
fn write_all(watch: &mut Watch, token: Token, pipe: &NamedPipe, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match { pipe }.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => drop(watch.writable(token)),
            result => bytes = &bytes[result.expect("a write")..],
        }
    }
}

/// Bytes of which no part is like another.
fn pattern(length: usize) -> Vec<u8> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    };
    (0..length)
        .scan(length as u32, |state, _| next(state))
        .collect()
}

/// More than a pipe keeps: such a write stays in flight until the peer reads.
const MUCH: usize = 300_000;
