//! Pipes: within the process, and to and from a child.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use mio::unix::pipe::{self, Receiver, Sender};
use mio::{Interest, Token};

use crate::KQUEUE;
use crate::common::{Watch, assert_would_block};

const SENDER: Token = Token(0);
const RECEIVER: Token = Token(1);

fn registered(watch: &Watch) -> (Sender, Receiver) {
    let (mut sender, mut receiver) = pipe::new().expect("a pipe");
    watch
        .registry()
        .register(&mut sender, SENDER, Interest::WRITABLE)
        .expect("registered");
    watch
        .registry()
        .register(&mut receiver, RECEIVER, Interest::READABLE)
        .expect("registered");
    (sender, receiver)
}

#[test]
fn bytes_go_through() {
    let mut watch = Watch::new();
    let (mut sender, mut receiver) = registered(&watch);
    watch.writable(SENDER);
    watch.quiet();
    let mut buffer = [0; 8];
    assert_would_block(receiver.read(&mut buffer));
    sender.write_all(b"abc").expect("room");
    (&sender).write_all(b"def").expect("room");
    sender.flush().expect("nothing to do");
    watch.readable(RECEIVER);
    assert_eq!(receiver.read(&mut buffer[..4]).expect("bytes"), 4);
    assert_eq!((&receiver).read(&mut buffer[4..]).expect("bytes"), 2);
    assert_eq!(&buffer[..6], b"abcdef");
}

#[test]
fn vectors_go_through() {
    let mut watch = Watch::new();
    let (mut sender, mut receiver) = registered(&watch);
    let parts = [IoSlice::new(b"one"), IoSlice::new(b"two")];
    assert_eq!(sender.write_vectored(&parts).expect("room"), 6);
    assert_eq!((&sender).write_vectored(&parts).expect("room"), 6);
    watch.readable(RECEIVER);
    let (mut head, mut tail) = ([0; 4], [0; 4]);
    let mut into = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
    assert_eq!(receiver.read_vectored(&mut into).expect("bytes"), 8);
    assert_eq!((&receiver).read_vectored(&mut into).expect("bytes"), 4);
    assert_eq!((&head, &tail), (b"etwo", b"woon"));
}

#[test]
fn a_dropped_sender_is_the_end() {
    let mut watch = Watch::new();
    let (mut sender, mut receiver) = registered(&watch);
    sender.write_all(b"last").expect("room");
    drop(sender);
    watch.expect(RECEIVER, |event| event.is_read_closed());
    let mut all = Vec::new();
    receiver
        .read_to_end(&mut all)
        .expect("the rest, then the end");
    assert_eq!(all, b"last");
}

#[test]
fn a_dropped_receiver_breaks_the_pipe() {
    let mut watch = Watch::new();
    let (mut sender, receiver) = registered(&watch);
    watch.writable(SENDER);
    drop(receiver);
    let event = watch.expect(SENDER, |event| event.is_write_closed());
    // A kqueue has an error for connections only.
    assert_eq!(event.is_error(), !KQUEUE);
    assert_eq!(
        sender.write(b"x").expect_err("nobody reads").kind(),
        ErrorKind::BrokenPipe
    );
}

#[test]
fn a_full_pipe_is_writable_again_once_read() {
    let mut watch = Watch::new();
    let (mut sender, mut receiver) = registered(&watch);
    watch.writable(SENDER);
    let mut written = 0;
    while let Ok(count) = sender.write(&[0; 4096]) {
        written += count;
    }
    assert_would_block(sender.write(b"x"));
    let mut buffer = [0; 65536];
    while written > 0 {
        written -= receiver.read(&mut buffer).expect("what was written");
    }
    watch.writable(SENDER);
}

#[test]
fn reregistering_and_deregistering() {
    let mut watch = Watch::new();
    let (mut sender, mut receiver) = registered(&watch);
    watch.writable(SENDER);
    sender.write_all(b"x").expect("room");
    watch.readable(RECEIVER);
    watch
        .registry()
        .reregister(&mut receiver, Token(5), Interest::READABLE)
        .expect("known");
    watch.readable(Token(5));
    watch.registry().deregister(&mut receiver).expect("known");
    watch.registry().deregister(&mut sender).expect("known");
    assert_eq!(receiver.read(&mut [0; 4]).expect("a byte"), 1);
    sender.write_all(b"x").expect("room");
    watch.quiet();
    let unknown = watch
        .registry()
        .deregister(&mut receiver)
        .expect_err("not registered");
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}

