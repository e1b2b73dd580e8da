//! After a read that came up short. The stream was empty then, so a library on a host that is
//! level-triggered need not ask it again: the next read before a poll may answer `WouldBlock` out
//! of memory, once. Nothing may be lost by that, and nobody need poll to hear of it: the second
//! attempt reaches the host, and so does every read that a poll precedes, or that follows an
//! operation which saw more. Where nothing is remembered all of this holds the sooner.

use std::io::{ErrorKind, IoSliceMut, Read};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};

use super::edge::alias;
use super::reset::reset;
use super::short::{Stream, at_once, come_up_short, deliver, to_the_end, watched, within_two};
use crate::Outcome;
use crate::harness::{BOTH, Loop, READABLE, WINSOCK, WRITABLE, assert_kind, drain};
use crate::harness::{fill, localhost, send, would_block};

/// The end of a stream that came together with the last data is found by who reads until it would
/// block and then polls.
pub(crate) fn end_with_the_data() {
    ends_with_the_data::<TcpStream>();
}

fn ends_with_the_data<S: Stream>() {
    let mut lp = Loop::new();
    for _ in 0..10 {
        let (mut client, mut server) = watched::<S>(&mut lp);
        send(&mut server, b"bye");
        drop(server);
        client.arrived(&lp, 3);
        lp.readable(1);
        at_once(&mut client, b"bye");
        assert_eq!(to_the_end(&mut lp, &mut client, 1), b"");
        // Once found, it stays.
        at_once(&mut client, b"");
        at_once(&mut client, b"");
    }
}

/// The end that comes after a short read is an event, and is found without one too.
pub(crate) fn end_after_the_data() {
    ends_after_the_data::<TcpStream>();
}

fn ends_after_the_data<S: Stream>() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<S>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    drop(server);
    assert_eq!(to_the_end(&mut lp, &mut client, 1), b"");

    let (mut client, mut server) = watched::<S>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    drop(server);
    lp.readable(1);
    at_once(&mut client, b"");

    let (mut client, mut server) = watched::<S>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    drop(server);
    client.arrived(&lp, 0);
    within_two(&mut client, b"");
    at_once(&mut client, b"");
}

/// A reset that comes after a short read is told by an event and the read that follows it, and to
/// who goes on reading without a poll.
pub(crate) fn reset_after_the_data() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    reset(server);
    lp.readable(1);
    assert_kind(client.read(&mut [0; 8]), ErrorKind::ConnectionReset);
    after_a_reset(&mut client);

    // In Wine a read has two steps, and one in the moment of the reset may be the end.
    let tries = if WINSOCK { 12 } else { 1 };
    assert!((0..tries).any(|_| reads_a_reset(&mut lp)));
}

/// Whether who goes on reading without a poll is told of the reset.
fn reads_a_reset(lp: &mut Loop) -> bool {
    let (mut client, mut server) = watched::<TcpStream>(lp);
    come_up_short(lp, &mut client, &mut server);
    reset(server);
    loop {
        match client.read(&mut [0; 8]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => _ = lp.left("the reset"),
            Ok(0) => return false,
            other => break assert_kind(other, ErrorKind::ConnectionReset),
        }
    }
    after_a_reset(&mut client);
    true
}

/// It is at its end, or tells of the reset again.
pub(super) fn after_a_reset(client: &mut TcpStream) {
    match client.read(&mut [0; 8]) {
        Err(error) if WINSOCK => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        read => assert_eq!(read.unwrap(), 0),
    }
}

/// Who never polls gets what came after a short read, at the latest by the second attempt; and
/// after two that would block, with nothing there, by the next.
pub(crate) fn data_without_a_poll() {
    reads_without_a_poll::<TcpStream>();
}

fn reads_without_a_poll<S: Stream>() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<S>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    for round in 0..20_u8 {
        deliver(&lp, &mut server, &client, &[round; 5]);
        within_two(&mut client, &[round; 5]);
    }
    for round in 0..20_u8 {
        for _ in 0..2 {
            assert_kind(client.read(&mut [0; 8]), ErrorKind::WouldBlock);
        }
        deliver(&lp, &mut server, &client, &[round; 7]);
        at_once(&mut client, &[round; 7]);
    }
}

