//! Servers and clients that meet, miss each other, and part.

use std::io::{ErrorKind, Read, Write};

use mio::windows::NamedPipe;
use mio::{Interest, Token};
use windows_sys::Win32::Foundation::ERROR_PIPE_LISTENING;

use super::common::{Watch, assert_would_block};
use super::{
    BOTH, CLIENT, MUCH, SERVER, client, connected, listening, meet, name, over_mio, peer, read,
    read_exact, server, settle, unlike_mio, wine, write_all,
};

#[test]
fn a_pipe_without_a_client_is_silent() {
    let mut watch = Watch::new();
    let (server, _name) = listening(&watch);
    watch.quiet();
    assert_would_block((&server).read(&mut [0; 8]));
    let error = (&server).write(b"x").expect_err("nobody is there");
    assert_eq!(error.raw_os_error(), Some(ERROR_PIPE_LISTENING as i32));
    assert!(server.take_error().expect("asked").is_none());
    watch.quiet();
}

#[test]
fn a_server_may_come_first() {
    let mut watch = Watch::new();
    let (server, name) = listening(&watch);
    assert_would_block(server.connect());
    assert_would_block(server.connect());
    watch.quiet();
    let _peer = peer(&name);
    watch.writable(SERVER);
    assert!(server.take_error().expect("asked").is_none());
    server.connect().expect("it is connected");
    server.connect().expect("it still is");
}

#[test]
fn a_client_may_come_first() {
    for register_first in [true, false] {
        let mut watch = Watch::new();
        let (mut server, name) = server();
        let mut register = || {
            let registered = watch.registry().register(&mut server, SERVER, BOTH);
            registered.expect("registered");
        };
        if register_first {
            register();
        }
        let mut peer = peer(&name);
        peer.write_all(b"early").expect("room");
        if !register_first {
            register();
        }
        server.connect().expect("it is connected");
        watch.writable(SERVER);
        assert_eq!(read_exact(&mut watch, SERVER, &server, 5), b"early");
    }
}

#[test]
fn connecting_may_be_asked_before_registering() {
    let mut watch = Watch::new();
    let (mut server, name) = server();
    assert_would_block(server.connect());
    assert_would_block(server.connect());
    let registered = watch.registry().register(&mut server, SERVER, BOTH);
    registered.expect("registered");
    watch.quiet();
    let _peer = peer(&name);
    watch.writable(SERVER);
    server.connect().expect("it is connected");
}

/// Of which mio loses the completion.
#[test]
fn a_client_may_come_between_connecting_and_registering() {
    unlike_mio("its connect has ended where no port heard of it", || {
        let mut watch = Watch::new();
        let (mut server, name) = server();
        assert_would_block(server.connect());
        let _peer = peer(&name);
        let registered = watch.registry().register(&mut server, SERVER, BOTH);
        registered.expect("registered");
        // Not by waiting: over mio it would take the whole deadline.
        settle(&mut watch);
        server.connect().expect("it is connected");
    });
}

#[test]
fn a_client_that_came_and_went_is_the_end() {
    let mut watch = Watch::new();
    let (server, name) = listening(&watch);
    drop(peer(&name));
    server.connect().expect("it was connected");
    for _ in 0..3 {
        let count = read(&mut watch, SERVER, &server, &mut [0; 8]);
        assert_eq!(count.expect("the end"), 0);
    }
}

#[test]
fn both_ends_may_be_in_one_poll() {
    let mut watch = Watch::new();
    let (server, name) = listening(&watch);
    assert_would_block(server.connect());
    let mut client = client(&name);
    let registered = watch.registry().register(&mut client, CLIENT, BOTH);
    registered.expect("registered");
    watch.writable(CLIENT);
    watch.writable(SERVER);
    for text in [&b"to the server"[..], b"again"] {
        write_all(&mut watch, CLIENT, &client, text);
        assert_eq!(read_exact(&mut watch, SERVER, &server, text.len()), text);
        write_all(&mut watch, SERVER, &server, text);
        assert_eq!(read_exact(&mut watch, CLIENT, &client, text.len()), text);
    }
    assert_would_block((&server).read(&mut [0; 8]));
    assert_would_block((&client).read(&mut [0; 8]));
    drop(client);
    let count = read(&mut watch, SERVER, &server, &mut [0; 8]);
    assert_eq!(count.expect("the end"), 0);
}

/// The client knows of it, and what it has not read is lost, as Windows has it.
#[test]
fn disconnecting_ends_the_clients_stream() {
    let mut watch = Watch::new();
    let (mut server, mut peer) = connected(&mut watch);
    server.disconnect().expect("disconnected");
    let error = peer.read(&mut [0; 8]).expect_err("no connection");
    assert!(error.raw_os_error().is_some(), "{error}");
    // Whoever waits to read is told.
    watch.readable(SERVER);
    server.read(&mut [0; 8]).expect_err("no connection");
    server.write(b"x").expect_err("no connection");
}

