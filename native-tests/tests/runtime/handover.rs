//! The way in: `mio::handover`.

use std::io::ErrorKind;

use mio::handover::{SocketRef, bind, connect};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{self, JoinSet};

use crate::{any_port, connected, echo_server, listener, nobody, pair, round_trip};

#[tokio::test]
async fn what_is_bound_accepts_and_knows_its_address() {
    let (listener, address) = listener();
    assert!(address.ip().is_loopback());
    assert_ne!(address.port(), 0);
    let client = connected(address).await;
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(client.peer_addr().unwrap(), address);
    assert_eq!(client.local_addr().unwrap(), peer);
    assert_eq!(server.peer_addr().unwrap(), peer);
    assert_eq!(server.local_addr().unwrap(), address);
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let (_listener, address) = listener();
    let error = bind(address, TcpListener::from_std).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_listener_that_is_gone_leaves_its_address() {
    let (listener, address) = listener();
    let _client = connected(address).await;
    drop(listener);
    bind(address, TcpListener::from_std).unwrap();
}

#[tokio::test]
async fn a_refused_connect_says_so() {
    crate::guard();
    let attempt = connect(nobody(), TcpStream::from_std, TcpStream::writable);
    let error = attempt.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn connecting_may_be_a_task_of_its_own() {
    let (address, server) = echo_server();
    let good = task::spawn(connect(address, TcpStream::from_std, TcpStream::writable));
    let bad = task::spawn(connect(nobody(), TcpStream::from_std, TcpStream::writable));
    let mut stream = good.await.unwrap().unwrap();
    round_trip(&mut stream, b"hello").await;
    let error = bad.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    server.abort();
}

#[tokio::test]
async fn a_connect_that_is_dropped_halfway_closes_its_socket() {
    let (listener, address) = listener();
    for _ in 0..20 {
        let attempt = connect(address, TcpStream::from_std, TcpStream::writable);
        tokio::select! {
            biased;
            // Begun by its first poll, and not done: nobody has waited for the host yet.
            _ = attempt => panic!("it cannot have been told"),
            () = std::future::ready(()) => {}
        }
    }
    let mut last = connected(address).await;
    for _ in 0..20 {
        let (mut server, _peer) = listener.accept().await.unwrap();
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    }
    let (server, _peer) = listener.accept().await.unwrap();
    drop(server);
    assert_eq!(last.read(&mut [0; 8]).await.unwrap(), 0);
}

#[tokio::test]
async fn many_connects_at_once() {
    let (address, server) = echo_server();
    let mut clients = JoinSet::new();
    for number in 0..100_u32 {
        clients.spawn(async move {
            let mut stream = connected(address).await;
            round_trip(&mut stream, &number.to_be_bytes()).await;
        });
    }
    assert_eq!(clients.join_all().await.len(), 100);
    server.abort();
}

#[tokio::test]
async fn a_socket_in_the_runtimes_care_has_this_librarys_options() {
    let (client, server) = pair().await;
    let client_ref = SocketRef::<mio::net::TcpStream>::of(&client);
    assert_eq!(
        client_ref.peer_addr().unwrap(),
        server.local_addr().unwrap()
    );
    client_ref.set_send_buffer_size(64 * 1024).unwrap();
    assert!(client_ref.send_buffer_size().unwrap() >= 64 * 1024);
    assert!(client_ref.take_error().unwrap().is_none());
    // Such a reference closes nothing.
    assert!(client.peer_addr().is_ok());
}

#[tokio::test]
async fn what_the_runtime_refuses_is_an_error() {
    let no_room = |_| Err::<TcpListener, _>(ErrorKind::OutOfMemory.into());
    let error = bind(any_port(), no_room).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
}
