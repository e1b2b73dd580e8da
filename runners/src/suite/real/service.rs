//! `http_service`: its JSON, its files, bodies that come back, streams of a gibibyte, clients that
//! vanish in the middle of one, and its graceful end; and the same through `http_proxy`.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::curl::{self, curl};
use super::hello::PIPELINED;
use super::http::Connection;
use super::load::vanish;
use super::pipe::{self, PERIOD, Stream};
use super::program::{Program, Turn};
use super::scene::Scene;
use crate::demo::clients::{checksum, compare, payload};

/// What is streamed: to see that memory does not grow with it, until the server has grown to its
/// size, and where a little will do.
const LONG: u64 = 1 << 30;
const SHORT: u64 = 16 << 20;

/// By how much a server may grow while a stream passes. One that did not wait for who reads slowly
/// would hold a good part of it.
const SWELL: u64 = 8 << 20;

const VANISHING: usize = 200;

/// The store, a folder and a checksum; and what is not there.
pub fn by_curl(scene: &Scene) -> Result<()> {
    let folder = scene.file("files");
    fs::create_dir_all(&folder).context("cannot create a folder")?;
    let content = payload(1, 300_000);
    let texts = [
        (folder.join("file"), &content[..]),
        (scene.file("outside"), b"secret"),
    ];
    for (path, content) in texts {
        fs::write(path, content).context("cannot write a file")?;
    }
    let args = ["--files", &folder.to_string_lossy()];
    let server = scene.serve_with("http_service", &args, &[&folder])?;
    server.leaves_nothing(|_| {
        let item = r#"{"a": [1, 2.5, "drei"]}"#;
        let created = ask(&server, &["-X", "PUT", "--data", item], "items/one")?;
        ensure!(created.ends_with(" 201"), "{created}");
        expect(&server, &[], "items/one", &format!("{item} 200"))?;
        expect(&server, &[], "items", r#"["one"] 200"#)?;
        let refused = ask(&server, &["-X", "PUT", "--data", "no JSON"], "items/two")?;
        ensure!(refused.ends_with(" 400"), "{refused}");
        let gone = ask(&server, &["-X", "DELETE"], "items/one")?;
        ensure!(gone.ends_with(" 200"), "{gone}");

        let sum = checksum(&content);
        let sum = format!(
            r#"{{"checksum":"{sum:016x}","length":{}}} 200"#,
            content.len()
        );
        let file = format!("@{}", folder.join("file").display());
        expect(&server, &["--data-binary", &file], "count", &sum)?;

        for path in [
            "items/one",
            "files/none",
            "files/../outside",
            "files/",
            "nothing",
        ] {
            let told = ask(&server, &["--path-as-is"], path)?;
            ensure!(told.ends_with(" 404"), "{path}: {told}");
        }
        let mut connection = Connection::open(server.address)?;
        compare(&content, &connection.get("/files/file")?).context("a file")
    })
}

/// The body that curl gets, a blank and the status.
fn ask(server: &Program, words: &[&str], path: &str) -> Result<String> {
    let url = format!("http://{}/{path}", server.address);
    curl(&[words, &["-w", " %{http_code}", &url]].concat())
}

fn expect(server: &Program, words: &[&str], path: &str, right: &str) -> Result<()> {
    let told = ask(server, words, path)?;
    ensure!(told == right, "{path}: {told}, and not {right}");
    Ok(())
}

/// Bodies of all sizes that come back: fifty in one write, and one in chunks, byte by byte.
pub fn bodies(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_service")?;
    server.leaves_nothing(|_| echo_bodies(server.address))
}

fn echo_bodies(to: SocketAddr) -> Result<()> {
    let body = |number: usize| payload(number as u64, number * number * 7);
    let mut requests = Vec::new();
    for body in (0..PIPELINED).map(body) {
        let length = body.len();
        let head = format!("POST /echo HTTP/1.1\r\nhost: here\r\ncontent-length: {length}\r\n\r\n");
        requests.extend(head.bytes());
        requests.extend(body);
    }
    let mut connection = Connection::open(to)?;
    connection.send(requests)?;
    for number in 0..PIPELINED {
        let response = connection.response().context("one of many")?;
        ensure!(response.head.status == 200, "{:?}", response.head);
        compare(&body(number), &response.body).with_context(|| format!("body {number}"))?;
    }
    let mut slow = Connection::open(to)?;
    for byte in concat!(
        "POST /echo HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n",
        "5;extension=1\r\nhello\r\n7\r\n, world\r\n0\r\ntrailer: yes\r\n\r\n",
        "GET /items HTTP/1.1\r\nhost: here\r\n\r\n",
    )
    .bytes()
    {
        slow.send([byte])?;
    }
    let response = slow.response().context("byte by byte")?;
    ensure!(response.body == b"hello, world", "{response:?}");
    let response = slow.response().context("after chunks")?;
    ensure!(response.body == b"[]", "{response:?}");
    Ok(())
}

/// A gibibyte comes, and another goes there and back: each byte is compared.
pub fn gibibyte(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_service")?;
    server.leaves_nothing(|turn| {
        let length = match turn {
            Turn::WarmUp => SHORT,
            Turn::Last => LONG,
        };
        stream(scene, server.address, length, &[&server])
    })
}

/// Streams so much from the server at `to`, and so much there and back; none of the programs that
/// it passes may swell.
fn stream(scene: &Scene, to: SocketAddr, length: u64, by: &[&Program]) -> Result<()> {
    let mut before = Vec::new();
    for program in by {
        before.push(program.resident()?);
    }
    let glance = || {
        for (program, before) in by.iter().zip(&before) {
            let swell = program.resident()?.saturating_sub(*before);
            ensure!(
                length <= SHORT || swell <= SWELL,
                "it swells by {swell} bytes"
            );
        }
        Ok(())
    };
    let log = scene.file("curl.log");
    let zeros = vec![b'0'; PERIOD];
    let block = &zeros;
    let down = Stream { block, length };
    let mut get = curl::command()?;
    get.arg("--fail").arg(format!("http://{to}/big/{length}"));
    pipe::pass(&mut get, &log, (None, down), glance)?;

    let block = &payload(length, PERIOD);
    let both = Stream { block, length };
    let mut post = curl::command()?;
    post.args(["--fail", "-X", "POST", "-T", "-"]);
    post.arg(format!("http://{to}/echo"));
    pipe::pass(&mut post, &log, (Some(both), both), glance)
}

/// Clients that are gone in the middle of what they send, and of what they get.
pub fn vanishing(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_service")?;
    server.leaves_nothing(|turn| {
        vanish_many(server.address)?;
        // These do not read what they have asked for, until they go too.
        let mut idle = Connection::open_many(server.address, 50)?;
        for reader in &mut idle {
            reader.send("GET /big/1000000000 HTTP/1.1\r\nhost: here\r\n\r\n")?;
        }
        for reader in &mut idle {
            ensure!(reader.head()?.status == 200);
        }
        match turn {
            Turn::WarmUp => Ok(()),
            Turn::Last => server
                .expect_rest()
                .context("with readers that do not read"),
        }
    })
}

fn vanish_many(to: SocketAddr) -> Result<()> {
    let mut other = Connection::open(to)?;
    for number in 0..VANISHING {
        vanish(Connection::open(to)?, "/echo", number)?;
        let mut reader = Connection::open(to)?;
        reader.send("GET /big/1000000000 HTTP/1.1\r\nhost: here\r\n\r\n")?;
        if number % 4 < 2 {
            ensure!(reader.head()?.status == 200);
        }
        if number % 2 == 0 {
            reader.reset()?;
        }
        if number % 20 == 0 {
            ensure!(other.get("/items")? == b"[]");
        }
    }
    Ok(())
}

/// Heads that never end: this server gives them up, and serves others meanwhile.
pub fn slow_loris(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_service")?;
    let before = server.sockets()?;
    let mut lorises = Connection::open_many(server.address, 300)?;
    for loris in &mut lorises {
        loris.send("GET /items HTTP/1.1\r\nslow: ")?;
    }
    for _ in 0..10 {
        for loris in &mut lorises {
            // Some may be given up already.
            let _ = loris.send("x");
        }
        let other = Connection::open(server.address)?.get("/items");
        ensure!(other? == b"[]");
        thread::sleep(Duration::from_millis(200));
    }
    for (number, loris) in lorises.into_iter().enumerate() {
        loris.closed().with_context(|| format!("loris {number}"))?;
    }
    server.has_sockets(before)?;
    server.expect_rest()
}

/// Who is asked to end takes no more connections, finishes what it has begun, and ends well.
pub fn graceful_end(scene: &Scene) -> Result<()> {
    const LENGTH: usize = 50_000_000;
    let mut server = scene.serve("http_service")?;
    let mut idle = Connection::open(server.address)?;
    ensure!(idle.get("/items")? == b"[]");
    let mut reader = Connection::open(server.address)?;
    reader.send(format!("GET /big/{LENGTH} HTTP/1.1\r\nhost: here\r\n\r\n"))?;
    ensure!(reader.is_heard(Duration::from_secs(10))?, "no answer");

    let told = ask(&server, &["-X", "POST"], "shutdown")?;
    ensure!(told.ends_with(" 202"), "{told}");
    idle.closed().context("a connection that is idle")?;
    let refused = Connection::open(server.address);
    ensure!(refused.is_err(), "it takes connections after its end");
    let body = reader.response()?.body;
    ensure!(body == vec![b'0'; LENGTH], "{} bytes came", body.len());
    drop(reader);
    let status = server.ends()?;
    ensure!(status.success(), "{status}:\n{}", server.printed()?);
    Ok(())
}

/// The proxy in front of the service does as the service does, and tells when there is none.
pub fn through_proxy(scene: &Scene) -> Result<()> {
    let service = scene.serve("http_service")?;
    let upstream = service.address.to_string();
    let proxy = scene.serve_with("http_proxy", &[&upstream], &[])?;
    proxy.leaves_nothing(|turn| {
        expect(
            &proxy,
            &["-X", "DELETE"],
            "items/none",
            "404 Not Found\n 404",
        )?;
        echo_bodies(proxy.address)?;
        vanish_many(proxy.address)?;
        let length = match turn {
            Turn::WarmUp => SHORT,
            Turn::Last => LONG / 8,
        };
        stream(scene, proxy.address, length, &[&proxy, &service])
    })?;
    drop(service);
    let told = ask(&proxy, &[], "items")?;
    ensure!(told.ends_with(" 502"), "{told}");
    // Nobody listens there either: the kernel gave the port away and takes it back.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .context("no port")?
        .local_addr()?;
    let proxy = scene.serve_with("http_proxy", &[&nobody.to_string()], &[])?;
    let told = ask(&proxy, &["--data", "a body"], "echo")?;
    ensure!(told.ends_with(" 502"), "{told}");
    Ok(())
}
