//! tokio's named pipes, which are Mio's below.
#![cfg(windows)]

use std::process;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::windows::named_pipe::{ClientOptions, PipeMode, ServerOptions};
use tokio::{task, time};

/// Only a defect takes so long.
const LIMIT: Duration = Duration::from_secs(60);

fn name(test: &str) -> String {
    format!(r"\\.\pipe\mio-wasi-tokio-{test}-{}", process::id())
}

fn run(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(async { time::timeout(LIMIT, test).await.expect("in time") });
}

/// A server that answers each client with what it says, `clients` of them in turn.
async fn serve(name: String, clients: usize) {
    let mut server = ServerOptions::new().create(&name).expect("a pipe");
    for _ in 0..clients {
        server.connect().await.expect("a client");
        let next = ServerOptions::new().create(&name).expect("a pipe");
        let mut connected = std::mem::replace(&mut server, next);
        task::spawn(async move {
            let mut room = vec![0; 10_000];
            loop {
                match connected.read(&mut room).await.expect("a client") {
                    0 => return,
                    count => connected.write_all(&room[..count]).await.expect("a client"),
                }
            }
        });
    }
}

async fn echo(name: &str, length: usize) {
    let client = loop {
        match ClientOptions::new().open(name) {
            Ok(client) => break client,
            // Not there yet, or busy.
            Err(_) => time::sleep(Duration::from_millis(1)).await,
        }
    };
    let (mut from, mut to) = tokio::io::split(client);
    let sent: Vec<u8> = (0..length).map(|n| ((n * n) >> 3) as u8).collect();
    let text = sent.clone();
    let writing = task::spawn(async move {
        to.write_all(&text).await.expect("a server");
        to.flush().await.expect("a server");
        to
    });
    let mut received = vec![0; length];
    from.read_exact(&mut received).await.expect("an echo");
    assert!(received == sent);
    drop(writing.await.expect("no panic"));
}

#[test]
fn clients_get_their_echo() {
    run(async {
        let name = name("echo");
        let serving = task::spawn(serve(name.clone(), 20));
        let echo = |number: usize| {
            let name = name.clone();
            task::spawn(async move { echo(&name, 1 + number * 20_000).await })
        };
        for client in (0..20).map(echo).collect::<Vec<_>>() {
            client.await.expect("no panic");
        }
        serving.await.expect("no panic");
    });
}

/// One server's end for one client after the other: its registration outlives them.
#[test]
fn a_server_disconnects_and_connects_again() {
    run(async {
        let name = name("again");
        let mut server = ServerOptions::new().create(&name).expect("a pipe");
        for number in 0..20_u8 {
            let client = task::spawn({
                let name = name.clone();
                async move {
                    let mut client = loop {
                        match ClientOptions::new().open(&name) {
                            Ok(client) => break client,
                            Err(_) => time::sleep(Duration::from_millis(1)).await,
                        }
                    };
                    client.write_all(&[number; 3]).await.expect("a server");
                    let mut answer = [0; 2];
                    client.read_exact(&mut answer).await.expect("an answer");
                    assert_eq!(answer, [number; 2]);
                }
            });
            server.connect().await.expect("a client");
            let mut text = [0; 3];
            server.read_exact(&mut text).await.expect("its text");
            assert_eq!(text, [number; 3]);
            server.write_all(&[number; 2]).await.expect("a client");
            client.await.expect("no panic");
            server.disconnect().expect("disconnected");
        }
    });
}

#[test]
fn the_end_reaches_both_sides() {
    run(async {
        let name = name("end");
        let mut server = ServerOptions::new().create(&name).expect("a pipe");
        let client = ClientOptions::new().open(&name).expect("a client");
        server.connect().await.expect("a client");
        drop(client);
        let count = server.read(&mut [0; 8]).await.expect("the end");
        assert_eq!(count, 0);
        server.write_all(b"x").await.expect_err("nobody is there");
        server.disconnect().expect("disconnected");
        let connecting = server.connect();
        let mut client = ClientOptions::new().open(&name);
        let (connected, ()) = tokio::join!(connecting, async {
            while client.is_err() {
                task::yield_now().await;
                client = ClientOptions::new().open(&name);
            }
        });
        connected.expect("the next");
        drop(server);
        let mut client = client.expect("open");
        assert_eq!(client.read(&mut [0; 8]).await.expect("the end"), 0);
    });
}

#[test]
fn messages_stay_apart() {
    run(async {
        let name = name("messages");
        let mut server = ServerOptions::new();
        let server = server.pipe_mode(PipeMode::Message).create(&name);
        let mut server = server.expect("a pipe");
        let mut client = ClientOptions::new();
        let client = client.pipe_mode(PipeMode::Message).open(&name);
        let mut client = client.expect("a client");
        server.connect().await.expect("a client");
        let mut room = [0; 64];
        for text in [&b"one"[..], b"two and three", b"4"] {
            client.write_all(text).await.expect("a server");
            server.write_all(text).await.expect("a client");
        }
        for text in [&b"one"[..], b"two and three", b"4"] {
            for pipe in 0..2 {
                let count = match pipe {
                    0 => server.read(&mut room).await,
                    _ => client.read(&mut room).await,
                };
                assert_eq!(&room[..count.expect("a message")], text);
            }
        }
    });
}
