//! Tokens that change, and events that must not come.

use std::io::{ErrorKind, Read, Write};

use mio::{Events, Interest, Token};

use super::common::{Watch, assert_would_block};
use super::{
    BOTH, CLIENT, MUCH, SERVER, client, connected, listening, over_mio, pattern, peer, read_exact,
    server, settle, unlike_mio, write_all,
};

const NEW: Token = Token(7);

#[test]
fn nothing_moves_before_registering() {
    let (server, name) = server();
    let mut client = client(&name);
    assert_would_block((&server).read(&mut [0; 8]));
    assert_would_block(client.read(&mut [0; 8]));
    assert_would_block(client.write(b"x"));
    assert!(server.take_error().expect("asked").is_none());
}

#[test]
fn a_client_is_writable_at_once() {
    let mut watch = Watch::new();
    let (_server, name) = server();
    let mut client = client(&name);
    for interest in [BOTH, Interest::WRITABLE] {
        let registered = watch.registry().register(&mut client, CLIENT, interest);
        registered.expect("registered");
        watch.writable(CLIENT);
        let deregistered = watch.registry().deregister(&mut client);
        deregistered.expect("deregistered");
    }
}

#[test]
fn a_source_is_registered_once() {
    let watch = Watch::new();
    let (mut server, _name) = server();
    let registry = watch.registry();
    let kind = |result: std::io::Result<()>| result.expect_err("refused").kind();
    assert_eq!(kind(registry.deregister(&mut server)), ErrorKind::NotFound);
    let again = registry.reregister(&mut server, NEW, BOTH);
    assert_eq!(kind(again), ErrorKind::NotFound);
    for _ in 0..3 {
        let registered = registry.register(&mut server, SERVER, BOTH);
        registered.expect("registered");
        let again = registry.register(&mut server, SERVER, BOTH);
        assert_eq!(kind(again), ErrorKind::AlreadyExists);
        registry.deregister(&mut server).expect("deregistered");
        assert_eq!(kind(registry.deregister(&mut server)), ErrorKind::NotFound);
    }
}

/// A handle belongs to one completion port for good.
#[test]
fn a_source_belongs_to_its_first_poll() {
    let (first, second) = (Watch::new(), Watch::new());
    let (mut server, _name) = server();
    let register = |watch: &Watch, server: &mut _| watch.registry().register(server, SERVER, BOTH);
    register(&first, &mut server).expect("registered");
    for _ in 0..2 {
        let error = register(&second, &mut server).expect_err("another's");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let again = second.registry().reregister(&mut server, NEW, BOTH);
        let gone = second.registry().deregister(&mut server);
        for result in [again, gone] {
            let error = result.expect_err("another's");
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        }
        let _ = first.registry().deregister(&mut server);
    }
    register(&first, &mut server).expect("registered");
}

#[test]
fn a_new_token_is_the_next_events() {
    let mut watch = Watch::new();
    let (mut server, mut peer) = connected(&mut watch);
    let again = watch.registry().reregister(&mut server, NEW, BOTH);
    again.expect("registered anew");
    watch.writable(NEW);
    settle(&mut watch);
    peer.write_all(b"text").expect("room");
    watch.readable(NEW);
    assert_eq!(read_exact(&mut watch, NEW, &server, 4), b"text");
    write_all(&mut watch, NEW, &server, b"x");
    watch.writable(NEW);
}

#[test]
fn what_waits_in_the_buffer_is_told_to_a_new_token() {
    unlike_mio("it tells of writing alone", || {
        let mut watch = Watch::new();
        let (mut server, mut peer) = connected(&mut watch);
        peer.write_all(b"text").expect("room");
        watch.readable(SERVER);
        let again = watch.registry().reregister(&mut server, NEW, BOTH);
        again.expect("registered anew");
        let mut events = Events::with_capacity(8);
        let polled = watch.poll.poll(&mut events, Some(super::common::DEADLINE));
        polled.expect("a poll that works");
        let readable = events.iter().any(|e| e.token() == NEW && e.is_readable());
        assert!(readable, "{events:?}");
        assert_eq!(read_exact(&mut watch, NEW, &server, 4), b"text");
    });
}