/// What came between a short read and the next, much or little, is an event for who tried to read
/// it and was told that it would block.
pub(crate) fn data_between_the_reads() {
    loses_nothing_in_between::<TcpStream>();
}

fn loses_nothing_in_between<S: Stream>() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<S>(&mut lp);
    for much in [false, true, true, false] {
        come_up_short(&mut lp, &mut client, &mut server);
        let sent = if much {
            fill(&mut server)
        } else {
            send(&mut server, b"x");
            1
        };
        let mut received = drain(&mut client).0;
        while received.len() < sent {
            lp.readable(1);
            received.extend(drain(&mut client).0);
        }
        assert!(received == vec![b'x'; sent]);
        // Natively these bytes were announced after all; they have been read.
        lp.turn(Some(Duration::ZERO));
        lp.forget();
    }
}

/// After a poll a read asks the host, whether the poll told of this stream, of another, or of
/// nothing.
pub(crate) fn a_poll_in_between() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    let (mut other, mut peer) = TcpStream::pair(&mut lp);
    lp.add(&mut other, 2, READABLE);
    for _ in 0..5 {
        come_up_short(&mut lp, &mut client, &mut server);
        deliver(&lp, &mut server, &client, b"told");
        lp.readable(1);
        at_once(&mut client, b"told");

        lp.quiet("all has been read");
        deliver(&lp, &mut server, &client, b"after nothing");
        at_once(&mut client, b"after nothing");

        deliver(&lp, &mut peer, &other, b"other");
        lp.readable(2);
        deliver(&lp, &mut server, &client, b"after another");
        at_once(&mut client, b"after another");
        at_once(&mut other, b"other");
        lp.quiet("all has been read");
    }
}

/// A stream that is not registered any more is read at once, since no event would tell; and
/// registered again, here or elsewhere, it starts afresh.
pub(crate) fn deregistered_in_between() {
    let mut lp = Loop::new();
    let mut elsewhere = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    for _ in 0..5 {
        come_up_short(&mut lp, &mut client, &mut server);
        lp.remove(&mut client);
        deliver(&lp, &mut server, &client, b"unwatched");
        at_once(&mut client, b"unwatched");
        elsewhere.add(&mut client, 3, READABLE);
        deliver(&lp, &mut server, &client, b"elsewhere");
        elsewhere.readable(3);
        at_once(&mut client, b"elsewhere");
        elsewhere.remove(&mut client);
        lp.add(&mut client, 1, READABLE);
        deliver(&lp, &mut server, &client, b"again");
        lp.readable(1);
        at_once(&mut client, b"again");
    }
    lp.quiet("all has been read");
}

/// Another registration, for reading too, takes nothing away: who reads on, and who polls.
pub(crate) fn reregistered_in_between() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    for interest in [READABLE, BOTH, READABLE] {
        come_up_short(&mut lp, &mut client, &mut server);
        lp.change(&mut client, 7, interest);
        deliver(&lp, &mut server, &client, b"read on");
        within_two(&mut client, b"read on");
        lp.forget();
        lp.change(&mut client, 8, interest);
        deliver(&lp, &mut server, &client, b"polled");
        lp.readable(8);
        at_once(&mut client, b"polled");
        lp.forget();
        lp.change(&mut client, 1, READABLE);
    }
}

/// Who watches for writing alone hears of no data, so that each read asks the host. Back at
/// reading, there is an event for what came meanwhile.
pub(crate) fn watched_for_writing_alone() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    for _ in 0..5 {
        come_up_short(&mut lp, &mut client, &mut server);
        lp.change(&mut client, 1, WRITABLE);
        for _ in 0..3 {
            deliver(&lp, &mut server, &client, b"by chance");
            at_once(&mut client, b"by chance");
        }
        deliver(&lp, &mut server, &client, b"meanwhile");
        lp.change(&mut client, 1, READABLE);
        lp.readable(1);
        at_once(&mut client, b"meanwhile");

        lp.change(&mut client, 1, WRITABLE);
        lp.change(&mut client, 1, READABLE);
        deliver(&lp, &mut server, &client, b"there and back");
        within_two(&mut client, b"there and back");
        lp.forget();
    }
}

