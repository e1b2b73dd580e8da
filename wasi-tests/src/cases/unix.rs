//! Unix sockets, named by paths. In a guest they need WasmEdge's `--allow-af-unix`, and the paths
//! are the host's own.

use std::io::{Error, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::{UnixDatagram, UnixListener, UnixStream};

#[cfg(target_os = "wasi")]
use mio::net::SocketAddr;
#[cfg(not(target_os = "wasi"))]
use std::os::unix::net::SocketAddr;

use super::drained::any_stream;
use super::short::Stream;
use crate::Outcome;
use crate::harness::{BOTH, GUEST, Loop, READABLE, TempPath, WRITABLE, assert_blocks, assert_kind};
use crate::harness::{BSD, drain, fill, only_native, pattern, send, would_block};

impl Stream for UnixStream {
    fn pair(lp: &mut Loop) -> (UnixStream, UnixStream) {
        pair(lp)
    }

    /// What was written is there.
    fn arrived(&self, _: &Loop, _: usize) {}
}

/// Unix streams keep the promises that TCP streams do.
pub(super) fn streams_are_alike() -> Outcome {
    any_stream::<UnixStream>();
    Outcome::Passed
}

/// A connection over a path: the client's end and the server's, neither registered.
fn pair(lp: &mut Loop) -> (UnixStream, UnixStream) {
    let path = TempPath::new();
    let mut listener = UnixListener::bind(&path).unwrap();
    lp.add(&mut listener, 1_000, READABLE);
    let client = UnixStream::connect(&path).unwrap();
    lp.readable(1_000);
    let server = listener.accept().unwrap().0;
    lp.remove(&mut listener);
    lp.forget();
    (client, server)
}

/// Streams connect by path and carry data both ways.
pub(crate) fn stream_echoes() {
    let mut lp = Loop::new();
    let (mut client, mut server) = pair(&mut lp);
    lp.add(&mut client, 1, BOTH);
    lp.add(&mut server, 2, READABLE);
    lp.writable(1);
    for round in 0..50_u8 {
        send(&client, &[round; 7]);
        assert_eq!(lp.receive(&server, 2, 7), [round; 7]);
        assert_blocks(server.read(&mut [0; 8]));
        send(&server, &[round; 9]);
        assert_eq!(lp.receive(&client, 1, 9), [round; 9]);
        assert_blocks(client.read(&mut [0; 8]));
    }
    assert!(client.take_error().unwrap().is_none());
}

/// A listener and a connected peer tell the path; a client that bound none is unnamed.
pub(crate) fn addresses_tell_the_path() {
    let mut lp = Loop::new();
    let path = TempPath::new();
    let mut listener = UnixListener::bind(&path).unwrap();
    assert_blocks(listener.accept());
    assert!(listener.take_error().unwrap().is_none());
    assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
    lp.add(&mut listener, 1, READABLE);
    let client = UnixStream::connect(&path).unwrap();
    lp.readable(1);
    let (server, peer) = listener.accept().unwrap();
    assert!(peer.is_unnamed());
    assert_eq!(peer.as_pathname(), None);
    assert!(client.local_addr().unwrap().is_unnamed());
    assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
    assert_eq!(server.local_addr().unwrap().as_pathname(), Some(&*path));
    assert!(server.peer_addr().unwrap().is_unnamed());
    assert!(!format!("{peer:?}").is_empty());
}

/// Binding and connecting take an address that was made of a path before.
pub(crate) fn addresses_are_made_of_paths() {
    let mut lp = Loop::new();
    let path = TempPath::new();
    let address = SocketAddr::from_pathname(&path).unwrap();
    assert!(!address.is_unnamed());
    assert_eq!(address.as_pathname(), Some(&*path));
    let mut listener = UnixListener::bind_addr(&address).unwrap();
    lp.add(&mut listener, 1, READABLE);
    let client = UnixStream::connect_addr(&address).unwrap();
    lp.readable(1);
    let mut server = listener.accept().unwrap().0;
    lp.add(&mut server, 2, READABLE);
    send(&client, b"hello");
    assert_eq!(lp.receive(&server, 2, 5), b"hello");
    let path = TempPath::new();
    let datagram = UnixDatagram::bind_addr(&SocketAddr::from_pathname(&path).unwrap()).unwrap();
    assert_eq!(datagram.local_addr().unwrap().as_pathname(), Some(&*path));
}

/// Who takes one connection for each event gets all that queue in a guest. Natively the queue
/// must be emptied, and who does that hears of the next connection everywhere.
pub(crate) fn one_accept_an_event() {
    let mut lp = Loop::new();
    let path = TempPath::new();
    let mut listener = UnixListener::bind(&path).unwrap();
    lp.add(&mut listener, 1, READABLE);
    for _ in 0..3 {
        let clients: Vec<UnixStream> = (0..5)
            .map(|_| UnixStream::connect(&path).unwrap())
            .collect();
        let mut accepted = 0;
        while accepted < clients.len() {
            lp.readable(1);
            while would_block(listener.accept()).is_some() {
                accepted += 1;
                if GUEST {
                    break;
                }
            }
        }
        assert_blocks(listener.accept());
        lp.forget();
    }
    lp.quiet("the queue is empty");
}

/// Datagrams go by path, and `recv_from` tells the sender's.
pub(crate) fn datagrams_go_by_path() {
    let mut lp = Loop::new();
    let (path, peer_path) = (TempPath::new(), TempPath::new());
    let mut socket = UnixDatagram::bind(&path).unwrap();
    let peer = UnixDatagram::bind(&peer_path).unwrap();
    lp.add(&mut socket, 1, READABLE);
    let mut buffer = [0; 64];
    assert_blocks(socket.recv_from(&mut buffer));
    for round in 0..20_u8 {
        assert_eq!(peer.send_to(&[round; 11], &path).unwrap(), 11);
        lp.readable(1);
        let (length, sender) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(buffer[..length], [round; 11]);
        assert_eq!(sender.as_pathname(), Some(&*peer_path));
    }
    assert!(socket.take_error().unwrap().is_none());
}

/// The sender of a datagram that has no name is unnamed, and its datagram is received all the
/// same.
pub(crate) fn unbound_senders_are_unnamed() {
    let mut lp = Loop::new();
    let path = TempPath::new();
    let mut socket = UnixDatagram::bind(&path).unwrap();
    lp.add(&mut socket, 1, READABLE);
    let peer = UnixDatagram::unbound().unwrap();
    assert!(peer.local_addr().unwrap().is_unnamed());
    peer.send_to(b"who am I?", &path).unwrap();
    lp.readable(1);
    let mut buffer = [0; 64];
    let (length, sender) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"who am I?");
    assert!(sender.is_unnamed());
}

