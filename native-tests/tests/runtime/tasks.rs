//! Tasks: what they tell each other, how they end, and that none starves the others or the sockets.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::{self, JoinSet, LocalSet, yield_now};

use crate::{connected, echo_server, listener, pair, round_trip};

#[tokio::test]
async fn select_takes_what_comes_from_sockets_and_channels() {
    let (mut client, mut server) = pair().await;
    let (sender, mut receiver) = mpsc::channel(4);
    task::spawn(async move {
        for round in 0..100_u8 {
            if round % 2 == 0 {
                client.write_all(&[round]).await.unwrap();
            } else {
                sender.send(round).await.unwrap();
            }
            yield_now().await;
        }
    });
    let (mut from_socket, mut from_channel) = (Vec::new(), Vec::new());
    let (mut socket_open, mut channel_open) = (true, true);
    let mut buf = [0; 4];
    while socket_open || channel_open {
        tokio::select! {
            length = server.read(&mut buf), if socket_open => match length.unwrap() {
                0 => socket_open = false,
                length => from_socket.extend_from_slice(&buf[..length]),
            },
            message = receiver.recv(), if channel_open => match message {
                None => channel_open = false,
                Some(message) => from_channel.push(message),
            },
        }
    }
    assert!(from_socket.iter().copied().eq((0..100).step_by(2)));
    assert!(from_channel.iter().copied().eq((1..100).step_by(2)));
}

#[tokio::test]
async fn local_tasks_share_what_cannot_be_sent() {
    let served = Rc::new(Cell::new(0));
    let count = served.clone();
    let local = LocalSet::new();
    local
        .run_until(async move {
            let (listener, address) = listener();
            task::spawn_local(async move {
                loop {
                    let (mut stream, _peer) = listener.accept().await.unwrap();
                    let count = count.clone();
                    task::spawn_local(async move {
                        let byte = stream.read_u8().await.unwrap();
                        stream.write_u8(byte + 1).await.unwrap();
                        count.set(count.get() + 1);
                    });
                }
            });
            for round in 0..30 {
                let mut stream = connected(address).await;
                stream.write_u8(round).await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), round + 1);
            }
        })
        .await;
    assert_eq!(served.get(), 30);
}

/// A connection for each member, a broadcast between them: a chat.
#[tokio::test]
async fn a_broadcast_reaches_every_connection() {
    let (listener, address) = listener();
    let (say, _) = broadcast::channel::<u8>(64);
    let speaker = say.clone();
    task::spawn(async move {
        loop {
            let (stream, _peer) = listener.accept().await.unwrap();
            task::spawn(member(stream, speaker.clone()));
        }
    });
    let mut members = Vec::new();
    for _ in 0..10 {
        let mut stream = connected(address).await;
        // It is listening when it says so.
        assert_eq!(stream.read_u8().await.unwrap(), 255);
        members.push(stream);
    }
    for speaker in 0..members.len() {
        members[speaker].write_u8(speaker as u8).await.unwrap();
        for member in &mut members {
            assert_eq!(member.read_u8().await.unwrap(), speaker as u8);
        }
    }
}

async fn member(mut stream: TcpStream, say: broadcast::Sender<u8>) {
    let mut hear = say.subscribe();
    stream.write_u8(255).await.unwrap();
    loop {
        tokio::select! {
            said = hear.recv() => stream.write_u8(said.unwrap()).await.unwrap(),
            heard = stream.read_u8() => match heard {
                Ok(byte) => drop(say.send(byte).unwrap()),
                Err(_) => return,
            },
        }
    }
}

#[tokio::test]
async fn channels_pass_requests_and_their_answers() {
    type Request = (u32, oneshot::Sender<u32>);
    let (ask, mut asked) = mpsc::channel::<Request>(1);
    let (address, server) = echo_server();
    // One task owns the connection; the others ask it.
    let owner = task::spawn(async move {
        let mut stream = connected(address).await;
        while let Some((number, answer)) = asked.recv().await {
            stream.write_u32(number).await.unwrap();
            answer.send(stream.read_u32().await.unwrap()).unwrap();
        }
    });
    let mut askers = JoinSet::new();
    for number in 0..100 {
        let ask = ask.clone();
        askers.spawn(async move {
            let (answer, answered) = oneshot::channel();
            ask.send((number, answer)).await.unwrap();
            assert_eq!(answered.await.unwrap(), number);
        });
    }
    drop(ask);
    assert_eq!(askers.join_all().await.len(), 100);
    owner.await.unwrap();
    server.abort();
}

