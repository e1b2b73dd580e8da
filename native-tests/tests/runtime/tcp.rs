//! TCP streams and listeners in tokio's care.

use std::io::{ErrorKind, IoSlice};
use std::time::Duration;

use mio::handover::{SocketRef, adopted};
use mio::net::UdpSocket;
use tokio::io::{AsyncReadExt, AsyncWrite as _, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{self, JoinSet, yield_now};

use crate::{
    any_port, connected, echo, echo_server, hold_little, listener, pair, pattern, round_trip,
};

#[tokio::test]
async fn many_connections_are_echoed_at_once() {
    let (address, server) = echo_server();
    let mut clients = JoinSet::new();
    for number in 0..50 {
        clients.spawn(async move {
            let mut stream = connected(address).await;
            for round in 0..20 {
                round_trip(&mut stream, &pattern(1 + number * 7 + round * 50)).await;
            }
        });
    }
    assert_eq!(clients.join_all().await.len(), 50);
    server.abort();
}

#[tokio::test]
async fn connections_that_wait_are_accepted_one_by_one() {
    let (listener, address) = listener();
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(connected(address).await);
    }
    for client in &clients {
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }
}

#[tokio::test]
async fn the_end_of_one_direction_is_not_the_end_of_the_other() {
    let (mut client, mut server) = pair().await;
    let answering = task::spawn(async move {
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        all.reverse();
        server.write_all(&all).await.unwrap();
    });
    client.write_all(b"abc").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "cba");
    answering.await.unwrap();
}

/// The client has said all it has to say, and then waits for more than the system holds.
#[tokio::test]
async fn a_half_closed_client_is_sent_everything() {
    let (mut client, mut server) = pair().await;
    hold_little(&client);
    let message = pattern(8 << 20);
    let sent = message.clone();
    let sending = task::spawn(async move {
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        server.write_all(&sent).await.unwrap();
        // Nothing is there, for ever.
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    });
    client.shutdown().await.unwrap();
    let (mut all, mut buf) = (Vec::new(), vec![0; 100_000]);
    loop {
        match client.read(&mut buf).await.unwrap() {
            0 => break,
            length => all.extend_from_slice(&buf[..length]),
        }
        // The sender finds its room gone meanwhile.
        for _ in 0..20 {
            yield_now().await;
        }
    }
    assert!(all == message);
    sending.await.unwrap();
}

#[tokio::test]
async fn idle_connections_are_not_forgotten() {
    let (address, server) = echo_server();
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(connected(address).await);
    }
    let mut busy = connected(address).await;
    for round in 0..3_000_u32 {
        round_trip(&mut busy, &round.to_be_bytes()).await;
        if round % 100 == 99 {
            let number = round as usize / 100;
            round_trip(&mut idle[number * 3], b"I am here").await;
        }
    }
    // All at once, after a long silence.
    for stream in &mut idle {
        stream.write_all(b"me too").await.unwrap();
    }
    for stream in &mut idle {
        let mut back = [0; 6];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"me too");
    }
    server.abort();
}

/// A datagram socket shows what a stream hides: one datagram is one call.
#[tokio::test]
async fn a_vectored_write_is_one_call() {
    crate::guard();
    let receiver = UdpSocket::bind(any_port()).unwrap();
    let sender = UdpSocket::bind(any_port()).unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let mut sender = adopted(sender, TcpStream::from_std).unwrap();
    assert!(sender.is_write_vectored());
    let pieces = [
        IoSlice::new(b"head"),
        IoSlice::new(b", "),
        IoSlice::new(b"body"),
    ];
    assert_eq!(sender.write_vectored(&pieces).await.unwrap(), 10);
    let receiver = adopted(receiver, TcpStream::from_std).unwrap();
    receiver.readable().await.unwrap();
    let mut buf = [0; 64];
    let length = SocketRef::<UdpSocket>::of(&receiver)
        .recv(&mut buf)
        .unwrap();
    assert_eq!(&buf[..length], b"head, body");
}

#[tokio::test]
async fn more_than_the_system_holds_goes_both_ways_at_once() {
    let (client, server) = pair().await;
    hold_little(&client);
    hold_little(&server);
    let serving = task::spawn(echo(server));
    let (mut reader, mut writer) = client.into_split();
    let message = pattern(8 << 20);
    let sent = message.clone();
    let writing = task::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer
    });
    let mut back = vec![0; message.len()];
    reader.read_exact(&mut back).await.unwrap();
    assert!(back == message);
    drop(reader.reunite(writing.await.unwrap()).unwrap());
    serving.await.unwrap();
}

#[tokio::test]
async fn a_proxy_passes_both_directions_and_their_ends() {
    let (address, server) = echo_server();
    let (front, front_address) = listener();
    let proxy = task::spawn(async move {
        let (mut client, _peer) = front.accept().await.unwrap();
        let mut upstream = connected(address).await;
        copy_bidirectional(&mut client, &mut upstream)
            .await
            .unwrap()
    });
    let mut client = connected(front_address).await;
    let message = pattern(100_000);
    round_trip(&mut client, &message).await;
    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(proxy.await.unwrap(), (100_000, 100_000));
    server.abort();
}

#[tokio::test]
async fn a_cancelled_read_loses_nothing() {
    let (mut client, mut server) = pair().await;
    let message = pattern(50_000);
    let sent = message.clone();
    let writing = task::spawn(async move {
        for piece in sent.chunks(97) {
            client.write_all(piece).await.unwrap();
            yield_now().await;
        }
    });
    let (mut all, mut buf, mut cancelled) = (Vec::new(), [0; 64], 0);
    loop {
        tokio::select! {
            biased;
            () = yield_now() => cancelled += 1,
            length = server.read(&mut buf) => match length.unwrap() {
                0 => break,
                length => all.extend_from_slice(&buf[..length]),
            },
        }
    }
    writing.await.unwrap();
    assert!(cancelled > 0, "no read was cancelled");
    assert!(all == message);
}

