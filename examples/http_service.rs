//! An HTTP/1.1 service of hyper and tokio: files, bodies of any length, a small JSON store and a
//! graceful end. One source for a guest in WasmEdge and for Linux.
//!
//! ```sh
//! cargo guest run --release --example http_service
//! cargo run --release --example http_service
//! ```
//!
//! Its first argument is where it listens, by default `127.0.0.1:8080`. It prints how to try it.
//! With `--files DIR` it serves a folder's files too. A guest sees only the folders that its host
//! lends it; here `examples`, by the name `/files`:
//!
//! ```sh
//! export MIO_WASI_HOST_ARGS='--dir /files:examples'
//! cargo guest run --release --example http_service -- 127.0.0.1:8080 --files /files
//! cargo run --release --example http_service -- 127.0.0.1:8080 --files examples
//! ```
//!
//! Whatever its clients do, it keeps nothing in memory but the items, which are limited, and no
//! connection over which nothing moves.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read};
use std::iter;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use futures_util::stream::{self, StreamExt};
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use mio::handover;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

/// How long a client may take over the head of a request, and wait before the next one.
const HEAD: Duration = Duration::from_secs(5);
/// A connection over which nothing has moved for so long, or up to twice as long, is given up, and
/// so are requests that still run so long after `POST /shutdown`.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bodies are made, and wait for the client, in pieces of this many bytes.
const PIECE: usize = 64 * 1024;
/// What is kept at most: so many items, each with a key and a value of so many bytes.
const ITEMS: usize = 1_000;
const KEY: usize = 200;
const VALUE: usize = 64 * 1024;
const JSON: &str = "application/json";

type Body = Pin<Box<dyn hyper::body::Body<Data = Bytes, Error = Error>>>;
/// What is refused is told by its status alone.
type Answer = Result<Response<Body>, StatusCode>;

#[tokio::main(flavor = "local")]
async fn main() -> Result<()> {
    let (address, files) = arguments()?;
    let listener = handover::bind(address, TcpListener::from_std)?;
    let address = listener.local_addr()?;
    println!("listening tcp {address}");
    println!("try: curl -X PUT -d '[1, 2]' http://{address}/items/numbers");
    println!("try: curl http://{address}/items/numbers");
    println!("try: curl -N http://{address}/ticks");
    println!("try: curl -o /dev/null http://{address}/big/1000000000");
    println!("try: curl --data-binary @Cargo.toml http://{address}/count");
    if let Some(folder) = &files {
        let entries = fs::read_dir(folder);
        let entries = entries.context("cannot read the folder; does the host lend it?")?;
        if let Some(file) = entries.flatten().find(|entry| entry.path().is_file()) {
            let name = file.file_name();
            let name = name.to_string_lossy();
            println!("try: curl http://{address}/files/{name}");
        }
    }
    println!("try: curl -X POST http://{address}/shutdown");

    let (items, end) = (RefCell::default(), Notify::new());
    let service = Rc::new(Service { files, items, end });
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => {
                    spawn_local(serve(stream, service.clone(), graceful.watcher()));
                }
                // Perhaps there is no descriptor left: some connection has to end first.
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
            () = service.end.notified() => break,
        }
    }
    drop(listener);
    println!("closed; {} connections end", graceful.count());
    // Who takes longer is cut off.
    let _ = timeout(PATIENCE, graceful.shutdown()).await;
    Ok(())
}

fn arguments() -> Result<(SocketAddr, Option<PathBuf>)> {
    let mut address = SocketAddr::from(([127, 0, 0, 1], 8080));
    let mut files = None;
    let usage = "usage: http_service [ADDRESS:PORT] [--files DIR]";
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--files" {
            files = Some(words.next().context(usage)?.into());
        } else {
            address = word.parse().context(usage)?;
        }
    }
    Ok((address, files))
}

