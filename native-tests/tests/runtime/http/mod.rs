//! hyper's server and client, both in one test, and bare sockets where one of them is to misbehave.

mod connection;
mod streaming;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Channel, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::{self, LocalSet};

use crate::{connected, listener};

type Body = BoxBody<Bytes, Infallible>;

/// Runs a test whose tasks stay on its thread.
async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

/// A server of `answer`, and how many connections it has accepted.
fn serve<A, F>(answer: A) -> (SocketAddr, Rc<Cell<usize>>)
where
    A: Fn(Request<Incoming>) -> F + Clone + 'static,
    F: Future<Output = Response<Body>> + 'static,
{
    let (listener, address) = listener();
    let accepted = Rc::new(Cell::new(0));
    let count = accepted.clone();
    task::spawn_local(async move {
        loop {
            let (stream, _peer) = listener.accept().await.unwrap();
            count.set(count.get() + 1);
            let answer = answer.clone();
            task::spawn_local(async move {
                let service = service_fn(move |request| {
                    let response = answer(request);
                    async { Ok::<_, Infallible>(response.await) }
                });
                let builder = http1::Builder::new();
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                // What ends it early is told to the test by other means.
                let _ = connection.with_upgrades().await;
            });
        }
    });
    (address, accepted)
}

/// A client's connection, driven by a task of its own.
async fn client(address: SocketAddr) -> SendRequest<Body> {
    client_of(connected(address).await).await
}

async fn client_of(stream: TcpStream) -> SendRequest<Body> {
    let (client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    task::spawn_local(async move {
        let _ = connection.with_upgrades().await;
    });
    client
}

fn empty() -> Body {
    Empty::new().boxed()
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

/// A body whose pieces are sent later, each once the one before is on its way.
fn pieces() -> (http_body_util::channel::Sender<Bytes>, Body) {
    let (sender, body) = Channel::new(1);
    (sender, body.boxed())
}

async fn text(body: Incoming) -> String {
    let bytes = body.collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.into()).unwrap()
}

fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header("host", "test")
        .body(empty())
        .unwrap()
}

fn post(path: &str, body: Body) -> Request<Body> {
    Request::post(path)
        .header("host", "test")
        .body(body)
        .unwrap()
}