#[test]
fn one_client_after_the_other() {
    let mut watch = Watch::new();
    let (server, name) = listening(&watch);
    for number in 0..20 {
        let text = format!("client {number}");
        assert_would_block(server.connect());
        let mut peer = peer(&name);
        meet(&mut watch, &server);
        peer.write_all(text.as_bytes()).expect("room");
        // Errors of the connection before are mio's first answers.
        let room = &mut [0; 32];
        let mut result = read(&mut watch, SERVER, &server, room);
        while over_mio() && result.is_err() {
            result = read(&mut watch, SERVER, &server, room);
        }
        let count = result.expect("its text");
        assert_eq!(&room[..count], text.as_bytes());
        write_all(&mut watch, SERVER, &server, b"yes");
        let mut answer = [0; 3];
        peer.read_exact(&mut answer).expect("the answer");
        server.disconnect().expect("disconnected");
    }
}

#[test]
fn a_new_client_meets_no_error_of_the_last() {
    unlike_mio("it keeps the error of the read that was cut off", || {
        for told in [false, true] {
            let mut watch = Watch::new();
            let (server, name) = listening(&watch);
            let first = peer(&name);
            meet(&mut watch, &server);
            server.disconnect().expect("disconnected");
            drop(first);
            if told {
                watch.readable(SERVER);
            }
            assert_would_block(server.connect());
            let mut second = peer(&name);
            meet(&mut watch, &server);
            second.write_all(b"second").expect("room");
            assert_eq!(read_exact(&mut watch, SERVER, &server, 6), b"second");
        }
    });
}

#[test]
fn a_new_client_does_not_inherit_what_the_last_has_sent() {
    unlike_mio("what it has in its buffer goes to the next", || {
        for delivered in [false, true] {
            let mut watch = Watch::new();
            let (server, name) = listening(&watch);
            let mut first = peer(&name);
            meet(&mut watch, &server);
            first.write_all(b"secret").expect("room");
            if delivered {
                watch.readable(SERVER);
            }
            server.disconnect().expect("disconnected");
            drop(first);
            assert_would_block(server.connect());
            let mut second = peer(&name);
            meet(&mut watch, &server);
            second.write_all(b"second").expect("room");
            assert_eq!(read_exact(&mut watch, SERVER, &server, 6), b"second");
        }
    });
}

#[test]
fn a_write_that_disconnecting_cuts_off_does_not_trouble_the_next() {
    unlike_mio("it keeps the error of the write that was cut off", || {
        let mut watch = Watch::new();
        let (server, name) = listening(&watch);
        let first = peer(&name);
        meet(&mut watch, &server);
        let much = vec![1; MUCH];
        write_all(&mut watch, SERVER, &server, &much);
        server.disconnect().expect("disconnected");
        drop(first);
        assert_would_block(server.connect());
        let mut second = peer(&name);
        meet(&mut watch, &server);
        let written = (&server).write(b"second").expect("the next client's");
        assert_eq!(written, 6);
        let mut text = [0; 6];
        second.read_exact(&mut text).expect("the text");
        assert_eq!(&text, b"second");
    });
}

#[test]
fn disconnecting_ends_a_connect_in_flight() {
    if wine("does not disconnect a pipe that listens") {
        return;
    }
    let mut watch = Watch::new();
    let (server, _name) = listening(&watch);
    assert_would_block(server.connect());
    server.disconnect().expect("disconnected");
    watch.writable(SERVER);
    let error = server.take_error().expect("asked").expect("why");
    assert!(error.raw_os_error().is_some(), "{error}");
    assert!(server.take_error().expect("asked").is_none());
    assert_would_block(server.connect());
}

#[test]
fn a_clients_end_cannot_be_served() {
    let mut watch = Watch::new();
    let (server, name) = listening(&watch);
    let mut client = client(&name);
    let registered = watch
        .registry()
        .register(&mut client, Token(3), Interest::READABLE);
    registered.expect("registered");
    for _ in 0..100 {
        let error = client.connect().expect_err("it is no server");
        assert_ne!(error.kind(), ErrorKind::WouldBlock);
        client.disconnect().expect_err("it is no server");
    }
    meet(&mut watch, &server);
    write_all(&mut watch, SERVER, &server, b"still");
    assert_eq!(read_exact(&mut watch, Token(3), &client, 5), b"still");
}

#[test]
fn names_are_checked() {
    for wrong in ["", "C:\\nowhere\\pipe", "\\\\.\\nothing\\at-all"] {
        NamedPipe::new(wrong).expect_err(wrong);
    }
    let (_server, taken) = server();
    if !wine("gives every name to several first instances") {
        NamedPipe::new(&taken).expect_err("it is taken");
    }
    unlike_mio("it makes a pipe of the part before the zero", || {
        let error = NamedPipe::new(name() + "\0x").expect_err("a zero");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}
