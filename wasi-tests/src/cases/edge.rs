//! Edges: one event for one change, and never a change without an event.
//!
//! Two promises pull in opposite directions. An event that nobody acted on is not repeated, or a
//! loop that has nothing to write spins (WasmEdge/WasmEdge#1974). And whoever used an operation up
//! hears again when there is more, or a loop that left something behind stalls (tokio-rs/mio#1612).

use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};

use crate::harness::handle::{AsRawFd, FromRawFd};
use crate::harness::{BOTH, GUEST, Loop, READABLE, WRITABLE, assert_blocks, discard, drain};
use crate::harness::{fill, localhost, send, udp, would_block};

/// Data that nobody reads is reported once, not with every poll.
pub(crate) fn unread_data_is_reported_once() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    send(&server, b"hello");
    lp.readable(1);
    lp.quiet("nobody has read");
    assert_eq!(drain(&client).0, b"hello");
    lp.quiet("all has been read");
}

/// After a read that would block, new data is a new event, as often as it happens.
pub(crate) fn event_after_would_block() {
    let mut lp = Loop::new();
    let (mut client, mut server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    lp.add(&mut server, 2, READABLE);
    for round in 0..100_u8 {
        send(&client, &[round]);
        lp.readable(2);
        assert_eq!(drain(&server), (vec![round], false));
        send(&server, &[round, round]);
        lp.readable(1);
        assert_eq!(drain(&client), (vec![round; 2], false));
    }
    lp.quiet("all has been read");
}

/// After a short read, which a reader may take for the end of the data, new data is a new event
/// (tokio-rs/tokio#5881).
pub(crate) fn event_after_short_read() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    for round in 0..50_u8 {
        send(&server, &[round; 3]);
        lp.readable(1);
        let mut buffer = [0; 64];
        assert_eq!(client.read(&mut buffer).unwrap(), 3);
        assert_eq!(buffer[..3], [round; 3]);
    }
}

/// After a read that filled the buffer exactly, new data is a new event.
pub(crate) fn event_after_exact_read() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    for round in 0..50_u8 {
        send(&server, &[round; 4]);
        lp.readable(1);
        let mut buffer = [0; 4];
        assert_eq!(client.read(&mut buffer).unwrap(), 4);
        assert_eq!(buffer, [round; 4]);
    }
    lp.quiet("all has been read");
}

/// Who takes one buffer for each event gets everything in a guest, where consuming arms again.
/// Natively the edge is the kernel's: there the rest is announced by the data that follows it.
pub(crate) fn one_buffer_an_event() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    send(&server, &[7; 40]);
    let mut buffer = [0; 4];
    for part in 0..10 {
        lp.readable(1);
        assert_eq!(client.read(&mut buffer).unwrap(), 4);
        if !GUEST && part < 9 {
            send(&server, b"more");
        }
    }
    let rest = if GUEST { 0 } else { 36 };
    assert_eq!(drain(&client).0.len(), rest);
    lp.quiet("all has been read");
}

/// Who takes one connection for each event gets all that queue in a guest. Natively the queue
/// must be emptied, and who does that hears of the next connection everywhere.
pub(crate) fn one_accept_an_event() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut clients: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for (token, client) in clients.iter_mut().enumerate() {
        lp.add(client, token, WRITABLE);
        lp.writable(token);
    }
    lp.add(&mut listener, 100, READABLE);
    let mut accepted = Vec::new();
    while accepted.len() < clients.len() {
        lp.readable(100);
        accepted.push(listener.accept().unwrap());
        while let Some(more) = (!GUEST).then(|| would_block(listener.accept())).flatten() {
            accepted.push(more);
        }
    }
    assert_blocks(listener.accept());
    lp.forget();
    for _ in 0..5 {
        clients.push(TcpStream::connect(address).unwrap());
        lp.accept(&listener, 100);
        assert_blocks(listener.accept());
    }
    lp.quiet("the queue is empty");
}

