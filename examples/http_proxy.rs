//! A reverse proxy for HTTP/1.1 of hyper and tokio: one source for a guest in WasmEdge and for
//! Linux.
//!
//! ```sh
//! cargo guest run --release --example http_proxy -- 127.0.0.1:8081 127.0.0.1:8080
//! cargo run --release --example http_proxy -- 127.0.0.1:8081 127.0.0.1:8080
//! ```
//!
//! It serves at the first address what the server at the second one has; the example `http_service`
//! makes one. Both bodies are passed on as they come, so memory does not grow with them. A third
//! argument is how many seconds it waits for a server, or a client, that is silent; by default 60.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use futures_util::stream::{self, StreamExt};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use mio::handover;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{spawn_local, yield_now};
use tokio::time::{sleep, timeout};

/// How long a connection to the upstream server may take to come about.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long a client may take over the head of a request, and wait before the next one.
const HEAD: Duration = Duration::from_secs(30);
/// Both bodies wait in buffers of about this size.
const BUFFER: usize = 64 * 1024;
/// So many unused connections to the upstream server are kept at most.
const IDLE: usize = 64;

/// What concerns one connection only, and is not to be passed on.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

type Body = Pin<Box<dyn hyper::body::Body<Data = Bytes, Error = Error>>>;

#[tokio::main(flavor = "local")]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mut word = |default: &str| words.next().unwrap_or(default.into());
    let address: SocketAddr = word("127.0.0.1:8081")
        .parse()
        .context("LISTEN: ADDRESS:PORT")?;
    let upstream = word("127.0.0.1:8080")
        .parse()
        .context("UPSTREAM: ADDRESS:PORT")?;
    let seconds: u32 = word("60").parse().context("SECONDS: a number")?;
    let listener = handover::bind(address, TcpListener::from_std)?;
    let address = listener.local_addr()?;
    println!("listening tcp {address}");
    println!("try: curl -i http://{address}/");
    let patience = Duration::from_secs(seconds.into());
    let idle = RefCell::default();
    let proxy = Rc::new(Proxy {
        upstream,
        patience,
        idle,
    });
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(spawn_local(serve(proxy.clone(), stream, peer.ip()))),
            // Perhaps there is no descriptor left: some connection has to end first.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Serves one connection.
async fn serve(proxy: Rc<Proxy>, stream: TcpStream, client: IpAddr) {
    // Where the host can do it, small pieces are passed on at once.
    let _ = stream.set_nodelay(true);
    let patience = proxy.patience;
    let moved = Rc::new(Cell::new(0));
    let moves = moved.clone();
    let answer = service_fn(move |request: Request<Incoming>| {
        let (proxy, moved) = (proxy.clone(), moves.clone());
        async move {
            let answer = proxy.answer(request, client, &moved).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|status| {
                let text = Full::from(format!("{status}\n")).map_err(Into::into);
                let mut response = Response::new(Box::pin(text) as Body);
                *response.status_mut() = status;
                response
            }))
        }
    });
    let connection = server::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answer);
    // What ends a connection early is its client's matter. With it ends what was asked of the
    // upstream server for it. A silent server is to be answered for first: so twice the patience.
    while_moving(connection, 2 * patience, &moved).await;
}

/// Drives `what` to its end, or until nothing has moved for `patience` and up to twice as long.
async fn while_moving<T>(
    what: impl Future<Output = T>,
    patience: Duration,
    moved: &Cell<u64>,
) -> Option<T> {
    let mut what = pin!(what);
    loop {
        let before = moved.get();
        match timeout(patience, &mut what).await {
            Ok(done) => return Some(done),
            Err(_) if moved.get() == before => return None,
            Err(_) => {}
        }
    }
}

/// A body whose pieces, as they pass, are counted in `moved`.
fn watched(body: Incoming, moved: &Rc<Cell<u64>>) -> Body {
    let moved = moved.clone();
    moved.set(moved.get() + 1);
    let body = body.map_err(Into::into);
    Box::pin(body.inspect_frame(move |_| moved.set(moved.get() + 1)))
}

