//! Unix streams and their listeners.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;

use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Token};

use crate::common::{Watch, assert_would_block};
use crate::{BOTH, KQUEUE, SocketPath};

/// A registered listener at `path` and a client that connects to it, accepted.
fn accepted(watch: &mut Watch, path: &SocketPath) -> (UnixStream, UnixStream) {
    let mut listener = UnixListener::bind(&path.0).expect("bound");
    watch
        .registry()
        .register(&mut listener, Token(0), Interest::READABLE)
        .expect("registered");
    assert_would_block(listener.accept());
    watch.quiet();
    let mut client = UnixStream::connect(&path.0).expect("connecting");
    watch
        .registry()
        .register(&mut client, Token(1), BOTH)
        .expect("registered");
    watch.readable(Token(0));
    let (mut server, peer) = listener.accept().expect("a connection");
    assert!(peer.is_unnamed());
    watch
        .registry()
        .register(&mut server, Token(2), BOTH)
        .expect("registered");
    watch.writable(Token(1));
    watch.writable(Token(2));
    assert!(client.take_error().expect("an answer").is_none());
    assert_would_block(listener.accept());
    (client, server)
}

#[test]
fn bytes_go_both_ways_over_a_path() {
    let (mut watch, path) = (Watch::new(), SocketPath::new());
    let (mut client, mut server) = accepted(&mut watch, &path);
    let mut buffer = [0; 16];
    client.write_all(b"there").expect("room");
    watch.readable(Token(2));
    assert_eq!(server.read(&mut buffer).expect("bytes"), 5);
    assert_eq!(&buffer[..5], b"there");
    assert_would_block(server.read(&mut buffer));
    (&server).write_all(b"back").expect("room");
    watch.readable(Token(1));
    assert_eq!((&client).read(&mut buffer).expect("bytes"), 4);
    assert_eq!(&buffer[..4], b"back");
    client.flush().expect("nothing to do");
}

#[test]
fn addresses_over_a_path() {
    let (mut watch, path) = (Watch::new(), SocketPath::new());
    let (client, server) = accepted(&mut watch, &path);
    assert_eq!(
        client.peer_addr().expect("an address").as_pathname(),
        Some(path.0.as_path())
    );
    assert_eq!(
        server.local_addr().expect("an address").as_pathname(),
        Some(path.0.as_path())
    );
    assert!(client.local_addr().expect("an address").is_unnamed());
    assert!(server.peer_addr().expect("an address").is_unnamed());
}

#[test]
fn a_listener_says_its_address_and_no_error() {
    let path = SocketPath::new();
    let listener = UnixListener::bind_addr(&path.address()).expect("bound");
    assert_eq!(
        listener.local_addr().expect("an address").as_pathname(),
        Some(path.0.as_path())
    );
    assert!(listener.take_error().expect("an answer").is_none());
}

#[test]
fn a_pair_has_no_names_and_carries_vectors() {
    let mut watch = Watch::new();
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    for end in [&near, &far] {
        assert!(end.local_addr().expect("an address").is_unnamed());
        assert!(end.peer_addr().expect("an address").is_unnamed());
    }
    watch
        .registry()
        .register(&mut far, Token(1), Interest::READABLE)
        .expect("registered");
    let parts = [
        IoSlice::new(b"one"),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    assert_eq!(near.write_vectored(&parts).expect("room"), 6);
    assert_eq!((&near).write_vectored(&parts[..1]).expect("room"), 3);
    watch.readable(Token(1));
    let (mut head, mut tail) = ([0; 2], [0; 16]);
    let mut into = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
    assert_eq!(far.read_vectored(&mut into).expect("bytes"), 9);
    assert_eq!((&head, &tail[..7]), (b"on", &b"etwoone"[..]));
    assert_would_block((&far).read_vectored(&mut [IoSliceMut::new(&mut head)]));
}

#[test]
fn a_full_stream_is_writable_again_once_read() {
    let mut watch = Watch::new();
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    watch
        .registry()
        .register(&mut near, Token(1), Interest::WRITABLE)
        .expect("registered");
    watch.writable(Token(1));
    let chunk = [7; 4096];
    let mut written = 0;
    while let Ok(count) = near.write(&chunk) {
        written += count;
    }
    assert_would_block(near.write(&chunk));
    watch.quiet();
    let mut buffer = [0; 65536];
    while written > 0 {
        written -= far.read(&mut buffer).expect("what was written");
    }
    watch.writable(Token(1));
}

#[test]
fn shutting_down_ends_the_peers_reading() {
    let (mut watch, path) = (Watch::new(), SocketPath::new());
    let (mut client, mut server) = accepted(&mut watch, &path);
    client.shutdown(Shutdown::Write).expect("connected");
    let event = watch.readable(Token(2));
    assert!(event.is_read_closed() && !event.is_write_closed());
    assert_eq!(server.read(&mut [0; 4]).expect("the end"), 0);
    assert_eq!(
        client.write(b"x").expect_err("shut down").kind(),
        ErrorKind::BrokenPipe
    );
    server.write_all(b"still").expect("room");
    watch.readable(Token(1));
    assert_eq!(client.read(&mut [0; 8]).expect("bytes"), 5);
}

#[test]
fn a_dropped_peer_closes_both_directions() {
    let (mut watch, path) = (Watch::new(), SocketPath::new());
    let (client, mut server) = accepted(&mut watch, &path);
    drop(client);
    let event = watch.readable(Token(2));
    assert!(event.is_read_closed() && event.is_write_closed() != KQUEUE);
    watch
        .registry()
        .reregister(&mut server, Token(3), BOTH)
        .expect("known");
    watch.expect(Token(3), |event| event.is_write_closed());
    assert_eq!(server.read(&mut [0; 4]).expect("the end"), 0);
    assert_eq!(
        server.write(b"x").expect_err("nobody reads").kind(),
        ErrorKind::BrokenPipe
    );
}

#[test]
fn connecting_to_nothing_fails_at_once() {
    let path = SocketPath::new();
    let missing = UnixStream::connect(&path.0).expect_err("no such path");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    drop(UnixListener::bind(&path.0).expect("bound"));
    let refused = UnixStream::connect(&path.0).expect_err("nobody listens there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let taken = UnixListener::bind(&path.0).expect_err("the path is there");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_path_that_no_address_can_hold_is_refused() {
    let long = "x".repeat(200);
    let refused = UnixStream::connect(&long).expect_err("too long");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let refused = UnixListener::bind(&long).expect_err("too long");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let refused = UnixStream::connect("with\0zero").expect_err("a zero inside");
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

#[test]
fn try_io_passes_the_result_of_its_closure() {
    let (near, _far) = UnixStream::pair().expect("a pair");
    assert_eq!(near.try_io(|| Ok(5)).expect("the closure's"), 5);
    assert_would_block(near.try_io(|| Err::<(), _>(ErrorKind::WouldBlock.into())));
}