/// The kernel's own word on whether a descriptor blocks.
fn is_nonblocking(fd: &impl AsRawFd) -> bool {
    // SAFETY: the call reads flags of a descriptor that `fd` keeps open.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    assert!(flags >= 0);
    flags & libc::O_NONBLOCK != 0
}

#[test]
fn set_nonblocking_says_what_it_does() {
    let (mut sender, mut receiver) = pipe::new().expect("a pipe");
    assert!(is_nonblocking(&sender) && is_nonblocking(&receiver));
    sender.set_nonblocking(false).expect("a flag");
    receiver.set_nonblocking(false).expect("a flag");
    assert!(!is_nonblocking(&sender) && !is_nonblocking(&receiver));
    sender.write_all(b"x").expect("room");
    assert_eq!(
        receiver.read(&mut [0; 4]).expect("a byte, without waiting"),
        1
    );
    receiver.set_nonblocking(true).expect("a flag");
    sender.set_nonblocking(true).expect("a flag");
    assert!(is_nonblocking(&sender) && is_nonblocking(&receiver));
}

#[test]
fn try_io_passes_the_result_of_its_closure() {
    let mut watch = Watch::new();
    let (sender, receiver) = registered(&watch);
    let read = || {
        let mut byte = 0_u8;
        // SAFETY: one byte of room is given, of a variable that outlives the call.
        match unsafe { libc::read(receiver.as_raw_fd(), (&raw mut byte).cast(), 1) } {
            1 => Ok(byte),
            _ => Err(io::Error::last_os_error()),
        }
    };
    assert_would_block(receiver.try_io(read));
    assert_eq!(sender.try_io(|| (&sender).write(b"!")).expect("room"), 1);
    watch.readable(RECEIVER);
    assert_eq!(receiver.try_io(read).expect("the byte"), b'!');
}

/// `cat` gives back on its output what it gets on its input, and ends when that ends.
#[test]
fn a_child_is_spoken_to_through_its_own_pipes() {
    let mut watch = Watch::new();
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cat");
    let mut sender = Sender::from(child.stdin.take().expect("a pipe"));
    let mut receiver = Receiver::from(child.stdout.take().expect("a pipe"));
    assert!(
        !is_nonblocking(&sender) && !is_nonblocking(&receiver),
        "std's pipes block"
    );
    sender.set_nonblocking(true).expect("a flag");
    receiver.set_nonblocking(true).expect("a flag");
    watch
        .registry()
        .register(&mut sender, SENDER, Interest::WRITABLE)
        .expect("registered");
    watch
        .registry()
        .register(&mut receiver, RECEIVER, Interest::READABLE)
        .expect("registered");
    watch.writable(SENDER);
    sender.write_all(b"to and fro").expect("room");
    let mut got = Vec::new();
    let mut buffer = [0; 3];
    while got.len() < 10 {
        watch.readable(RECEIVER);
        while let Ok(count) = receiver.read(&mut buffer) {
            got.extend_from_slice(&buffer[..count]);
        }
    }
    assert_eq!(got, b"to and fro");
    drop(sender);
    watch.expect(RECEIVER, |event| event.is_read_closed());
    assert_eq!(receiver.read(&mut [0; 4]).expect("the end"), 0);
    assert!(child.wait().expect("its end").success());
}

#[test]
fn a_childs_complaints_are_received() {
    let mut watch = Watch::new();
    let mut child = Command::new("sh")
        .args(["-c", "echo complaint >&2"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh");
    let mut receiver = Receiver::from(child.stderr.take().expect("a pipe"));
    receiver.set_nonblocking(true).expect("a flag");
    watch
        .registry()
        .register(&mut receiver, RECEIVER, Interest::READABLE)
        .expect("registered");
    watch.expect(RECEIVER, |event| event.is_read_closed());
    let mut all = String::new();
    receiver
        .read_to_string(&mut all)
        .expect("the rest, then the end");
    assert_eq!(all, "complaint\n");
    assert!(child.wait().expect("its end").success());
}