/// A body with the pieces in front that are here already. Most bodies are so in full, and then they
/// leave with the head at once. WasmEdge has no `TCP_NODELAY`: an end that followed would wait
/// until the client acknowledges what came before, which takes 40 ms.
async fn gathered(mut body: Body) -> Body {
    let mut here = Vec::new();
    while here.len() < 4 {
        tokio::select! {
            biased;
            frame = body.frame() => match frame {
                Some(frame) => here.push(frame),
                None => return Box::pin(StreamBody::new(stream::iter(here))),
            },
            // Whoever reads the connection had a turn.
            () = yield_now() => break,
        }
    }
    let here = stream::iter(here);
    Box::pin(StreamBody::new(here.chain(BodyStream::new(body))))
}

struct Proxy {
    upstream: SocketAddr,
    patience: Duration,
    /// Connections to the upstream server, each ready for a request.
    idle: RefCell<Vec<SendRequest<Body>>>,
}

impl Proxy {
    /// Passes a request on, and its response back.
    async fn answer(
        self: &Rc<Proxy>,
        request: Request<Incoming>,
        client: IpAddr,
        moved: &Rc<Cell<u64>>,
    ) -> Result<Response<Body>, StatusCode> {
        let mut request = self
            .rewritten(request, client)?
            .map(|body| watched(body, moved));
        loop {
            let kept = self.idle.borrow_mut().pop();
            let new = kept.is_none();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.connect().await?,
            };
            let sent = sender.try_send_request(request);
            let sent = while_moving(sent, self.patience, moved).await;
            match sent.ok_or(StatusCode::GATEWAY_TIMEOUT)? {
                Ok(mut response) => {
                    spawn_local(self.clone().keep(sender));
                    strip(response.headers_mut());
                    *response.version_mut() = Version::HTTP_11;
                    let (head, body) = response.into_parts();
                    let body = gathered(watched(body, moved)).await;
                    return Ok(Response::from_parts(head, body));
                }
                // The server had closed a kept connection before anything was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !new => request = unsent,
                    _ => return Err(StatusCode::BAD_GATEWAY),
                },
            }
        }
    }

    /// The request as the upstream server is to see it.
    fn rewritten(
        &self,
        mut request: Request<Incoming>,
        client: IpAddr,
    ) -> Result<Request<Incoming>, StatusCode> {
        if request.method() == Method::CONNECT {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let uri = request.uri().clone();
        let path = uri.path_and_query().ok_or(StatusCode::BAD_REQUEST)?;
        *request.uri_mut() = Uri::from(path.clone());
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        strip(headers);
        // hyper answers it, when the body is wanted.
        headers.remove(header::EXPECT);
        if let Some(authority) = uri.authority() {
            headers.insert(header::HOST, value(authority)?);
        } else if !headers.contains_key(header::HOST) {
            headers.insert(header::HOST, value(self.upstream)?);
        }
        headers.append(FORWARDED_FOR, value(client)?);
        Ok(request)
    }

    async fn connect(&self) -> Result<SendRequest<Body>, StatusCode> {
        let attempt = handover::connect(self.upstream, TcpStream::from_std, TcpStream::writable);
        let attempt = timeout(CONNECTING, attempt).await;
        let stream = attempt.map_err(|_| StatusCode::GATEWAY_TIMEOUT)?;
        let stream = stream.map_err(|_| StatusCode::BAD_GATEWAY)?;
        let _ = stream.set_nodelay(true);
        let mut http = client::Builder::new();
        let connection = http
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = connection.map_err(|_| StatusCode::BAD_GATEWAY)?;
        // An error of the connection is told to who waits for a response.
        spawn_local(connection);
        Ok(sender)
    }

    /// Keeps a connection for other requests, once the last bodies have passed.
    async fn keep(self: Rc<Proxy>, mut sender: SendRequest<Body>) {
        let ready = sender.ready().await.is_ok();
        let mut idle = self.idle.borrow_mut();
        if ready && idle.len() < IDLE {
            idle.push(sender);
        }
    }
}

/// Removes what is between two neighbours only, their own names for it included.
fn strip(headers: &mut HeaderMap) {
    // Beside an encoding, a length says nothing.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    let named = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.to_str());
    let named = named.flat_map(|value| value.split(','));
    let named: Vec<HeaderName> = named.flat_map(|name| name.trim().parse()).collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn value(text: impl ToString) -> Result<HeaderValue, StatusCode> {
    HeaderValue::try_from(text.to_string()).map_err(|_| StatusCode::BAD_REQUEST)
}