/// A peek that saw data is followed by a read that gives it. One that would block counts as an
/// attempt, and is followed by an event.
pub(crate) fn peek_in_between() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    let mut buffer = [0; 64];
    for _ in 0..5 {
        come_up_short(&mut lp, &mut client, &mut server);
        deliver(&lp, &mut server, &client, b"seen");
        let seen = would_block(client.peek(&mut buffer));
        let seen = seen.unwrap_or_else(|| client.peek(&mut buffer).unwrap());
        assert_eq!(&buffer[..seen], b"seen");
        at_once(&mut client, b"seen");

        assert_kind(client.peek(&mut buffer), ErrorKind::WouldBlock);
        deliver(&lp, &mut server, &client, b"told");
        lp.readable(1);
        assert_eq!(client.peek(&mut buffer).unwrap(), 4);
        at_once(&mut client, b"told");
        lp.quiet("all has been read");
    }
    come_up_short(&mut lp, &mut client, &mut server);
    drop(server);
    client.arrived(&lp, 0);
    assert_eq!(client.peek(&mut buffer).unwrap(), 0);
    assert_eq!(client.read(&mut buffer).unwrap(), 0, "the end was seen");
}

/// Who has shut reading down reads the end at once.
pub(crate) fn own_end_in_between() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    client.shutdown(Shutdown::Read).unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

/// A call of the program's own, by `try_io`, is always made; and what it left of the data is read
/// at once.
pub(crate) fn try_io_in_between() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    for _ in 0..5 {
        come_up_short(&mut lp, &mut client, &mut server);
        deliver(&lp, &mut server, &client, b"two parts");
        let mut buffer = [0; 4];
        let read = client.try_io(|| alias(&client).read(&mut buffer));
        assert_eq!((read.unwrap(), &buffer), (4, b"two "));
        at_once(&mut client, b"parts");

        let blocked = client.try_io(|| alias(&client).read(&mut buffer));
        assert_kind(blocked, ErrorKind::WouldBlock);
        deliver(&lp, &mut server, &client, b"told");
        lp.readable(1);
        at_once(&mut client, b"told");
    }
}

/// Reading into several buffers is short when there was room left in all of them together.
pub(crate) fn short_by_several_buffers() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    let (mut one, mut two) = ([0; 4], [0; 4]);
    for _ in 0..5 {
        deliver(&lp, &mut server, &client, b"messages of many bytes");
        lp.readable(1);
        let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(client.read_vectored(&mut slices).unwrap(), 8);
        let mut slices = [&mut [], &mut one[..], &mut []].map(IoSliceMut::new);
        assert_eq!(client.read_vectored(&mut slices).unwrap(), 4);
        at_once(&mut client, b"many bytes");

        deliver(&lp, &mut server, &client, b"short");
        lp.readable(1);
        let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(client.read_vectored(&mut slices).unwrap(), 5);
        deliver(&lp, &mut server, &client, b"next");
        within_two(&mut client, b"next");
    }
}

/// A host takes no more than 1024 buffers in one call: what it leaves for that reason is read at
/// once.
pub(crate) fn short_by_too_many_buffers() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    deliver(&lp, &mut server, &client, &[7; 1064]);
    lp.readable(1);
    let mut bytes = [0; 1100];
    let mut slices: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
    assert_eq!(client.read_vectored(&mut slices).unwrap(), 1024);
    at_once(&mut client, &[7; 40]);
}

/// A read that filled its buffer says nothing of the next, and one into no space takes nothing.
pub(crate) fn full_reads_are_not_short() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    for _ in 0..5 {
        deliver(&lp, &mut server, &client, b"12345678");
        lp.readable(1);
        for part in [b"1234", b"5678"] {
            let mut buffer = [0; 4];
            assert_eq!(client.read(&mut buffer).unwrap(), 4);
            assert_eq!(&buffer, part);
        }
        deliver(&lp, &mut server, &client, b"at once");
        at_once(&mut client, b"at once");
        deliver(&lp, &mut server, &client, b"soon");
        assert_eq!(would_block(client.read(&mut [])).unwrap_or(0), 0);
        within_two(&mut client, b"soon");
    }
}

