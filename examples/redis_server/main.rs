//! A server of Redis's protocol on tokio: one source for a guest in WasmEdge and for Linux.
//!
//! ```sh
//! cargo guest run --release --example redis_server
//! cargo run --release --example redis_server
//! ```
//!
//! Its argument is where it listens, by default `127.0.0.1:6380`. It prints how to try it, and
//! serves until it is stopped, or told so by `SHUTDOWN`. It keeps strings, lists, hashes, sets and
//! sorted sets in memory, and forgets keys when their time is over.
//!
//! Requests in a row are answered together: whatever whole requests a read brings are carried out,
//! and their answers leave by one write. What a client can make the server hold is bounded: see
//! [`protocol`]'s limits, and [`OUTPUT`].

mod commands;
mod protocol;
mod store;
mod values;

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use mio::handover;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until, timeout};

use commands::After;
use protocol::Requests;
use store::Store;

/// Answers are written when there are so many bytes of them, even if more requests wait.
const OUTPUT: usize = 256 * 1024;

/// So many clients are served at a time; others wait to be accepted.
const CLIENTS: usize = 10_000;

/// How long a client that does not take its answers can delay the end.
const GRACE: Duration = Duration::from_secs(5);

/// What all connections share. There is one thread, and nobody holds the store while it waits.
struct Server {
    store: RefCell<Store>,
    /// It is another key that goes next, or at another time.
    next_changed: Notify,
    /// Whether the server is to end.
    stop: watch::Sender<bool>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:6380").parse()?;
    let listener = handover::bind(address, TcpListener::from_std)?;
    let address = listener.local_addr()?;
    let (ip, port) = (address.ip(), address.port());
    println!("listening tcp {address}");
    println!("try: redis-cli -h {ip} -p {port} SET greeting hello EX 60");
    println!("try: redis-cli -h {ip} -p {port}");
    println!("try: redis-benchmark -h {ip} -p {port} -q -n 100000 -P 16");
    println!("try: redis-cli -h {ip} -p {port} SHUTDOWN");
    let server = Rc::new(Server {
        store: RefCell::default(),
        next_changed: Notify::new(),
        stop: watch::channel(false).0,
    });
    let mut stopped = server.stop.subscribe();
    let mut clients = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &server, &mut clients) => {}
        () = expire(&server) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    // Nobody new; who is here gets the answers to what it has asked.
    drop(listener);
    let _ = timeout(GRACE, clients.join_all()).await;
    Ok(())
}

async fn accept(listener: &TcpListener, server: &Rc<Server>, clients: &mut JoinSet<()>) {
    loop {
        while clients.len() >= CLIENTS {
            clients.join_next().await;
        }
        tokio::select! {
            // A server lives through any error of accepting: a full descriptor table passes.
            accepted = listener.accept() => if let Ok((stream, _peer)) = accepted {
                let server = server.clone();
                clients.spawn_local(async move {
                    // What ends a connection early is its client's matter.
                    let _ = converse(stream, &server).await;
                });
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

/// One connection, from its first request to its end.
async fn converse(mut stream: TcpStream, server: &Server) -> io::Result<()> {
    let _ = stream.set_nodelay(true);
    let mut stopped = server.stop.subscribe();
    let mut requests = Requests::default();
    let mut output = Vec::new();
    loop {
        let after = answer(&mut requests, &mut output, server);
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
        match after {
            After::More if *stopped.borrow() => return Ok(()),
            After::More => {}
            After::Later => continue,
            After::Close => return stream.shutdown().await,
            After::Stop => drop(server.stop.send_replace(true)),
        }
        tokio::select! {
            length = stream.read_buf(requests.room()) => if length? == 0 {
                return Ok(());
            },
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// Carries out the whole requests that there are, as far as the output has room.
fn answer(requests: &mut Requests, output: &mut Vec<u8>, server: &Server) -> After {
    let mut store = server.store.borrow_mut();
    let first = store.next_expiry();
    let mut after = After::More;
    while let After::More = after {
        if output.len() >= OUTPUT {
            after = After::Later;
            break;
        }
        match requests.next() {
            Ok(Some(request)) => after = commands::run(&request, &mut store, output),
            Ok(None) => break,
            Err(fault) => {
                protocol::error(output, &format!("ERR Protocol error: {fault}"));
                after = After::Close;
            }
        }
    }
    if store.next_expiry() != first {
        server.next_changed.notify_one();
    }
    after
}

/// Takes out keys when their time has come. A request finds none that is over in any case.
async fn expire(server: &Server) {
    loop {
        let next = server.store.borrow_mut().expire(Instant::now());
        let timer = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            () = server.next_changed.notified() => {}
        }
    }
}
