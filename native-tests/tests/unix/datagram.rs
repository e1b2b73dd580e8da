//! Unix datagram sockets.

use std::io::ErrorKind;
use std::net::Shutdown;

use mio::Token;
use mio::net::UnixDatagram;

use crate::common::{Watch, assert_would_block};
use crate::{BOTH, KQUEUE, SocketPath};

/// A kqueue, and what else its systems do with such sockets.
const BSD: bool = KQUEUE && !cfg!(mio_kqueue_model);

#[test]
fn a_pair_keeps_the_bounds_of_messages() {
    let mut watch = Watch::new();
    let (mut near, mut far) = UnixDatagram::pair().expect("a pair");
    watch
        .registry()
        .register(&mut near, Token(0), BOTH)
        .expect("registered");
    watch
        .registry()
        .register(&mut far, Token(1), BOTH)
        .expect("registered");
    watch.writable(Token(0));
    watch.writable(Token(1));
    assert_eq!(near.send(b"one").expect("room"), 3);
    assert_eq!(near.send(b"three").expect("room"), 5);
    watch.readable(Token(1));
    let mut buffer = [0; 4];
    assert_eq!(far.recv(&mut buffer).expect("a message"), 3);
    assert_eq!(&buffer[..3], b"one");
    let (count, from) = far.recv_from(&mut buffer).expect("a message");
    assert_eq!(
        (count, &buffer),
        (4, b"thre"),
        "the rest of a message is cut off"
    );
    assert!(from.is_unnamed());
    assert_would_block(far.recv(&mut buffer));
    assert_would_block(far.recv_from(&mut buffer));
    assert!(near.local_addr().expect("an address").is_unnamed());
    assert!(near.peer_addr().expect("an address").is_unnamed());
}

#[test]
fn unconnected_sockets_say_who_sent() {
    let mut watch = Watch::new();
    let (here, there) = (SocketPath::new(), SocketPath::new());
    let near = UnixDatagram::bind(&here.0).expect("bound");
    let mut far = UnixDatagram::bind_addr(&there.address()).expect("bound");
    watch
        .registry()
        .register(&mut far, Token(1), BOTH)
        .expect("registered");
    assert_eq!(near.send_to(b"hello", &there.0).expect("room"), 5);
    watch.readable(Token(1));
    let mut buffer = [0; 8];
    let (count, from) = far.recv_from(&mut buffer).expect("a message");
    assert_eq!(&buffer[..count], b"hello");
    assert_eq!(from.as_pathname(), Some(here.0.as_path()));
    assert_eq!(
        near.local_addr().expect("an address").as_pathname(),
        Some(here.0.as_path())
    );
    assert_eq!(
        near.peer_addr().expect_err("no peer").kind(),
        ErrorKind::NotConnected
    );
    assert!(near.take_error().expect("an answer").is_none());
}

#[test]
fn an_unbound_socket_connects() {
    let mut watch = Watch::new();
    let path = SocketPath::new();
    let mut far = UnixDatagram::bind(&path.0).expect("bound");
    watch
        .registry()
        .register(&mut far, Token(1), BOTH)
        .expect("registered");
    let near = UnixDatagram::unbound().expect("a socket");
    assert!(near.local_addr().expect("an address").is_unnamed());
    // Apple's systems name it by what would help.
    let lonely = near.send(b"x").expect_err("no peer");
    let apple = lonely.raw_os_error() == Some(libc::EDESTADDRREQ);
    assert!(apple || lonely.kind() == ErrorKind::NotConnected);
    near.connect(&path.0).expect("connected");
    assert_eq!(
        near.peer_addr().expect("an address").as_pathname(),
        Some(path.0.as_path())
    );
    assert_eq!(near.send(b"x").expect("room"), 1);
    watch.readable(Token(1));
    assert_eq!(far.recv(&mut [0; 8]).expect("a message"), 1);
}

#[test]
fn shutting_down_ends_both_ends() {
    let mut watch = Watch::new();
    let (mut near, far) = UnixDatagram::pair().expect("a pair");
    watch
        .registry()
        .register(&mut near, Token(0), BOTH)
        .expect("registered");
    watch.writable(Token(0));
    near.shutdown(Shutdown::Both).expect("connected");
    assert!(watch.readable(Token(0)).is_read_closed());
    assert_eq!(
        near.send(b"x").expect_err("shut down").kind(),
        ErrorKind::BrokenPipe
    );
    if BSD {
        return println!("skipped: what the other end's call says is each system's own");
    }
    assert_eq!(
        far.send(b"x").expect_err("nobody reads").kind(),
        ErrorKind::BrokenPipe
    );
}

#[test]
fn a_full_queue_is_writable_again_once_received() {
    let mut watch = Watch::new();
    let (mut near, far) = UnixDatagram::pair().expect("a pair");
    watch
        .registry()
        .register(&mut near, Token(0), BOTH)
        .expect("registered");
    watch.writable(Token(0));
    let mut sent = 0;
    while near.send(&[1; 512]).is_ok() {
        sent += 1;
    }
    if BSD {
        // There is no event for it: the send is simply made again.
        let full = near.send(&[1; 512]).expect_err("no room");
        assert_eq!(full.raw_os_error(), Some(libc::ENOBUFS));
        return println!("skipped: the sender's own socket had room all the while");
    }
    assert_would_block(near.send(&[1; 512]));
    watch.quiet();
    for _ in 0..sent {
        assert_eq!(far.recv(&mut [0; 1024]).expect("a message"), 512);
    }
    watch.writable(Token(0));
}

#[test]
fn try_io_passes_the_result_of_its_closure() {
    let (near, far) = UnixDatagram::pair().expect("a pair");
    assert_eq!(near.try_io(|| far.send(b"xyz")).expect("the closure's"), 3);
    assert_would_block(far.try_io(|| far.recv(&mut [0; 4])));
}
