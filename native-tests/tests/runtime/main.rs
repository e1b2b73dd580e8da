//! What tokio and hyper do for programs, over this library: natively, and as guests in each
//! WasmEdge, from the same source.
//!
//! A guest has one thread and no processes, so both ends of every connection are in one runtime,
//! as tasks. No verdict is a matter of time: what must not happen is shown by what happens
//! instead, and a test that hangs is ended by the process, or by who runs the guest.

mod handover;
mod http;
mod lifecycle;
mod tasks;
mod tcp;
mod time;
mod udp;
#[cfg(not(windows))]
mod unix;

use std::net::SocketAddr;
use std::process;
use std::sync::Once;
use std::thread;
use std::time::Duration;

use mio::handover::{SocketRef, bind, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{self, JoinHandle};

/// Only a defect takes so long.
const LIMIT: Duration = Duration::from_secs(if cfg!(windows) { 600 } else { 120 });

/// Ends the process if its tests hang. A guest has no second thread to do so, and is killed.
fn guard() {
    static GUARD: Once = Once::new();
    if cfg!(not(target_os = "wasi")) {
        GUARD.call_once(|| {
            thread::spawn(|| {
                thread::sleep(LIMIT);
                eprintln!("a test hangs");
                process::exit(1);
            });
        });
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Where nobody listens, and no test ever will.
fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

fn listener() -> (TcpListener, SocketAddr) {
    guard();
    let listener = bind(any_port(), TcpListener::from_std).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn connected(address: SocketAddr) -> TcpStream {
    let stream = connect(address, TcpStream::from_std, TcpStream::writable);
    stream.await.unwrap()
}

/// A connection: the client's end and the server's.
async fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listener();
    let client = connected(address).await;
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    (client, server)
}

/// Makes the system take in no more than some hundred kilobytes that nobody has read. Otherwise it
/// may be many megabytes.
fn hold_little(stream: &TcpStream) {
    let stream = SocketRef::<mio::net::TcpStream>::of(stream);
    stream.set_recv_buffer_size(64 * 1024).unwrap();
}

/// Sends back what a connection sends, to its end.
async fn echo(mut stream: TcpStream) {
    let mut buf = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buf).await {
        stream.write_all(&buf[..length]).await.unwrap();
    }
}

/// Serves every connection with [`echo`], in tasks of their own.
fn echo_server() -> (SocketAddr, JoinHandle<()>) {
    let (listener, address) = listener();
    let server = task::spawn(async move {
        loop {
            let (stream, _peer) = listener.accept().await.unwrap();
            task::spawn(echo(stream));
        }
    });
    (address, server)
}

/// Sends `message` and reads as much back, which is to be the same.
async fn round_trip(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(message).await.unwrap();
    let mut back = vec![0; message.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, message);
}

/// Bytes that tell where they stand: 248 different ones, the number of their block, and so on.
fn pattern(length: usize) -> Vec<u8> {
    let block: [u8; 248] = std::array::from_fn(|at| at as u8);
    let mut all = Vec::with_capacity(length + 256);
    for number in 0..length.div_ceil(256) as u64 {
        all.extend_from_slice(&block);
        all.extend_from_slice(&number.to_be_bytes());
    }
    all.truncate(length);
    all
}