/// Who takes one datagram for each event gets all that queue in a guest. Natively the queue must
/// be emptied, and who does that hears of the next datagram everywhere.
pub(crate) fn one_datagram_an_event() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for round in 0..5_u8 {
        for part in 0..6_u8 {
            udp().0.send_to(&[round, part], address).unwrap();
        }
        let mut parts = 0;
        while parts < 6 {
            lp.readable(1);
            let mut buffer = [0; 2];
            while let Some(length) = would_block(socket.recv(&mut buffer)) {
                assert_eq!((length, buffer), (2, [round, parts]));
                parts += 1;
                if GUEST {
                    break;
                }
            }
        }
        assert_blocks(socket.recv(&mut [0; 2]));
        lp.forget();
    }
    lp.quiet("the queue is empty");
}

/// A source that could be written to all the time is reported once, also when it is written to:
/// otherwise a loop that only awaits a reply takes the whole processor
/// (second-state/wasmedge-quickjs#145).
pub(crate) fn writable_is_reported_once() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, WRITABLE);
    lp.writable(1);
    lp.quiet("it was writable before");
    for _ in 0..10 {
        send(&client, b"hello");
        lp.quiet("the buffer was never full");
    }
    discard(&lp, &server, 50);
}

/// A stream whose buffer was full is reported as writable when the peer has read, again and
/// again.
pub(crate) fn writable_again_after_full_buffer() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, WRITABLE);
    lp.writable(1);
    for _ in 0..3 {
        let (sent, _) = lp.saturate(&client, 1);
        discard(&lp, &server, sent);
        lp.writable(1);
    }
}

/// After a write that took only a part, which a writer may take for a full buffer, there is an
/// event when the rest has room.
pub(crate) fn event_after_short_write() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, WRITABLE);
    let bytes = vec![b'x'; 16 << 20];
    for _ in 0..2 {
        lp.writable(1);
        let (mut sent, mut last) = (0, bytes.len());
        while last == bytes.len() {
            last = would_block(client.write(&bytes)).unwrap_or(0);
            sent += last;
        }
        discard(&lp, &server, sent);
    }
    lp.writable(1);
}

/// Reading and writing are armed apart: a full buffer asks for a writable event, and that reading
/// was told before is no reason for an event of its own.
pub(crate) fn directions_are_apart() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, BOTH);
    send(&server, b"unread");
    lp.wait(1, "the data", |seen| seen.readable);
    lp.forget();
    let (sent, mut seen) = lp.saturate(&client, 1);
    discard(&lp, &server, sent);
    seen.push(lp.writable(1));
    assert!(seen.iter().all(|seen| seen.writable), "{seen:?}");
    assert_eq!(drain(&client).0, b"unread");
}

/// An event tells all that is ready of what was asked for, also what was told before and not used
/// up since: programs decide by the event in hand. What was found wanting is not told.
pub(crate) fn an_event_tells_all_that_is_ready() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, BOTH);
    lp.writable(1);
    for _ in 0..3 {
        send(&server, b"hello");
        assert!(lp.readable(1).writable);
        assert_eq!(drain(&client).0, b"hello");
    }
    lp.saturate(&client, 1);
    send(&server, b"hello");
    assert!(!lp.readable(1).writable, "the buffer is full");
}

/// Interest in one direction brings no event about the other.
pub(crate) fn only_what_was_asked() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    lp.quiet("it is writable, but nobody asked");
    send(&server, b"hello");
    assert!(!lp.readable(1).writable);
    lp.remove(&mut client);
    lp.add(&mut client, 2, WRITABLE);
    assert!(!lp.writable(2).readable);
    send(&server, b"hello");
    lp.quiet("it is readable, but nobody asked");
}

/// A second handle of the stream's descriptor, of which its registration does not know.
pub(super) fn alias(stream: &TcpStream) -> ManuallyDrop<TcpStream> {
    // SAFETY: the stream outlives its alias in every case here, and the alias never closes it.
    ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(stream.as_raw_fd()) })
}

/// Fills the stream unknown to its registration, until `write` would block. Tells the bytes.
fn fill_apart(stream: &TcpStream, mut write: impl FnMut() -> io::Result<usize>) -> usize {
    let mut sent = fill(&*alias(stream));
    // The kernel may still move bytes on.
    while let Some(written) = would_block(write()) {
        sent += written + fill(&*alias(stream));
    }
    sent
}