/// Taking the error that waits, or finding none, stands in nobody's way.
pub(crate) fn take_error_in_between() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    assert!(client.take_error().unwrap().is_none());
    deliver(&lp, &mut server, &client, b"hello");
    within_two(&mut client, b"hello");
    assert!(client.take_error().unwrap().is_none());
    deliver(&lp, &mut server, &client, b"hello");
    lp.readable(1);
    at_once(&mut client, b"hello");
    reset(server);
    if WINSOCK {
        lp.readable(1);
        assert!(client.take_error().unwrap().is_none());
        return assert_kind(client.read(&mut [0; 8]), ErrorKind::ConnectionReset);
    }
    let error = loop {
        lp.left("the reset");
        if let Some(error) = client.take_error().unwrap() {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    within_two(&mut client, b"");
}

/// Ending one direction after a short read: the answer to the end comes through, and reading that
/// was ended here is at its end.
pub(crate) fn shutdown_in_between() {
    let mut lp = Loop::new();
    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    client.shutdown(Shutdown::Write).unwrap();
    lp.add(&mut server, 2, READABLE);
    assert_eq!(to_the_end(&mut lp, &mut server, 2), b"");
    send(&mut server, b"bye");
    drop(server);
    assert_eq!(to_the_end(&mut lp, &mut client, 1), b"bye");

    let (mut client, mut server) = watched::<TcpStream>(&mut lp);
    come_up_short(&mut lp, &mut client, &mut server);
    client.shutdown(Shutdown::Read).unwrap();
    within_two(&mut client, b"");
}

/// A short read is one stream's own affair: another with the same peer and the same token is read
/// at once.
pub(crate) fn others_are_not_concerned() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    let (mut client, mut server) = lp.tcp_pair_at(&mut listener);
    let (mut other, mut peer) = lp.tcp_pair_at(&mut listener);
    assert_eq!(client.peer_addr().unwrap(), other.peer_addr().unwrap());
    lp.add(&mut client, 1, READABLE);
    lp.add(&mut other, 1, READABLE);
    for _ in 0..5 {
        come_up_short(&mut lp, &mut client, &mut server);
        deliver(&lp, &mut peer, &other, b"other");
        at_once(&mut other, b"other");
        deliver(&lp, &mut server, &client, b"own");
        within_two(&mut client, b"own");
        lp.turn(Some(Duration::ZERO));
        lp.forget();
    }
}

/// A stream that takes the place of one that came up short is read at once, without a poll since.
pub(crate) fn nothing_is_inherited() {
    let mut lp = Loop::new();
    for _ in 0..20 {
        let (mut heir, mut peer) = TcpStream::pair(&mut lp);
        let (mut client, mut server) = watched::<TcpStream>(&mut lp);
        come_up_short(&mut lp, &mut client, &mut server);
        drop((client, server));
        lp.add(&mut heir, 1, READABLE);
        deliver(&lp, &mut peer, &heir, b"hello");
        at_once(&mut heir, b"hello");
        drop((heir, peer));
        lp.forget();
    }
}

/// With room for one event a poll, a stream may be read short while its own event is still to
/// come: what follows is told all the same, and read at once.
pub(crate) fn events_left_over() {
    for interest in [READABLE, BOTH] {
        let mut lp = Loop::with_capacity(1);
        let mut ends = [0, 1].map(|token| {
            let (mut client, server) = TcpStream::pair(&mut lp);
            lp.add(&mut client, token, interest);
            (client, server)
        });
        for round in 0..20_u8 {
            for (token, (client, server)) in ends.iter_mut().enumerate() {
                deliver(&lp, server, client, b"one");
                lp.change(client, token, interest);
            }
            let first = lp.next("either stream")[0].token;
            for (client, _) in &mut ends {
                at_once(client, b"one");
            }
            let (client, server) = &mut ends[1 - first];
            // What comes now meets an event that was there before it, or follows one that was.
            if round % 2 == 0 {
                deliver(&lp, server, client, b"more");
            } else {
                lp.turn(Some(Duration::ZERO));
                assert_kind(client.read(&mut [0; 8]), ErrorKind::WouldBlock);
                deliver(&lp, server, client, b"more");
            }
            lp.readable(1 - first);
            at_once(client, b"more");
        }
    }
}

/// Unix streams keep the same promises.
pub(crate) fn unix_streams_are_alike() -> Outcome {
    super::unix::streams_are_alike()
}

/// All the promises that any stream keeps.
#[cfg(not(any(windows, target_env = "p2")))]
pub(super) fn any_stream<S: Stream>() {
    ends_with_the_data::<S>();
    ends_after_the_data::<S>();
    reads_without_a_poll::<S>();
    loses_nothing_in_between::<S>();
}
