//! Runtimes that begin and end, with sockets that outlive them.

use std::io::Read;
use std::time::Duration;

use mio::handover::adopted;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::{self, JoinSet};
use tokio::time::sleep;

use crate::{connected, echo_server, guard, listener, pair, round_trip};

fn runtime() -> Runtime {
    guard();
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_runtime_may_have_nothing_to_wait_for_but_a_timer() {
    let runtime = runtime();
    for _ in 0..5 {
        runtime.block_on(async { sleep(Duration::from_millis(3)).await });
    }
}

#[test]
fn a_runtime_may_have_nothing_to_wait_for() {
    runtime().block_on(async {
        let done = Notify::new();
        let (told, both) = (done.notified(), task::yield_now());
        done.notify_one();
        told.await;
        both.await;
        task::spawn(task::yield_now()).await.unwrap();
    });
}

#[test]
fn a_runtime_without_sockets_does_tasks() {
    guard();
    let runtime = Builder::new_current_thread().build().unwrap();
    assert_eq!(
        runtime.block_on(async { task::spawn(async { 7 }).await.unwrap() }),
        7
    );
}

#[test]
fn one_runtime_after_another() {
    for round in 0..20 {
        let runtime = runtime();
        runtime.block_on(async {
            let (address, _server) = echo_server();
            let mut stream = connected(address).await;
            round_trip(&mut stream, &[round; 100]).await;
            // It ends with these open, and with a task that waits for one.
            task::spawn(async move { stream.read_u8().await });
            task::yield_now().await;
        });
    }
}

#[test]
fn sockets_outlive_their_runtime() {
    let first = runtime();
    let (mut client, server) = first.block_on(pair());
    drop(first);
    let second = runtime();
    second.block_on(async {
        // Nobody watches it any more, and it says so.
        client.read(&mut [0; 8]).await.unwrap_err();
        let mut client = TcpStream::from_std(client.into_std().unwrap()).unwrap();
        let mut server = TcpStream::from_std(server.into_std().unwrap()).unwrap();
        client.write_all(b"again").await.unwrap();
        let mut buf = [0; 5];
        server.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"again");
        drop(client);
        assert_eq!(server.read(&mut buf).await.unwrap(), 0);
    });
}

#[test]
fn a_socket_is_dropped_after_its_runtime() {
    let first = runtime();
    let (client, server) = first.block_on(pair());
    drop(first);
    runtime().block_on(async {
        drop(client);
        let mut server = TcpStream::from_std(server.into_std().unwrap()).unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

#[test]
fn two_runtimes_take_turns() {
    let (one, two) = (runtime(), runtime());
    let (listener, address) = one.block_on(async { listener() });
    let mut client = two.block_on(connected(address));
    let (mut server, _peer) = one.block_on(listener.accept()).unwrap();
    for round in 0..20 {
        two.block_on(client.write_u32(round)).unwrap();
        assert_eq!(one.block_on(server.read_u32()).unwrap(), round);
        one.block_on(server.write_u32(round + 1)).unwrap();
        assert_eq!(two.block_on(client.read_u32()).unwrap(), round + 1);
    }
}

#[test]
fn tasks_wait_while_nobody_runs_the_runtime() {
    let runtime = runtime();
    let (mut client, server) = runtime.block_on(pair());
    let echoing = runtime.spawn(crate::echo(server));
    for round in 0..10 {
        runtime.block_on(round_trip(&mut client, &[round; 10]));
    }
    drop(client);
    runtime.block_on(echoing).unwrap();
}

/// It takes one event from the host at a time, and asks it after every step of a task.
#[test]
fn a_runtime_that_looks_at_little_misses_nothing() {
    guard();
    let mut builder = Builder::new_current_thread();
    builder.max_io_events_per_tick(1).event_interval(1);
    builder.enable_all().build().unwrap().block_on(async {
        let (address, server) = echo_server();
        let mut clients = JoinSet::new();
        for number in 0..40_u8 {
            clients.spawn(async move {
                let mut stream = connected(address).await;
                for round in 0..10 {
                    round_trip(&mut stream, &[number, round]).await;
                }
            });
        }
        assert_eq!(clients.join_all().await.len(), 40);
        server.abort();
    });
}

/// A runtime's socket, read without it: it is an ordinary socket again, and it does not block.
#[test]
fn a_socket_leaves_its_runtime_for_good() {
    let runtime = runtime();
    let (mut client, server) = runtime.block_on(pair());
    let mut server = mio::net::TcpStream::from_std(server.into_std().unwrap());
    let nothing = server.read(&mut [0; 8]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    runtime.block_on(client.write_all(b"plain")).unwrap();
    let mut server = runtime.block_on(async {
        let server = adopted(server, TcpStream::from_std).unwrap();
        server.readable().await.unwrap();
        mio::net::TcpStream::from_std(server.into_std().unwrap())
    });
    let mut buf = [0; 8];
    assert_eq!(server.read(&mut buf).unwrap(), 5);
    assert_eq!(&buf[..5], b"plain");
}