#[test]
fn events_under_way_carry_the_new_token() {
    unlike_mio("an event that is posted keeps its token", || {
        let mut watch = Watch::new();
        let (_server, name) = server();
        let mut client = client(&name);
        let registered = watch.registry().register(&mut client, CLIENT, BOTH);
        registered.expect("registered");
        let again = watch.registry().reregister(&mut client, NEW, BOTH);
        again.expect("registered anew");
        watch.writable(NEW);
        watch.quiet();
    });
}

#[test]
fn no_event_after_deregistering() {
    let mut watch = Watch::new();
    let (mut server, mut peer) = connected(&mut watch);
    peer.write_all(b"text").expect("room");
    write_all(&mut watch, SERVER, &server, b"answer");
    let again = watch.registry().reregister(&mut server, NEW, BOTH);
    again.expect("registered anew");
    let deregistered = watch.registry().deregister(&mut server);
    deregistered.expect("deregistered");
    watch.quiet();
    drop(peer);
    watch.quiet();
    assert_would_block(server.read(&mut [0; 8]));
    assert_would_block(server.write(b"x"));
}

#[test]
fn what_came_meanwhile_waits_for_registering() {
    let mut watch = Watch::new();
    let (mut server, mut peer) = connected(&mut watch);
    let deregistered = watch.registry().deregister(&mut server);
    deregistered.expect("deregistered");
    peer.write_all(b"text").expect("room");
    watch.quiet();
    let registered = watch.registry().register(&mut server, NEW, BOTH);
    registered.expect("registered");
    assert_eq!(read_exact(&mut watch, NEW, &server, 4), b"text");
}

#[test]
fn no_event_after_dropping() {
    unlike_mio("what it cancels, and a write that ends, are events", || {
        let mut watch = Watch::new();
        let (reading, _peer) = connected(&mut watch);
        drop(reading);
        watch.quiet();
        let (connecting, _name) = listening(&watch);
        assert_would_block(connecting.connect());
        drop(connecting);
        watch.quiet();
        let (writing, mut peer) = connected(&mut watch);
        let much = pattern(MUCH);
        assert_eq!((&writing).write(&much).expect("taken"), MUCH);
        drop(writing);
        peer.read_exact(&mut vec![0; MUCH]).expect("all of it");
        watch.quiet();
        watch.quiet();
    });
}

#[test]
fn events_beyond_the_room_come_later() {
    const PIPES: usize = 20;
    let mut watch = Watch::new();
    let mut ends = Vec::new();
    for number in 0..PIPES {
        let (server, name) = server();
        let mut client = client(&name);
        let token = Token(100 + number);
        let registered = watch.registry().register(&mut client, token, BOTH);
        registered.expect("registered");
        ends.push((server, client));
    }
    let mut events = Events::with_capacity(1);
    let mut missing: Vec<_> = (0..PIPES).map(|number| Token(100 + number)).collect();
    while !missing.is_empty() {
        let polled = watch.poll.poll(&mut events, Some(super::common::DEADLINE));
        polled.expect("a poll that works");
        let event = events.iter().next().expect("an event is missing");
        missing.retain(|token| *token != event.token());
        assert!(events.iter().count() == 1);
    }
}

#[test]
fn a_handle_that_blocks_is_refused() {
    use std::os::windows::io::{FromRawHandle, IntoRawHandle};
    let watch = Watch::new();
    let (_server, name) = server();
    let handle = peer(&name).into_raw_handle();
    // SAFETY: the file has given its handle away, and nobody else has it.
    let mut client = unsafe { mio::windows::NamedPipe::from_raw_handle(handle) };
    for _ in 0..2 {
        let refused = watch.registry().register(&mut client, CLIENT, BOTH);
        let kind = refused.expect_err("it cannot overlap").kind();
        assert_ne!(kind, ErrorKind::AlreadyExists, "it is not registered");
        if over_mio() {
            break; // Where the second time passes for success.
        }
    }
}