/// A connected datagram socket sends without naming its peer, which receives each datagram whole.
pub(crate) fn connected_datagrams() {
    let mut lp = Loop::new();
    let path = TempPath::new();
    let mut socket = UnixDatagram::bind(&path).unwrap();
    let mut peer = UnixDatagram::unbound().unwrap();
    peer.connect(&path).unwrap();
    assert_eq!(peer.peer_addr().unwrap().as_pathname(), Some(&*path));
    lp.add(&mut socket, 1, READABLE);
    lp.add(&mut peer, 2, WRITABLE);
    lp.writable(2);
    assert_eq!(peer.send(b"one").unwrap(), 3);
    assert_eq!(peer.try_io(|| peer.send(b"two!")).unwrap(), 4);
    lp.readable(1);
    let mut buffer = [0; 64];
    assert_eq!(socket.recv(&mut buffer).unwrap(), 3);
    assert_eq!(socket.recv(&mut buffer).unwrap(), 4);
    assert_eq!(&buffer[..4], b"two!");
    assert_blocks(socket.recv(&mut buffer));
}

/// A path where nobody listens is `NotFound` when there is no file.
pub(crate) fn missing_path_is_not_found() {
    let path = TempPath::new();
    assert_kind(UnixStream::connect(&path), ErrorKind::NotFound);
    let socket = UnixDatagram::unbound().unwrap();
    assert_kind(socket.connect(&path), ErrorKind::NotFound);
    assert_kind(socket.send_to(b"hello", &path), ErrorKind::NotFound);
}

