//! Bytes that cross, in both directions and in every amount.

use std::io::{ErrorKind, Read, Write};
use std::thread;

use super::common::{Watch, assert_would_block};
use super::counting::allocations;
use super::{MUCH, SERVER, connected, pattern, read, read_exact, settle, unlike_mio, write_all};

#[test]
fn much_arrives_whole() {
    const ALL: usize = 2_000_000;
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    let (sent, expected) = (pattern(ALL), pattern(ALL));
    let writing = thread::spawn(move || {
        // In pieces of all sizes.
        let mut rest = &sent[..];
        let mut size = 1;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            peer.write_all(piece).expect("a reader");
            (rest, size) = (after, size * 3 % 70_001 + 1);
        }
        peer
    });
    assert!(read_exact(&mut watch, SERVER, &server, ALL) == expected);
    let mut peer = writing.join().expect("no panic");
    let reading = thread::spawn(move || {
        let mut all = vec![0; ALL];
        peer.read_exact(&mut all).expect("a writer");
        all
    });
    let mut rest = &expected[..];
    let mut size = 1;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        write_all(&mut watch, SERVER, &server, piece);
        (rest, size) = (after, size * 3 % 170_001 + 1);
    }
    assert!(reading.join().expect("no panic") == expected);
}

#[test]
fn one_write_is_in_flight_at_a_time() {
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    let much = pattern(MUCH);
    assert_eq!((&server).write(&much).expect("taken whole"), MUCH);
    watch.quiet();
    assert_would_block((&server).write(b"x"));
    let mut all = vec![0; MUCH];
    peer.read_exact(&mut all).expect("all of it");
    assert!(all == much);
    watch.writable(SERVER);
    assert_eq!((&server).write(b"next").expect("room"), 4);
    let mut next = [0; 4];
    peer.read_exact(&mut next).expect("the next");
    assert_eq!(&next, b"next");
}

#[test]
fn a_read_takes_what_there_is_room_for() {
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    peer.write_all(b"abcdef").expect("room");
    watch.readable(SERVER);
    let mut two = [0; 2];
    for part in [b"ab", b"cd", b"ef"] {
        assert_eq!((&server).read(&mut []).expect("no room"), 0);
        assert_eq!((&server).read(&mut two).expect("two"), 2);
        assert_eq!(&two, part);
    }
    assert_would_block((&server).read(&mut two));
    peer.write_all(b"gh").expect("room");
    watch.readable(SERVER);
    assert_eq!((&server).read(&mut two).expect("two"), 2);
    assert_eq!(&two, b"gh");
}

/// Whoever has read all there was need not read once more to be told of the next.
#[test]
fn a_read_that_takes_all_begins_the_next() {
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    let mut four = [0; 4];
    for text in [b"abcd", b"efgh"] {
        peer.write_all(text).expect("room");
        watch.readable(SERVER);
        assert_eq!((&server).read(&mut four).expect("four"), 4);
        assert_eq!(&four, text);
    }
    // Nor of the end, whether it was there already or not.
    for early in [true, false] {
        let (server, mut peer) = connected(&mut watch);
        peer.write_all(b"abcd").expect("room");
        watch.readable(SERVER);
        let peer = (!early).then_some(peer);
        assert_eq!((&server).read(&mut four).expect("four"), 4);
        drop(peer);
        watch.readable(SERVER);
        assert_eq!((&server).read(&mut four).expect("the end"), 0);
        settle(&mut watch);
    }
}

#[test]
fn what_was_sent_comes_before_the_end() {
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    let much = pattern(30_000);
    peer.write_all(&much).expect("room");
    drop(peer);
    assert!(read_exact(&mut watch, SERVER, &server, much.len()) == much);
    for _ in 0..3 {
        let count = read(&mut watch, SERVER, &server, &mut [0; 8]);
        assert_eq!(count.expect("the end"), 0);
    }
}

#[test]
fn an_end_that_was_read_is_not_told_again() {
    unlike_mio("each read of the end posts an event", || {
        let mut watch = Watch::new();
        let (server, peer) = connected(&mut watch);
        drop(peer);
        watch.readable(SERVER);
        for _ in 0..3 {
            assert_eq!((&server).read(&mut [0; 8]).expect("the end"), 0);
            watch.quiet();
        }
    });
}

#[test]
fn writing_to_a_client_that_has_gone_fails() {
    let mut watch = Watch::new();
    let (server, peer) = connected(&mut watch);
    drop(peer);
    watch.readable(SERVER);
    // Each fails as it is submitted: no packet comes, and nothing may wait for one.
    for _ in 0..1_000 {
        let error = (&server).write(b"x").expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
    }
    settle(&mut watch);
}

#[test]
fn the_next_write_tells_how_the_last_has_failed() {
    let mut watch = Watch::new();
    let (server, peer) = connected(&mut watch);
    assert_eq!((&server).write(&pattern(MUCH)).expect("taken"), MUCH);
    watch.quiet();
    drop(peer);
    watch.writable(SERVER);
    let error = (&server).write(b"x").expect_err("the last has failed");
    assert_ne!(error.kind(), ErrorKind::WouldBlock, "{error}");
    assert!(error.raw_os_error().is_some(), "{error}");
    assert!(server.take_error().expect("asked").is_none());
}

#[test]
fn writing_nothing_does_no_harm() {
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    assert_eq!((&server).write(b"").expect("nothing"), 0);
    watch.writable(SERVER);
    write_all(&mut watch, SERVER, &server, b"some");
    let mut some: Vec<u8> = Vec::new();
    // A zero-length write is a read of zero bytes at the other end.
    while some.len() < 4 {
        let mut room = [0; 4];
        let count = peer.read(&mut room).expect("a writer");
        some.extend(&room[..count]);
    }
    assert_eq!(some, b"some");
    peer.write_all(b"back").expect("room");
    assert_eq!(read_exact(&mut watch, SERVER, &server, 4), b"back");
    (&server).flush().expect("nothing to wait for");
}

#[test]
fn exchanges_allocate_nothing_once_warm() {
    unlike_mio("a buffer that was read is dropped or new each time", || {
        let mut watch = Watch::new();
        let (server, mut peer) = connected(&mut watch);
        let mut room = [0; 100];
        let mut exchange = |watch: &mut Watch| {
            peer.write_all(&[1; 100]).expect("room");
            let mut count = 0;
            while count < 100 {
                count += read(watch, SERVER, &server, &mut room).expect("a hundred");
            }
            write_all(watch, SERVER, &server, &room);
            peer.read_exact(&mut room).expect("a hundred");
        };
        (0..20).for_each(|_| exchange(&mut watch));
        let before = allocations();
        (0..200).for_each(|_| exchange(&mut watch));
        assert_eq!(allocations() - before, 0);
    });
}