/// Serves one connection.
async fn serve(stream: TcpStream, service: Rc<Service>, watcher: Watcher) {
    // Where the host can do it, small pieces such as the ticks leave at once.
    let _ = stream.set_nodelay(true);
    let moved = Rc::new(Cell::new(false));
    let moves = moved.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        let (service, moves) = (service.clone(), moves.clone());
        async move {
            let request = request.map(|body| watched(body, &moves));
            let answer = service.answer(request).await.unwrap_or_else(just);
            Ok::<_, Infallible>(answer.map(|body| watched(body, &moves)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(PIECE)
        .serve_connection(TokioIo::new(stream), answer);
    // What ends a connection early is its client's matter.
    let mut connection = pin!(watcher.watch(connection));
    while timeout(PATIENCE, &mut connection).await.is_err() && moved.take() {}
}

/// A body of which each piece that passes sets `moved`.
fn watched<B>(body: B, moved: &Rc<Cell<bool>>) -> Body
where
    B: hyper::body::Body<Data = Bytes, Error: Into<Error>> + 'static,
{
    let (body, moved) = (body.map_err(Into::into), moved.clone());
    moved.set(true);
    Box::pin(body.inspect_frame(move |_| moved.set(true)))
}

struct Service {
    files: Option<PathBuf>,
    items: RefCell<BTreeMap<String, Bytes>>,
    end: Notify,
}

impl Service {
    async fn answer(&self, request: Request<Body>) -> Answer {
        let (head, body) = request.into_parts();
        let path = head.uri.path().strip_prefix('/').unwrap_or_default();
        let (kind, name) = path.split_once('/').unwrap_or((path, ""));
        // It is hyper that leaves the body of an answer to HEAD out.
        let method = head.method.as_str().replace("HEAD", "GET");
        match (method.as_str(), kind, name) {
            ("GET", "files", name) => self.file(name),
            ("GET", "big", bytes) => {
                let bytes = bytes.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
                Ok(Response::new(pieces(io::repeat(b'0').take(bytes))))
            }
            ("GET", "ticks", "") => of_type("text/event-stream", ticks()),
            ("POST", "echo", "") => Ok(Response::new(body)),
            ("POST", "count", "") => count(body).await,
            ("GET", "items", "") => {
                let keys = Vec::from_iter(self.items.borrow().keys().cloned());
                of_type(JSON, whole(json!(keys).to_string()))
            }
            ("GET", "items", key) => {
                let item = self.items.borrow().get(key).cloned();
                of_type(JSON, whole(item.ok_or(StatusCode::NOT_FOUND)?))
            }
            ("PUT", "items", key) if !key.is_empty() => self.put(key, body).await,
            ("DELETE", "items", key) => {
                let item = self.items.borrow_mut().remove(key);
                item.ok_or(StatusCode::NOT_FOUND)?;
                Ok(just(StatusCode::OK))
            }
            ("POST", "shutdown", "") => {
                self.end.notify_one();
                Ok(just(StatusCode::ACCEPTED))
            }
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    fn file(&self, name: &str) -> Answer {
        let folder = self.files.as_deref().ok_or(StatusCode::NOT_FOUND)?;
        let path = folder.join(name);
        // With `..`, or from the root, a path leads out of the folder.
        let mut parts = Path::new(name).components();
        let inside = parts.all(|part| matches!(part, Component::Normal(_)));
        // To open what is no file may take for ever.
        if !inside || !path.is_file() {
            return Err(StatusCode::NOT_FOUND);
        }
        let file = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = file.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let mut response = Response::new(pieces(file.take(length)));
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        Ok(response)
    }

    async fn put(&self, key: &str, body: Body) -> Answer {
        let body = Limited::new(body, VALUE).collect().await;
        let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes();
        if serde_json::from_slice::<Value>(&body).is_err() {
            return Err(StatusCode::BAD_REQUEST);
        }
        let mut items = self.items.borrow_mut();
        if items.len() == ITEMS && !items.contains_key(key) || key.len() > KEY {
            return Err(StatusCode::INSUFFICIENT_STORAGE);
        }
        // A copy: what came is a part of the connection's buffer, and would keep all of it.
        let old = items.insert(key.into(), Bytes::copy_from_slice(&body));
        Ok(just(old.map_or(StatusCode::CREATED, |_| StatusCode::OK)))
    }
}

/// A body that is read piece by piece, whenever the client has room for one. The reader must not
/// be long: no runtime can wait for a disk.
fn pieces(mut from: impl Read + 'static) -> Body {
    let pieces = iter::from_fn(move || {
        let mut piece = vec![0; PIECE];
        match from.read(&mut piece) {
            Ok(0) => None,
            Ok(length) => {
                piece.truncate(length);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) => Some(Err(error.into())),
        }
    });
    Box::pin(StreamBody::new(stream::iter(pieces)))
}

/// Ten server-sent events.
fn ticks() -> Body {
    let ticks = stream::iter(1..=10).then(async |tick| {
        sleep(Duration::from_millis(100)).await;
        Ok(Frame::data(format!("data: {tick}\n\n").into()))
    });
    Box::pin(StreamBody::new(ticks))
}

/// Swallows a body and answers with its length and checksum, which is FNV-1a of 64 bits.
async fn count(mut body: Body) -> Answer {
    let (mut length, mut sum) = (0, 0xcbf2_9ce4_8422_2325_u64);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let data = frame.into_data().unwrap_or_default();
        for byte in &data {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        length += data.len() as u64;
    }
    let answer = json!({ "length": length, "checksum": format!("{sum:016x}") });
    of_type(JSON, whole(answer.to_string()))
}

fn whole(body: impl Into<Bytes>) -> Body {
    Box::pin(Full::new(body.into()).map_err(Into::into))
}

fn just(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(whole(format!("{status}\n")));
    *response.status_mut() = status;
    response
}

fn of_type(kind: &'static str, body: Body) -> Answer {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}