/// An operation that would block awaits the next event although it has moved nothing: an event
/// may be about what somebody else has taken meanwhile.
pub(crate) fn would_block_alone_arms_again() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, BOTH);
    lp.writable(1);
    for _ in 0..3 {
        send(&server, b"hello");
        lp.readable(1);
        assert_eq!(drain(&*alias(&client)).0, b"hello");
        assert_blocks(client.read(&mut [0; 8]));
    }
    lp.forget();
    lp.change(&mut client, 1, WRITABLE);
    lp.writable(1);
    let sent = fill_apart(&client, || (&client).write(b"no room"));
    discard(&lp, &server, sent);
    lp.writable(1);
}

/// An operation inside `try_io` is the caller's own, on the descriptor, and counts like one of the
/// source: after it would have blocked, there is an event in either direction.
pub(crate) fn try_io_arms_again() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, BOTH);
    lp.writable(1);
    for round in 0..20_u8 {
        send(&server, &[round; 5]);
        lp.readable(1);
        let mut buffer = [0; 16];
        let read = client.try_io(|| alias(&client).read(&mut buffer)).unwrap();
        assert_eq!((read, buffer[0]), (5, round));
        assert_blocks(client.try_io(|| alias(&client).read(&mut buffer)));
    }
    // One that succeeded may have left something, and what follows is an event in any case.
    for _ in 0..3 {
        send(&server, b"hello");
        lp.readable(1);
        let mut buffer = [0; 2];
        assert_eq!(
            client.try_io(|| alias(&client).read(&mut buffer)).unwrap(),
            2
        );
        send(&server, b"world");
        assert_eq!(lp.receive(&client, 1, 8), b"lloworld");
    }
    lp.forget();
    lp.change(&mut client, 1, WRITABLE);
    lp.writable(1);
    let sent = fill_apart(&client, || {
        client.try_io(|| alias(&client).write(b"no room"))
    });
    discard(&lp, &server, sent);
    lp.writable(1);
}

/// A peek that would block awaits the next event. One that saw something has taken nothing: it may
/// be told of that again, but not without a pause.
pub(crate) fn peek_neither_loses_nor_spins() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    let mut buffer = [0; 16];
    for _ in 0..10 {
        assert_blocks(client.peek(&mut buffer));
        send(&server, b"peek");
        lp.readable(1);
        assert_eq!(client.peek(&mut buffer).unwrap(), 4);
        assert_eq!(client.read(&mut buffer).unwrap(), 4);
    }
    // What follows is an event, although what was seen has not been taken.
    for round in 1..4 {
        send(&server, b"peek");
        lp.readable(1);
        while client.peek(&mut buffer).unwrap() < 4 * round {
            lp.readable(1);
        }
    }
    assert_eq!(drain(&client).0.len(), 12);
    send(&server, b"peek");
    lp.readable(1);
    let polls = lp.turns_in(Duration::from_millis(60), |_| {
        assert_eq!(client.peek(&mut buffer).unwrap(), 4);
    });
    assert!(polls < 500, "{polls} polls with nothing new to report");
}

/// The end of a stream is reported, and then not again and again, read or not.
pub(crate) fn end_of_stream_does_not_spin() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    send(&server, b"bye");
    drop(server);
    let mut received = Vec::new();
    let mut ended = false;
    while !ended {
        lp.readable(1);
        let (bytes, end) = drain(&client);
        received.extend(bytes);
        ended = end;
    }
    assert_eq!(received, b"bye");
    // The end may have come later than the event that made us read it: look afresh.
    lp.forget();
    lp.change(&mut client, 1, READABLE);
    lp.readable(1);
    for _ in 0..5 {
        lp.quiet("the end has been reported");
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    }
}

/// Reading into no space and writing nothing succeed with zero, and change nothing.
pub(crate) fn empty_buffers_change_nothing() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    send(&server, b"hello");
    lp.readable(1);
    assert_eq!(client.read(&mut []).unwrap(), 0);
    assert_eq!(client.write(&[]).unwrap(), 0);
    lp.quiet("nothing has been read");
    assert_eq!(would_block(client.read(&mut [0; 8])), Some(5));
}
