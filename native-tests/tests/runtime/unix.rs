//! Unix sockets in tokio's care, which on WASI has no types for them. A guest needs its host's
//! permission for them, and the paths are the host's.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::path::PathBuf;

use mio::handover::{SocketRef, adopted};
use mio::net::{UnixDatagram, UnixListener, UnixStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::task::{self, JoinSet};

use crate::{echo, guard, pattern, round_trip};

/// A path that nothing else has. What is there in the end is removed.
struct Path(PathBuf);

impl Path {
    fn new() -> Path {
        guard();
        // Each differs from every other one, also from those of other processes.
        let number = RandomState::new().build_hasher().finish();
        Path(PathBuf::from(format!("/tmp/mio-runtime-{number:016x}")))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn connect(path: &Path) -> TcpStream {
    adopted(UnixStream::connect(&path.0).unwrap(), TcpStream::from_std).unwrap()
}

async fn accept(listener: &TcpStream) -> TcpStream {
    let socket = SocketRef::<UnixListener>::of(listener);
    let accepted = listener.async_io(Interest::READABLE, || socket.accept());
    let (stream, _peer) = accepted.await.unwrap();
    adopted(stream, TcpStream::from_std).unwrap()
}

#[tokio::test]
async fn streams_are_echoed() {
    let path = Path::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    let listener = adopted(listener, TcpStream::from_std).unwrap();
    let server = task::spawn(async move {
        loop {
            task::spawn(echo(accept(&listener).await));
        }
    });
    let mut clients = JoinSet::new();
    for number in 0..20 {
        let mut stream = connect(&path);
        clients.spawn(async move {
            for round in 0..10 {
                round_trip(&mut stream, &pattern(1 + number * 100 + round)).await;
            }
        });
    }
    assert_eq!(clients.join_all().await.len(), 20);
    server.abort();
}

#[tokio::test]
async fn a_stream_holds_back_a_writer_and_tells_its_end() {
    let path = Path::new();
    let listener = UnixListener::bind(&path.0).unwrap();
    let listener = adopted(listener, TcpStream::from_std).unwrap();
    let mut client = connect(&path);
    let mut server = accept(&listener).await;
    let message = pattern(3 << 20);
    let sent = message.clone();
    let writing = task::spawn(async move {
        client.write_all(&sent).await.unwrap();
        SocketRef::<UnixStream>::of(&client)
            .shutdown(std::net::Shutdown::Write)
            .unwrap();
        client.read_u8().await.unwrap()
    });
    let mut all = Vec::new();
    server.read_to_end(&mut all).await.unwrap();
    assert!(all == message);
    server.write_all(&[42]).await.unwrap();
    assert_eq!(writing.await.unwrap(), 42);
}

/// The receiver's queue is short, so that the sender has to wait for room again and again.
#[tokio::test]
async fn a_datagram_socket_holds_back_its_sender() {
    let path = Path::new();
    let receiver = UnixDatagram::bind(&path.0).unwrap();
    let receiver = adopted(receiver, TcpStream::from_std).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(&path.0).unwrap();
    let sender = adopted(sender, TcpStream::from_std).unwrap();
    let sending = task::spawn(async move {
        let socket = SocketRef::<UnixDatagram>::of(&sender);
        let mut waits = 0;
        for number in 0..1_000_u32 {
            let message = number.to_be_bytes();
            match socket.send(&message) {
                Ok(length) => assert_eq!(length, 4),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    waits += 1;
                    let send = sender.async_io(Interest::WRITABLE, || socket.send(&message));
                    assert_eq!(send.await.unwrap(), 4);
                }
            }
        }
        waits
    });
    let socket = SocketRef::<UnixDatagram>::of(&receiver);
    for number in 0..1_000_u32 {
        let mut buf = [0; 8];
        let length = receiver.async_io(Interest::READABLE, || socket.recv(&mut buf));
        assert_eq!(length.await.unwrap(), 4);
        assert_eq!(buf[..4], number.to_be_bytes());
    }
    assert!(sending.await.unwrap() > 0, "the queue was never full");
}

#[tokio::test]
async fn nobody_at_a_path_is_an_error() {
    let path = Path::new();
    let error = UnixStream::connect(&path.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
