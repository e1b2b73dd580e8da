//! An HTTP/1.1 server of hyper and tokio: one source for a guest in WasmEdge and for Linux.
//!
//! ```sh
//! cargo guest run --release --example http_hello
//! cargo run --release --example http_hello
//! ```
//!
//! Its argument is where it listens, by default `127.0.0.1:8080`. It prints how to try it, and
//! serves until it is stopped.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mio::handover;
use tokio::net::TcpListener;
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    let listener = handover::bind(address, TcpListener::from_std)?;
    let address = listener.local_addr()?;
    println!("listening tcp {address}");
    println!("try: curl -i http://{address}/");
    println!("try: wrk -t1 -c32 http://{address}/");
    loop {
        // A server lives through any error of accepting. Perhaps there is no descriptor left, and
        // some connection has to end first.
        let Ok((stream, _peer)) = listener.accept().await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        tokio::spawn(async move {
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello));
            // What ends a connection early is its client's matter.
            let _ = connection.await;
        });
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new("hello, world\n".into()))
}