#[tokio::test]
async fn a_limit_of_connections_is_kept() {
    const MOST: usize = 3;
    let (listener, address) = listener();
    let (limit, now) = (
        Arc::new(Semaphore::new(MOST)),
        Arc::new(AtomicUsize::new(0)),
    );
    let server = task::spawn(async move {
        loop {
            let permit = limit.clone().acquire_owned().await.unwrap();
            let (mut stream, _peer) = listener.accept().await.unwrap();
            let now = now.clone();
            task::spawn(async move {
                assert!(now.fetch_add(1, Ordering::Relaxed) < MOST);
                let byte = stream.read_u8().await.unwrap();
                stream.write_u8(byte).await.unwrap();
                now.fetch_sub(1, Ordering::Relaxed);
                drop(permit);
            });
        }
    });
    let mut clients = JoinSet::new();
    for number in 0..50 {
        clients.spawn(async move {
            round_trip(&mut connected(address).await, &[number]).await;
        });
    }
    assert_eq!(clients.join_all().await.len(), 50);
    server.abort();
}

#[tokio::test]
async fn tasks_that_are_always_ready_do_not_starve_sockets() {
    let stop = Arc::new(AtomicBool::new(false));
    let mut busy = JoinSet::new();
    for _ in 0..3 {
        let stop = stop.clone();
        busy.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                yield_now().await;
            }
        });
    }
    let (address, server) = echo_server();
    let mut stream = connected(address).await;
    for round in 0..100 {
        round_trip(&mut stream, &[round; 50]).await;
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(busy.join_all().await.len(), 3);
    server.abort();
}

/// tokio makes a task pause that always finds something to do, and sockets count.
#[tokio::test]
async fn a_connection_that_never_pauses_does_not_starve_others() {
    let (address, server) = echo_server();
    let flood = task::spawn(async move {
        let (mut reader, mut writer) = connected(address).await.into_split();
        task::spawn(async move {
            let block = vec![0; 256 * 1024];
            while writer.write_all(&block).await.is_ok() {}
        });
        let mut buf = vec![0; 256 * 1024];
        while reader.read(&mut buf).await.unwrap() > 0 {}
    });
    let mut quiet = connected(address).await;
    for round in 0..50 {
        round_trip(&mut quiet, &[round]).await;
    }
    flood.abort();
    server.abort();
}

#[tokio::test]
async fn an_aborted_task_closes_its_sockets() {
    let (mut client, server) = pair().await;
    let holding = task::spawn(async move {
        let _held = server;
        std::future::pending::<()>().await;
    });
    yield_now().await;
    holding.abort();
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(holding.await.unwrap_err().is_cancelled());
}

/// The server stops accepting, serves to the end whom it has, and is gone.
#[tokio::test]
async fn a_server_shuts_down_gracefully() {
    let (listener, address) = listener();
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let (stopping, told) = watch::channel(false);
    let server = task::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stopped.notified() => break,
                accepted = listener.accept() => {
                    let (stream, _peer) = accepted.unwrap();
                    connections.spawn(serve_until_told(stream, told.clone()));
                }
            }
        }
        drop(listener);
        stopping.send(true).unwrap();
        connections.join_all().await
    });
    let mut idle = connected(address).await;
    let mut busy = connected(address).await;
    for stream in [&mut idle, &mut busy] {
        stream.write_all(b"12").await.unwrap();
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"+2");
    }
    // Half of a request, and the server has it.
    busy.write_all(b"1").await.unwrap();
    assert_eq!(busy.read_u8().await.unwrap(), b'+');
    stop.notify_one();
    assert_eq!(idle.read(&mut [0; 8]).await.unwrap(), 0);
    busy.write_all(b"2").await.unwrap();
    let mut answer = Vec::new();
    busy.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"2");
    let mut served = server.await.unwrap();
    served.sort_unstable();
    assert_eq!(served, [1, 2]);
    let late = mio::handover::connect(address, TcpStream::from_std, TcpStream::writable).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// A request is two bytes: the first is confirmed, the second sent back. Asked to stop, it finishes
/// the one that has begun.
async fn serve_until_told(mut stream: TcpStream, mut told: watch::Receiver<bool>) -> usize {
    let mut served = 0;
    loop {
        tokio::select! {
            first = stream.read_u8() => drop(first.unwrap()),
            _ = told.wait_for(|stop| *stop) => return served,
        }
        stream.write_all(b"+").await.unwrap();
        let second = stream.read_u8().await.unwrap();
        stream.write_u8(second).await.unwrap();
        served += 1;
    }
}

#[tokio::test]
async fn a_task_of_many_wakes_is_woken_by_each() {
    let woken = RefCell::new(Vec::new());
    let (one, two) = (Notify::new(), Notify::new());
    let wait = async {
        for _ in 0..10 {
            one.notified().await;
            woken.borrow_mut().push(1);
            two.notify_one();
        }
    };
    let answer = async {
        for _ in 0..10 {
            one.notify_one();
            two.notified().await;
            woken.borrow_mut().push(2);
        }
    };
    tokio::join!(wait, answer);
    assert!(woken.borrow().chunks(2).all(|pair| pair == [1, 2]));
    assert_eq!(woken.borrow().len(), 20);
}
