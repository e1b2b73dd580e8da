//! A read that comes up short, and the reads that follow it: what the cases of `drained.rs` are
//! made of, for TCP and Unix streams alike.

use std::io::{Read, Write};

use mio::event::Source;
use mio::net::TcpStream;

use super::edge::alias;
use crate::harness::{Loop, READABLE, drain, send, would_block};

/// A kind of stream.
pub(crate) trait Stream: Source + Read + Write + Sized {
    fn pair(lp: &mut Loop) -> (Self, Self);

    /// Waits, past the library, until so many bytes are there to be read; 0 stands for the end.
    fn arrived(&self, lp: &Loop, count: usize);
}

impl Stream for TcpStream {
    fn pair(lp: &mut Loop) -> (TcpStream, TcpStream) {
        lp.tcp_pair()
    }

    #[track_caller]
    fn arrived(&self, lp: &Loop, count: usize) {
        let mut buffer = vec![0; count.max(1)];
        while would_block(alias(self).peek(&mut buffer)) != Some(count) {
            lp.left("what is on its way");
        }
    }
}

/// A registered stream, whose token is 1, and its peer.
pub(crate) fn watched<S: Stream>(lp: &mut Loop) -> (S, S) {
    let (mut client, server) = S::pair(lp);
    lp.add(&mut client, 1, READABLE);
    (client, server)
}

/// Three bytes come, and are read into more room.
#[track_caller]
pub(crate) fn come_up_short<S: Stream>(lp: &mut Loop, client: &mut S, server: &mut S) {
    send(server, b"one");
    client.arrived(lp, 3);
    lp.readable(1);
    at_once(client, b"one");
}

/// Sends, and waits until it is there.
#[track_caller]
pub(crate) fn deliver<S: Stream>(lp: &Loop, server: &mut S, client: &S, bytes: &[u8]) {
    send(server, bytes);
    client.arrived(lp, bytes.len());
}

/// The next read gives exactly this, though it has more room.
#[track_caller]
pub(crate) fn at_once(mut stream: impl Read, expected: &[u8]) {
    let mut buffer = [0; 64];
    let read = stream.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..read], expected);
}

/// One of the next two reads gives exactly this, and the one before would block.
#[track_caller]
pub(crate) fn within_two(mut stream: impl Read, expected: &[u8]) {
    let mut buffer = [0; 64];
    let first = would_block(stream.read(&mut buffer));
    let read = first.unwrap_or_else(|| stream.read(&mut buffer).unwrap());
    assert_eq!(&buffer[..read], expected);
}

/// Reads until the operation would block and then waits for an event, up to the end of the stream.
#[track_caller]
pub(crate) fn to_the_end(lp: &mut Loop, mut stream: impl Read, token: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let (more, ended) = drain(&mut stream);
        bytes.extend(more);
        if ended {
            return bytes;
        }
        lp.readable(token);
    }
}
