//! Pipes of messages, which `NamedPipe::new` does not make, but a handle may be one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::windows::io::{AsRawHandle, FromRawHandle};
use std::ptr::null_mut;

use mio::windows::NamedPipe;
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_MESSAGE, PIPE_TYPE_MESSAGE, SetNamedPipeHandleState,
};

use super::common::{Watch, assert_would_block};
use super::{BOTH, MUCH, SERVER, meet, name, pattern, peer, read, read_exact, write_all};

/// Both ends of a pipe that keeps messages apart.
fn messages(watch: &mut Watch) -> (NamedPipe, File) {
    let name = name();
    let wide: Vec<u16> = name.encode_utf16().chain([0]).collect();
    let open = PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED;
    let mode = PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE;
    // SAFETY: the name ends with a zero and lives through the call.
    let handle =
        unsafe { CreateNamedPipeW(wide.as_ptr(), open, mode, 1, 65_536, 65_536, 0, null_mut()) };
    assert_ne!(handle, INVALID_HANDLE_VALUE);
    // SAFETY: the system has just given us this handle, and nobody else has it.
    let mut server = unsafe { NamedPipe::from_raw_handle(handle.cast()) };
    let registered = watch.registry().register(&mut server, SERVER, BOTH);
    registered.expect("registered");
    let peer = peer(&name);
    let mode = PIPE_READMODE_MESSAGE;
    // SAFETY: the handle is open, and the mode lives through the call.
    let set = unsafe {
        SetNamedPipeHandleState(peer.as_raw_handle().cast(), &mode, null_mut(), null_mut())
    };
    assert_ne!(set, 0);
    meet(watch, &server);
    (server, peer)
}

#[test]
fn messages_stay_apart() {
    let mut watch = Watch::new();
    let (server, mut peer) = messages(&mut watch);
    peer.write_all(b"one").expect("room");
    peer.write_all(b"three").expect("room");
    let mut room = [0; 64];
    for text in [&b"one"[..], b"three"] {
        let count = read(&mut watch, SERVER, &server, &mut room).expect("a message");
        assert_eq!(&room[..count], text);
    }
    assert_would_block((&server).read(&mut room));
    for text in [&b"a"[..], b"bcd"] {
        write_all(&mut watch, SERVER, &server, text);
        let count = peer.read(&mut room).expect("a message");
        assert_eq!(&room[..count], text);
    }
}

/// A message that is longer than what is read at once (`ERROR_MORE_DATA`), there already or not.
#[test]
fn a_long_message_comes_in_parts() {
    let mut watch = Watch::new();
    let (server, mut peer) = messages(&mut watch);
    let long = pattern(50_000);
    for _ in 0..3 {
        peer.write_all(&long).expect("room");
        peer.write_all(&long[..12_000]).expect("a reader");
        assert!(read_exact(&mut watch, SERVER, &server, 50_000) == long);
        assert!(read_exact(&mut watch, SERVER, &server, 12_000) == long[..12_000]);
        assert_would_block((&server).read(&mut [0; 8]));
    }
}

#[test]
fn a_message_may_be_large() {
    let mut watch = Watch::new();
    let (server, mut peer) = messages(&mut watch);
    let large = pattern(MUCH);
    assert_eq!((&server).write(&large).expect("one message"), large.len());
    let mut room = vec![0; large.len() + 1];
    let count = peer.read(&mut room).expect("one message");
    assert!(room[..count] == large);
}

#[test]
fn a_message_may_be_empty() {
    let mut watch = Watch::new();
    let (server, mut peer) = messages(&mut watch);
    assert_eq!(peer.write(b"").expect("a message"), 0);
    peer.write_all(b"text").expect("room");
    let mut room = [0; 64];
    let count = read(&mut watch, SERVER, &server, &mut room).expect("a message");
    assert_eq!(count, 0);
    let count = read(&mut watch, SERVER, &server, &mut room).expect("a message");
    assert_eq!(&room[..count], b"text");
    assert_eq!((&server).write(b"").expect("a message"), 0);
    assert_eq!(peer.read(&mut room).expect("a message"), 0);
}
