//! UDP sockets in tokio's care, which on WASI has no type for them.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::handover::{SocketRef, adopted};
use mio::net::UdpSocket;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{self, yield_now};

use crate::{any_port, guard, nobody};

/// As a program would wrap it: a UDP socket with asynchronous methods.
struct Udp(TcpStream);

impl Udp {
    fn bind(address: SocketAddr) -> io::Result<Udp> {
        guard();
        adopted(UdpSocket::bind(address)?, TcpStream::from_std).map(Udp)
    }

    fn socket(&self) -> SocketRef<'_, UdpSocket> {
        SocketRef::of(&self.0)
    }

    fn address(&self) -> SocketAddr {
        self.socket().local_addr().unwrap()
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let call = || self.socket().recv_from(buf);
        self.0.async_io(Interest::READABLE, call).await
    }

    async fn send_to(&self, bytes: &[u8], peer: SocketAddr) -> io::Result<usize> {
        let call = || self.socket().send_to(bytes, peer);
        self.0.async_io(Interest::WRITABLE, call).await
    }
}

fn any() -> Udp {
    Udp::bind(any_port()).unwrap()
}

/// Sends every datagram back, until an empty one comes.
async fn echo(socket: Udp) {
    let mut buf = [0; 2048];
    loop {
        let (length, peer) = socket.recv_from(&mut buf).await.unwrap();
        if length == 0 {
            return;
        }
        assert_eq!(socket.send_to(&buf[..length], peer).await.unwrap(), length);
    }
}

#[tokio::test]
async fn datagrams_are_echoed() {
    let (server, client) = (any(), any());
    let address = server.address();
    let serving = task::spawn(echo(server));
    let mut buf = [0; 2048];
    for round in 1..200 {
        let message = vec![round as u8; round * 7];
        client.send_to(&message, address).await.unwrap();
        let (length, peer) = client.recv_from(&mut buf).await.unwrap();
        assert_eq!(peer, address);
        assert_eq!(buf[..length], message);
    }
    client.send_to(&[], address).await.unwrap();
    serving.await.unwrap();
}

/// In bursts that the system holds, since it may drop what it does not.
#[tokio::test]
async fn many_datagrams_arrive_in_their_order() {
    let (receiver, sender) = (any(), any());
    let address = receiver.address();
    let taken = Arc::new(Notify::new());
    let ready = taken.clone();
    let sending = task::spawn(async move {
        for number in 0..5_000_u32 {
            sender
                .send_to(&number.to_be_bytes(), address)
                .await
                .unwrap();
            if number % 50 == 49 {
                ready.notified().await;
            }
        }
    });
    for number in 0..5_000_u32 {
        let mut buf = [0; 8];
        let (length, _peer) = receiver.recv_from(&mut buf).await.unwrap();
        assert_eq!(buf[..length], number.to_be_bytes());
        if number % 50 == 49 {
            taken.notify_one();
        }
    }
    sending.await.unwrap();
}

#[tokio::test]
async fn an_empty_datagram_is_a_datagram() {
    let (receiver, sender) = (any(), any());
    let address = receiver.address();
    for message in [&b"one"[..], b"", b"", b"four", b""] {
        sender.send_to(message, address).await.unwrap();
    }
    let mut buf = [0; 8];
    for expected in [3, 0, 0, 4, 0] {
        let (length, peer) = receiver.recv_from(&mut buf).await.unwrap();
        assert_eq!((length, peer), (expected, sender.address()));
    }
    // It is no end either: what follows is received.
    sender.send_to(b"more", address).await.unwrap();
    assert_eq!(receiver.recv_from(&mut buf).await.unwrap().0, 4);
}

#[tokio::test]
async fn what_has_no_room_is_cut_off() {
    let (receiver, sender) = (any(), any());
    sender.send_to(&[7; 100], receiver.address()).await.unwrap();
    sender.send_to(b"next", receiver.address()).await.unwrap();
    let mut buf = [0; 10];
    let cut = receiver.recv_from(&mut buf).await;
    if cfg!(windows) {
        // It says so, by an error that std has no kind for.
        assert_eq!(cut.unwrap_err().raw_os_error(), Some(10_040));
    } else {
        assert_eq!(cut.unwrap().0, 10);
    }
    assert_eq!(receiver.recv_from(&mut buf).await.unwrap().0, 4);
}

#[tokio::test]
async fn one_task_receives_while_another_sends() {
    let (ours, theirs) = (Arc::new(any()), any());
    let (address, peer) = (ours.address(), theirs.address());
    let receiver = ours.clone();
    let receiving = task::spawn(async move {
        for number in 0..500_u32 {
            let mut buf = [0; 8];
            let (length, _peer) = receiver.recv_from(&mut buf).await.unwrap();
            assert_eq!(buf[..length], number.to_be_bytes());
        }
    });
    // The receiver waits from the start, and whatever is sent here comes back.
    let echoing = task::spawn(echo(theirs));
    yield_now().await;
    for number in 0..500_u32 {
        ours.send_to(&number.to_be_bytes(), peer).await.unwrap();
        ours.0.writable().await.unwrap();
        yield_now().await;
    }
    receiving.await.unwrap();
    assert_eq!(ours.address(), address);
    ours.send_to(&[], peer).await.unwrap();
    echoing.await.unwrap();
}

/// Two tasks wait at the same time for the same direction; each datagram wakes who wants it.
#[tokio::test]
async fn two_tasks_receive_from_one_socket() {
    let (shared, sender) = (Arc::new(any()), any());
    let address = shared.address();
    let take = |socket: Arc<Udp>| async move {
        let mut buf = [0; 8];
        socket.recv_from(&mut buf).await.unwrap();
        buf[0]
    };
    for _ in 0..50 {
        let one = task::spawn(take(shared.clone()));
        let two = task::spawn(take(shared.clone()));
        yield_now().await;
        sender.send_to(&[1], address).await.unwrap();
        sender.send_to(&[2], address).await.unwrap();
        let mut both = [one.await.unwrap(), two.await.unwrap()];
        both.sort_unstable();
        assert_eq!(both, [1, 2]);
    }
}

#[tokio::test]
async fn a_dropped_socket_leaves_its_address() {
    let (mut server, client) = (any(), any());
    let address = server.address();
    let mut buf = [0; 8];
    for round in 0..20_u8 {
        client.send_to(&[round], address).await.unwrap();
        server.recv_from(&mut buf).await.unwrap();
        assert_eq!(buf[0], round);
        // While it is awaited, too.
        let waiting = task::spawn(async move { server.recv_from(&mut [0; 8]).await });
        yield_now().await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        server = Udp::bind(address).unwrap();
    }
}

#[tokio::test]
#[cfg_attr(windows, ignore = "Wine tells nobody that a datagram was refused")]
async fn a_connected_socket_hears_of_a_refusal_and_lives_on() {
    let (client, server) = (any(), any());
    client.socket().connect(nobody()).unwrap();
    client.socket().send(b"anybody?").unwrap();
    let mut buf = [0; 8];
    // With epoll an error alone does not make a socket readable.
    let interest = Interest::READABLE | Interest::ERROR;
    let error = client
        .0
        .async_io(interest, || client.socket().recv(&mut buf));
    assert_eq!(
        error.await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    client.socket().connect(server.address()).unwrap();
    server.send_to(b"I am", client.address()).await.unwrap();
    let (length, peer) = client.recv_from(&mut buf).await.unwrap();
    assert_eq!((&buf[..length], peer), (&b"I am"[..], server.address()));
}
