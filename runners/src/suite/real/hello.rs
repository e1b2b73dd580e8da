//! `http_hello` and the protocol: what curl sees, and what only a client down to the bytes can ask.

use anyhow::{Context, Result, ensure};

use super::curl::curl;
use super::http::Connection;
use super::scene::Scene;

pub const HELLO: &[u8] = b"hello, world\n";
pub const PIPELINED: usize = 50;

/// What ends a request and what begins the next: one that the server must take for no request.
const MALFORMED: [(&str, &[u8]); 6] = [
    ("no words", b"\r\nnonsense\r\n\r\n"),
    ("no version", b"GET /\r\n\r\n"),
    ("another protocol", b"GET / SPDY/3\r\n\r\n"),
    (
        "a header without a name",
        b"GET / HTTP/1.1\r\n: here\r\n\r\n",
    ),
    (
        "a length that is none",
        b"GET / HTTP/1.1\r\ncontent-length: few\r\n\r\n",
    ),
    (
        "the first bytes of TLS",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ),
];

/// Headers, a connection that is kept, the old version, no body, a body in chunks.
pub fn by_curl(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_hello")?;
    let url = format!("http://{}/", server.address);
    server.leaves_nothing(|_| {
        let told = curl(&["-i", &url])?;
        let (head, body) = told.split_once("\n\n").context("no head")?;
        ensure!(head.starts_with("HTTP/1.1 200 OK\n"), "{told}");
        ensure!(head.contains("\ncontent-length: 13\n"), "{told}");
        ensure!(head.contains("\ndate: "), "{told}");
        ensure!(body.as_bytes() == HELLO, "{told}");

        let told = curl(&["-w", "%{num_connects}\n", &url, &url])?;
        let once = "hello, world\n1\nhello, world\n0\n";
        ensure!(told == once, "two requests over one connection: {told}");

        let told = curl(&["-0", "-i", &url])?;
        ensure!(told.starts_with("HTTP/1.0 200 OK\n"), "{told}");
        ensure!(told.ends_with("\n\nhello, world\n"), "{told}");

        let told = curl(&["--head", &url])?;
        ensure!(told.starts_with("HTTP/1.1 200 OK\n"), "{told}");
        ensure!(told.contains("\ncontent-length: 13\n"), "{told}");
        ensure!(
            told.ends_with("\n\n"),
            "an answer to HEAD has a body: {told}"
        );

        let chunks = ["-H", "transfer-encoding: chunked", "--data", "some words"];
        let told = curl(&[&chunks[..], &[&url]].concat())?;
        ensure!(told.as_bytes() == HELLO, "{told}");
        Ok(())
    })
}

/// Whether the request of that number asks for the head alone. No two stretches are alike, so an
/// answer in another's place has a body where none belongs, or the other way round.
fn is_head(number: usize) -> bool {
    number.wrapping_mul(0x9e37_79b9) >> 7 & 1 == 1
}

pub fn pipelined(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_hello")?;
    let requests: String = (0..PIPELINED)
        .map(|number| {
            let method = if is_head(number) { "HEAD" } else { "GET" };
            format!("{method} /{number} HTTP/1.1\r\nhost: here\r\n\r\n")
        })
        .collect();
    server.leaves_nothing(|_| {
        let mut connection = Connection::open(server.address)?;
        connection.send(&requests)?;
        for number in 0..PIPELINED {
            let answered = answer(&mut connection, is_head(number));
            answered.with_context(|| format!("request {number}"))?;
        }
        connection.send("GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")?;
        answer(&mut connection, false)?;
        connection.closed()
    })
}

fn answer(connection: &mut Connection, is_head: bool) -> Result<()> {
    if is_head {
        let head = connection.head()?;
        ensure!(head.status == 200, "{head:?}");
        ensure!(head.header("content-length") == Some("13"), "{head:?}");
    } else {
        let response = connection.response()?;
        ensure!(response.head.status == 200, "{response:?}");
        ensure!(response.body == HELLO, "{response:?}");
    }
    Ok(())
}

/// A body in chunks, whole and byte by byte. This server does not want it: hyper answers, and may
/// close the connection rather than read on.
pub fn chunked(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_hello")?;
    let post = "POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n";
    let body = "5;extension=1\r\nhello\r\n7\r\n, world\r\n0\r\ntrailer: yes\r\n\r\n";
    server.leaves_nothing(|_| {
        let mut connection = Connection::open(server.address)?;
        connection.send([post, body].concat())?;
        answer(&mut connection, false)?;

        let mut connection = Connection::open(server.address)?;
        for byte in post.bytes() {
            connection.send([byte])?;
        }
        answer(&mut connection, false)?;
        for byte in body.bytes() {
            // It may be closed already.
            let _ = connection.send([byte]);
        }
        let mut connection = Connection::open(server.address)?;
        ensure!(connection.get("/")? == HELLO);
        Ok(())
    })
}

/// Each is answered with 400, and its connection closed; others are served.
pub fn malformed(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_hello")?;
    let mut other = Connection::open(server.address)?;
    ensure!(other.get("/")? == HELLO);
    let long = [b"GET / HTTP/1.1\r\nlong: ".as_slice(), &[b'x'; 1 << 20]].concat();
    server.leaves_nothing(|_| {
        for (what, request) in MALFORMED {
            let mut connection = Connection::open(server.address)?;
            connection.send(request)?;
            let response = connection.response().context(what)?;
            ensure!(response.head.status == 400, "{what}: {response:?}");
            connection.closed().context(what)?;
            ensure!(other.get("/")? == HELLO);
        }
        let mut connection = Connection::open(server.address)?;
        // The server may close before it has read all of it.
        let _ = connection.send(&long);
        ensure!(other.get("/")? == HELLO);
        Ok(())
    })
}