#[tokio::test]
async fn a_cancelled_accept_loses_nobody() {
    let (listener, address) = listener();
    let clients = task::spawn(async move {
        let mut clients = Vec::new();
        for _ in 0..50 {
            clients.push(connected(address).await);
        }
        clients
    });
    let (mut accepted, mut cancelled) = (Vec::new(), 0);
    while accepted.len() < 50 {
        tokio::select! {
            biased;
            () = yield_now() => cancelled += 1,
            stream = listener.accept() => accepted.push(stream.unwrap().0),
        }
    }
    assert!(cancelled > 0, "no accept was cancelled");
    for client in &mut clients.await.unwrap() {
        client.write_all(b"x").await.unwrap();
    }
    for server in &mut accepted {
        assert_eq!(server.read_u8().await.unwrap(), b'x');
    }
}

#[tokio::test]
async fn a_stream_leaves_the_runtime_and_comes_back() {
    let (mut client, server) = pair().await;
    let mut server = server;
    for round in 0..10 {
        client.write_all(&[round; 5]).await.unwrap();
        let mut first = [0; 2];
        server.read_exact(&mut first).await.unwrap();
        server = TcpStream::from_std(server.into_std().unwrap()).unwrap();
        let mut rest = [0; 3];
        server.read_exact(&mut rest).await.unwrap();
        assert_eq!((first, rest), ([round; 2], [round; 3]));
        round_trip_between(&mut client, &mut server).await;
    }
}

async fn round_trip_between(client: &mut TcpStream, server: &mut TcpStream) {
    server.write_all(b"back").await.unwrap();
    let mut back = [0; 4];
    client.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"back");
}

#[tokio::test]
async fn a_listener_leaves_the_runtime_and_comes_back() {
    let (listener, address) = listener();
    let first = connected(address).await;
    let listener = TcpListener::from_std(listener.into_std().unwrap()).unwrap();
    let second = connected(address).await;
    for client in [first, second] {
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }
}

/// What a program makes of readiness itself: `readable`, `try_read`, `writable`, `try_write`.
#[tokio::test]
async fn readiness_and_tries_move_everything() {
    let (client, server) = pair().await;
    hold_little(&server);
    let message = pattern(8 << 20);
    let sent = message.clone();
    let writing = task::spawn(async move {
        let mut rest = &sent[..];
        while !rest.is_empty() {
            client.writable().await.unwrap();
            match client.try_write(rest) {
                Ok(length) => rest = &rest[length..],
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    });
    let mut all = Vec::new();
    let mut buf = vec![0; 10_000];
    loop {
        server.readable().await.unwrap();
        match server.try_read(&mut buf) {
            Ok(0) => break,
            Ok(length) => all.extend_from_slice(&buf[..length]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    writing.await.unwrap();
    assert!(all == message);
}

#[tokio::test]
async fn looking_ahead_takes_nothing() {
    let (mut client, mut server) = pair().await;
    let mut buf = [0; 8];
    for round in 0..10_u8 {
        client.write_all(&[round; 4]).await.unwrap();
        assert_eq!(server.peek(&mut buf).await.unwrap(), 4);
        assert_eq!(server.peek(&mut buf).await.unwrap(), 4);
        server.read_exact(&mut buf[..4]).await.unwrap();
        assert_eq!(buf[..4], [round; 4]);
    }
    drop(client);
    assert_eq!(server.peek(&mut buf).await.unwrap(), 0);
}

#[tokio::test]
async fn a_reset_ends_a_read_that_waits() {
    let (client, mut server) = pair().await;
    let waiting = task::spawn(async move { server.read(&mut [0; 8]).await });
    yield_now().await;
    let option = SocketRef::<mio::net::TcpStream>::of(&client);
    option.set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_write_to_nobody_fails_and_harms_nobody_else() {
    let (client, mut server) = pair().await;
    drop(client);
    let block = vec![0; 64 * 1024];
    let error = loop {
        if let Err(error) = server.write_all(&block).await {
            break error;
        }
    };
    let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    let (mut client, server) = pair().await;
    let serving = task::spawn(echo(server));
    round_trip(&mut client, b"others live").await;
    drop(client);
    serving.await.unwrap();
}

/// One task reads and another writes, each waiting for the other's direction.
#[tokio::test]
async fn both_directions_are_awaited_at_once() {
    let (client, server) = pair().await;
    let (mut reader, mut writer) = client.into_split();
    let full = std::sync::Arc::new(Notify::new());
    let told = full.clone();
    let writing = task::spawn(async move {
        let block = vec![7; 64 * 1024];
        let mut written = 0;
        // Until there is no room left, which is when the other end is asked to read.
        while let Ok(length) = writer.try_write(&block) {
            written += length;
        }
        told.notify_one();
        writer.write_all(&block).await.unwrap();
        written + block.len()
    });
    let reading = task::spawn(async move { reader.read_u8().await.unwrap() });
    full.notified().await;
    let (mut server_reader, mut server_writer) = server.into_split();
    server_writer.write_all(&[1]).await.unwrap();
    assert_eq!(reading.await.unwrap(), 1);
    let mut all = Vec::new();
    server_reader.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), writing.await.unwrap());
}
