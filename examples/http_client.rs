//! An HTTP/1.1 client of hyper and tokio: one source for a guest in WasmEdge and for Linux.
//!
//! ```sh
//! cargo guest run --release --example http_client -- http://127.0.0.1:8080/items
//! cargo run --release --example http_client -- http://127.0.0.1:8080/items
//! cargo run --release --example http_client -- --post 'some text' http://127.0.0.1:8080/echo
//! ```
//!
//! It fetches what it is given, one URL after the other, and those of one server over one
//! connection. Status and headers go to standard error, and bodies to standard output, no faster
//! than that takes them. With `--post TEXT` or `--post @FILE` it posts that to each. A guest sees
//! only the folders that its host lends it: `MIO_WASI_HOST_ARGS='--dir .' cargo guest run …` lends
//! the current one.
//!
//! A server to try it with is the example `http_service`.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::iter;
// std finds no address by name on WASI; WasmEdge does when it is asked, as this crate can.
#[cfg(not(target_os = "wasi"))]
use std::net::ToSocketAddrs;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::http::uri::Authority;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use mio::handover;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::timeout;
#[cfg(target_os = "wasi")]
use wasmedge_wasi_socket::ToSocketAddrs;

const CONNECTING: Duration = Duration::from_secs(10);
/// An exchange in which nothing has moved for so long, or up to twice as long, is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// A file is sent in pieces of this many bytes.
const PIECE: usize = 64 * 1024;

type Body = Pin<Box<dyn hyper::body::Body<Data = Bytes, Error = Error>>>;
/// A connection that can serve again, and where it leads.
type Kept = Option<(Authority, SendRequest<Body>)>;

#[tokio::main(flavor = "local")]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    let post = words.next_if_eq("--post").and_then(|_| words.next());
    let usage = "usage: http_client [--post TEXT|@FILE] URL...";
    ensure!(words.peek().is_some(), usage);
    let mut kept = None;
    for url in words {
        let fetched = fetch(&url, post.as_deref(), &mut kept).await;
        fetched.with_context(|| format!("cannot fetch {url}"))?;
    }
    Ok(())
}

async fn fetch(url: &str, post: Option<&str>, kept: &mut Kept) -> Result<()> {
    let uri: Uri = url.parse()?;
    ensure!(
        uri.scheme_str() == Some("http"),
        "only http:// is spoken here"
    );
    let server = uri.authority().context("it names no server")?.clone();
    ensure!(!server.as_str().contains('@'), "passwords are not sent");
    let moved = Rc::new(Cell::new(false));
    let request = Request::builder()
        .method(if post.is_some() { "POST" } else { "GET" })
        .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, server.as_str());
    let request = match post.and_then(|post| post.strip_prefix('@')) {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("cannot open {path}"))?;
            let length = file.metadata()?.len();
            let body = pieces(file.take(length), moved.clone());
            request.header(CONTENT_LENGTH, length).body(body)?
        }
        None => {
            let text = Full::from(post.unwrap_or_default().to_owned());
            request.body(Box::pin(text.map_err(Into::into)) as Body)?
        }
    };
    let reused = match kept.take() {
        Some((to, sender)) if to == server => usable(sender).await,
        _ => None,
    };
    let mut sender = match reused {
        Some(sender) => sender,
        None => connect(&server).await?,
    };
    let response = patiently(sender.send_request(request), &moved).await??;
    print(response, &moved).await?;
    *kept = Some((server, sender));
    Ok(())
}

/// The connection, unless its server has closed it or does not take the rest of a body.
async fn usable(mut sender: SendRequest<Body>) -> Option<SendRequest<Body>> {
    timeout(CONNECTING, sender.ready()).await.ok()?.ok()?;
    Some(sender)
}

/// Connects to the first address of the server that can be reached.
async fn connect(server: &Authority) -> Result<SendRequest<Body>> {
    // An IPv6 address has brackets in an URL.
    let host = server.host().trim_matches(['[', ']']);
    let port = match server.port_u16() {
        Some(port) => port,
        None if server.as_str() == server.host() => 80,
        None => bail!("its port is no number up to 65535"),
    };
    let addresses = (host, port).to_socket_addrs();
    let mut error = None;
    for address in addresses.with_context(|| format!("no address is known for {host}"))? {
        let attempt = handover::connect(address, TcpStream::from_std, TcpStream::writable);
        let stream = match timeout(CONNECTING, attempt).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(refusal)) => {
                error = Some(Error::new(refusal).context(format!("cannot connect to {address}")));
                continue;
            }
            Err(_) => {
                error = Some(Error::msg(format!("nobody answers at {address}")));
                continue;
            }
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // An error of the connection is told to who waits for an answer.
        spawn_local(connection);
        return Ok(sender);
    }
    Err(error.unwrap_or_else(|| Error::msg(format!("{host} has no address"))))
}

/// Waits for `what` as long as something moves.
async fn patiently<T>(what: impl Future<Output = T>, moved: &Cell<bool>) -> Result<T> {
    let mut what = pin!(what);
    loop {
        match timeout(PATIENCE, &mut what).await {
            Ok(done) => return Ok(done),
            Err(_) if moved.take() => {}
            Err(_) => bail!("the server is silent"),
        }
    }
}

/// Passes a response on. While standard output blocks nothing is read: the server has to wait.
async fn print(response: Response<Incoming>, moved: &Cell<bool>) -> Result<()> {
    eprintln!("{:?} {}", response.version(), response.status());
    for (name, value) in response.headers() {
        eprintln!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    eprintln!();
    let mut body = response.into_body();
    while let Some(frame) = patiently(body.frame(), moved).await? {
        if let Some(data) = frame?.data_ref() {
            io::stdout().write_all(data)?;
        }
    }
    Ok(io::stdout().flush()?)
}

/// A body that is read piece by piece, whenever the server has room for one; each sets `moved`.
fn pieces(mut from: impl Read + 'static, moved: Rc<Cell<bool>>) -> Body {
    let pieces = iter::from_fn(move || {
        moved.set(true);
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