/// A path that a socket has is `AddrInUse`, also when its owner has gone and left the file.
pub(crate) fn used_path_is_refused() {
    let path = TempPath::new();
    let listener = UnixListener::bind(&path).unwrap();
    assert_kind(UnixListener::bind(&path), ErrorKind::AddrInUse);
    drop(listener);
    assert_kind(UnixListener::bind(&path), ErrorKind::AddrInUse);
    assert_kind(UnixStream::connect(&path), ErrorKind::ConnectionRefused);
}

/// A path that is longer than a socket's name can be is refused before anything happens.
pub(crate) fn long_paths_are_refused() {
    let path = format!("/tmp/{}", "x".repeat(200));
    assert_kind(SocketAddr::from_pathname(&path), ErrorKind::InvalidInput);
    assert_kind(UnixListener::bind(&path), ErrorKind::InvalidInput);
    assert_kind(UnixStream::connect(&path), ErrorKind::InvalidInput);
    assert_kind(UnixDatagram::bind(&path), ErrorKind::InvalidInput);
}

/// When the peer has gone, what it sent is read first, then the end; the event says that both
/// directions are closed, and a write is an error, not a signal.
pub(crate) fn gone_peer_closes_both_ways() {
    let mut lp = Loop::new();
    let (mut client, server) = pair(&mut lp);
    lp.add(&mut client, 1, BOTH);
    send(&server, b"bye");
    drop(server);
    let seen = lp.wait(1, "the end", |seen| seen.readable);
    lp.both_closed(seen, BOTH);
    assert_eq!(drain(&client), (b"bye".to_vec(), true));
    assert_kind(client.write(b"too late"), ErrorKind::BrokenPipe);
    // Data that came with the end may be a reason to look again, once: look afresh.
    lp.forget();
    lp.change(&mut client, 1, READABLE);
    lp.readable(1);
    lp.quiet("the end has been reported");
}

/// After `shutdown(Write)` the peer reads the end and may still answer.
pub(crate) fn shutdown_is_by_direction() {
    let mut lp = Loop::new();
    let (mut client, mut server) = pair(&mut lp);
    lp.add(&mut client, 1, READABLE);
    lp.add(&mut server, 2, READABLE);
    client.shutdown(Shutdown::Write).unwrap();
    lp.readable(2);
    assert_eq!(drain(&server), (vec![], true));
    send(&server, b"answer");
    assert_eq!(lp.receive(&client, 1, 6), b"answer");
    server.shutdown(Shutdown::Both).unwrap();
    lp.readable(1);
    assert_eq!(drain(&client), (vec![], true));
}

/// Gather writes and scatter reads are one call each, in order.
pub(crate) fn gather_and_scatter() {
    let mut lp = Loop::new();
    let (mut client, mut server) = pair(&mut lp);
    lp.add(&mut server, 1, READABLE);
    let slices = [&b"one"[..], b"", b"two", b"three"].map(IoSlice::new);
    assert_eq!(client.write_vectored(&slices).unwrap(), 11);
    lp.readable(1);
    let (mut first, mut second) = ([0; 4], [0; 16]);
    let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(server.read_vectored(&mut buffers).unwrap(), 11);
    assert_eq!((&first, &second[..7]), (b"onet", &b"wothree"[..]));
}

/// A megabyte through a small buffer arrives complete: the writer sleeps and wakes as often as it
/// must.
pub(crate) fn large_transfer() {
    const TOTAL: usize = 1 << 20;
    let mut lp = Loop::new();
    let (mut client, mut server) = pair(&mut lp);
    lp.add(&mut client, 1, WRITABLE);
    lp.add(&mut server, 2, READABLE);
    let bytes = pattern(4, 0, TOTAL);
    let mut received = Vec::new();
    let mut sent = 0;
    while received.len() < TOTAL {
        for seen in lp.next("the rest of the transfer") {
            if seen.token == 2 {
                received.extend(drain(&server).0);
                continue;
            }
            while sent < TOTAL {
                match would_block(client.write(&bytes[sent..])) {
                    Some(written) => sent += written,
                    None => break,
                }
            }
        }
    }
    assert!(received == bytes);
}

