//! What happens to operations in flight when their pipe or their poll goes.

use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::os::windows::io::AsRawHandle;
use std::process::Command;

use mio::windows::NamedPipe;

use super::common::{Watch, assert_would_block};
use super::{
    BOTH, CLIENT, MUCH, SERVER, client, connected, listening, meet, pattern, peer, server, settle,
    unlike_mio, wine, write_all,
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
    if wine("gives every name to several first instances") {
        return;
    }
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

/// Nobody will hear of the write's end: its memory is lost, and not its bytes.
#[test]
fn what_was_written_arrives_although_the_poll_is_dropped_too() {
    let mut watch = Watch::new();
    let (server, mut peer) = connected(&mut watch);
    let much = pattern(MUCH);
    assert_eq!((&server).write(&much).expect("taken"), MUCH);
    drop(server);
    drop(watch);
    let mut all = vec![0; MUCH];
    peer.read_exact(&mut all).expect("all of it");
    assert!(all == much);
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
        let (server, name) = listening(watch);
        // An event under way.
        drop(peer(&name));
        server.connect().expect("it was connected");
        (server, None)
    },
    |watch| {
        let (server, _name) = listening(watch);
        assert_would_block(server.connect());
        (server, None)
    },
];

/// The place of the next handle in the process's table, which is near the number of those that
/// are open: Windows uses places again, Wine the first that is free.
fn place() -> usize {
    let file = File::open("NUL").expect("the device");
    file.as_raw_handle() as usize / 4
}

/// Whether this process has been started for that test. Else it runs there, since other tests open
/// handles meanwhile.
fn alone(test: &str) -> bool {
    const ALONE: &str = "MIO_WASI_ALONE";
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let mut again = Command::new(env::current_exe().expect("this test"));
    again.args(["--exact", test, "--nocapture"]).env(ALONE, "1");
    let output = again.output().expect("this test again");
    let said = String::from_utf8_lossy(&output.stdout);
    // A wrong name, which runs no test at all, would pass for success.
    let passed = output.status.success() && said.contains("1 passed");
    assert!(passed, "{said}{}", String::from_utf8_lossy(&output.stderr));
    false
}

fn no_handle_is_lost(test: impl Fn(Flight)) {
    const ROUNDS: usize = 60;
    for flight in FLIGHTS {
        test(flight);
        let before = place();
        (0..ROUNDS).for_each(|_| test(flight));
        let after = place();
        println!("{before} -> {after}");
        assert!(after < before + ROUNDS / 2, "{before} -> {after}");
    }
}

#[test]
fn the_pipe_goes_first() {
    if !alone("lifetime::the_pipe_goes_first") {
        return;
    }
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
    if !alone("lifetime::the_pipe_goes_and_no_poll_follows") {
        return;
    }
    no_handle_is_lost(|flight| {
        let mut watch = Watch::new();
        let (server, peer) = flight(&mut watch);
        drop(server);
        drop(peer);
        drop(watch);
    });
}

#[test]
fn the_poll_goes_first() {
    if !alone("lifetime::the_poll_goes_first") {
        return;
    }
    unlike_mio(
        "what is in flight then keeps port and pipe for ever",
        || {
            no_handle_is_lost(|flight| {
                let mut watch = Watch::new();
                let (server, peer) = flight(&mut watch);
                drop(watch);
                // They may fail or not: nobody is there to be told.
                let _ = (&server).read(&mut []).and(server.connect());
                let _ = (&server).write(b"x");
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
