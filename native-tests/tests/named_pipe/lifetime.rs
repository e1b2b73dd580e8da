//! What happens to operations in flight when their pipe or their poll goes.

use std::fs::File;
use std::io::{Read, Write};

use mio::windows::NamedPipe;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};

use super::common::{Watch, assert_would_block};
use super::{
    BOTH, CLIENT, MUCH, SERVER, client, connected, listening, meet, pattern, peer, server, settle,
    unlike_mio, write_all,
};

#[test]
fn the_peer_sees_the_end_when_the_pipe_is_dropped() {
    unlike_mio("the handle is open until the next poll", || {
        let mut watch = Watch::new();
        let (server, name) = listening(&watch);
        let mut client = client(&name);
        let registered = watch.registry().register(&mut client, CLIENT, BOTH);
        registered.expect("registered");
        meet(&mut watch, &server);
        drop(server);
        let error = client.write(b"x").expect_err("nobody is there");
        assert!(error.raw_os_error().is_some(), "{error}");
    });
}

#[test]
fn a_name_is_free_when_its_pipe_is_dropped() {
    unlike_mio("the handle is open until the next poll", || {
        let watch = Watch::new();
        let (mut server, name) = server();
        for _ in 0..10 {
            let registered = watch.registry().register(&mut server, SERVER, BOTH);
            registered.expect("registered");
            assert_would_block(server.connect());
            drop(server);
            server = NamedPipe::new(&name).expect("the same name");
        }
    });
}

#[test]
fn what_was_written_arrives_although_the_pipe_is_dropped() {
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    let much = pattern(MUCH);
    assert_eq!((&server).write(&much).expect("taken"), MUCH);
    drop(server);
    let mut all = vec![0; MUCH];
    peer.read_exact(&mut all).expect("all of it");
    assert!(all == much);
    settle(&mut watch);
    assert_eq!(peer.read(&mut all).unwrap_or(0), 0);
}

/// Which operations are in flight.
type Flight = fn(&mut Watch) -> (NamedPipe, Option<File>);

const FLIGHTS: [Flight; 4] = [
    |watch| {
        let (server, peer) = connected(watch);
        (server, Some(peer))
    },
    |watch| {
        let (server, peer) = connected(watch);
        assert_eq!((&server).write(&pattern(MUCH)).expect("taken"), MUCH);
        (server, Some(peer))
    },
    |watch| {
        let (server, name) = listening(&watch);
        // An event under way.
        drop(peer(&name));
        server.connect().expect("it was connected");
        (server, None)
    },
    |watch| {
        let (server, _name) = listening(&watch);
        assert_would_block(server.connect());
        (server, None)
    },
];

fn handles() -> u32 {
    let mut count = 0;
    // SAFETY: the handle is the process's own name for itself, and the number lives on.
    let got = unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) };
    assert_ne!(got, 0);
    count
}

/// Other tests open handles meanwhile: they are few beside what would be lost.
fn no_handle_is_lost(test: impl Fn(Flight)) {
    const ROUNDS: u32 = 150;
    for flight in FLIGHTS {
        test(flight);
        let before = handles();
        (0..ROUNDS).for_each(|_| test(flight));
        let after = handles();
        assert!(after < before + ROUNDS * 2 / 3, "{before} -> {after}");
    }
}

#[test]
fn the_pipe_goes_first() {
    no_handle_is_lost(|flight| {
        let mut watch = Watch::new();
        let (server, peer) = flight(&mut watch);
        drop(server);
        drop(peer);
        settle(&mut watch);
    });
}

#[test]
fn the_pipe_goes_and_no_poll_follows() {
    no_handle_is_lost(|flight| {
        let mut watch = Watch::new();
        let (server, peer) = flight(&mut watch);
        drop(server);
        drop(watch);
        drop(peer);
    });
}

#[test]
fn the_poll_goes_first() {
    unlike_mio(
        "what is in flight then keeps port and pipe for ever",
        || {
            no_handle_is_lost(|flight| {
                let mut watch = Watch::new();
                let (server, peer) = flight(&mut watch);
                drop(watch);
                assert_would_block((&server).read(&mut []).and(server.connect()));
                drop(server);
                drop(peer);
            });
        },
    );
}

#[test]
fn the_peer_goes_while_all_is_in_flight() {
    for _ in 0..50 {
        let mut watch = Watch::new();
        let (server, peer) = connected(&mut watch);
        write_all(&mut watch, SERVER, &server, &pattern(MUCH));
        drop(peer);
        drop(server);
        settle(&mut watch);
    }
}