/// A full stream is reported as writable after the peer has read, as a full TCP stream is.
pub(crate) fn writable_again_after_full_buffer() {
    let mut lp = Loop::new();
    let (mut client, server) = pair(&mut lp);
    lp.add(&mut client, 1, WRITABLE);
    lp.writable(1);
    for _ in 0..3 {
        let sent = fill(&client);
        lp.quiet("nobody has read");
        assert_eq!(drain(&server).0.len(), sent);
        lp.writable(1);
    }
}

/// A datagram for a peer whose queue is full would block, and when the peer has received there is
/// a writable event.
pub(crate) fn writable_again_after_full_queue() -> Outcome {
    if BSD {
        return Outcome::Skipped("a sender is not told of the receiver's room there");
    }
    let mut lp = Loop::new();
    let path = TempPath::new();
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut peer = UnixDatagram::unbound().unwrap();
    peer.connect(&path).unwrap();
    lp.add(&mut peer, 1, WRITABLE);
    for _ in 0..3 {
        lp.writable(1);
        let mut queued = 0;
        while would_block(peer.send(b"datagram")).is_some() {
            queued += 1;
        }
        while would_block(socket.recv(&mut [0; 8])).is_some() {
            queued -= 1;
        }
        assert_eq!(queued, 0);
    }
    lp.writable(1);
    Outcome::Passed
}

/// A datagram socket that was shut down for reading has nothing more to receive. Some hosts call
/// it readable for ever: a loop that believes them all the same does not spin.
pub(crate) fn shut_down_datagrams_do_not_spin() -> Outcome {
    if BSD {
        return Outcome::Skipped("what is not connected cannot be shut down there");
    }
    let mut lp = Loop::new();
    let path = TempPath::new();
    let mut socket = UnixDatagram::bind(&path).unwrap();
    lp.add(&mut socket, 1, READABLE);
    lp.quiet("nothing was sent");
    socket.shutdown(Shutdown::Read).unwrap();
    let polls = lp.turns_in(Duration::from_millis(100), |_| {
        assert_eq!(would_block(socket.recv(&mut [0; 8])).unwrap_or(0), 0);
    });
    assert!(polls < 500, "{polls} polls with nothing new to report");
    Outcome::Passed
}

/// A connected pair without names is the system's own to make: a guest is told that it has no such
/// call.
pub(crate) fn pairs_are_made_or_unsupported() {
    let mut lp = Loop::new();
    if let Some((client, mut server)) = only_native("pair", UnixStream::pair()) {
        lp.add(&mut server, 1, READABLE);
        send(&client, b"hello");
        assert_eq!(lp.receive(&server, 1, 5), b"hello");
        assert!(client.peer_addr().unwrap().is_unnamed());
    }
    if let Some((client, mut server)) = only_native("pair", UnixDatagram::pair()) {
        lp.add(&mut server, 2, READABLE);
        client.send(b"hello").unwrap();
        lp.readable(2);
        assert_eq!(server.recv(&mut [0; 8]).unwrap(), 5);
    }
}

/// A guest that was not allowed Unix sockets is told the flag that allows them; natively none is
/// needed (second-state/wasmedge_wasi_socket#66: "os error 52", and no hint).
pub(crate) fn missing_flag_is_named() {
    let (path, other) = (TempPath::new(), TempPath::new());
    let listener = UnixListener::bind(&path);
    let errors: Vec<Error> = [
        UnixStream::connect(&path).err(),
        UnixDatagram::bind(&other).err(),
        UnixDatagram::unbound().err(),
        listener.err(),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(errors.len(), if GUEST { 4 } else { 0 }, "{errors:?}");
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("--allow-af-unix"), "{error}");
    }
}
