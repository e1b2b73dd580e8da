//! `http_client`: what it prints, of the other examples and of a server that gives byte by byte.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::hello::HELLO;
use super::pipe::{self, PERIOD, Stream};
use super::scene::Scene;
use crate::demo::clients::payload;
use crate::process;
use crate::suite::watched::PATIENCE;

const LONG: u64 = 256 << 20;

pub fn http_client(scene: &Scene) -> Result<()> {
    let hello = format!("http://{}/", scene.serve("http_hello")?.address);
    refused(scene, &hello)?;
    let server = scene.serve("http_hello")?;
    let hello = format!("http://{}/", server.address);
    fetch(scene, &[&hello, &hello], &HELLO.repeat(2))?;
    fetch(scene, &["--post", "some text", &hello], HELLO)?;

    let service = scene.serve("http_service")?;
    let zeros = vec![b'0'; PERIOD];
    let down = Stream {
        block: &zeros,
        length: LONG,
    };
    let url = |path: &str| format!("http://{}/{path}", service.address);
    run(scene, &[&url(&format!("big/{LONG}"))], &[], down)?;

    let folder = scene.file("files");
    fs::create_dir_all(&folder).context("cannot create a folder")?;
    let (file, content) = (folder.join("file"), payload(5, 3_000_000));
    fs::write(&file, &content).context("cannot write a file")?;
    let file = format!("@{}", file.display());
    let echoed = Stream {
        block: &content,
        length: content.len() as u64,
    };
    run(scene, &["--post", &file, &url("echo")], &[&folder], echoed)?;
    slowly(scene)
}

/// Runs the client with these words, which must print just this.
fn fetch(scene: &Scene, words: &[&str], body: &[u8]) -> Result<()> {
    let length = body.len() as u64;
    run(
        scene,
        words,
        &[],
        Stream {
            block: body,
            length,
        },
    )
}

fn run(scene: &Scene, words: &[&str], folders: &[&Path], body: Stream) -> Result<()> {
    let mut client = scene.example("http_client", folders)?;
    let log = scene.file("http_client.log");
    let passed = pipe::pass(client.args(words), &log, (None, body), || Ok(()));
    passed.with_context(|| format!("http_client {words:?}"))
}

/// Where nobody listens any more.
fn refused(scene: &Scene, url: &str) -> Result<()> {
    let mut client = scene.example("http_client", &[])?;
    let log = scene.file("http_client-refused.log");
    let mut child = process::spawn_logged(client.arg(url), &log)?;
    let status = process::wait(&mut child, PATIENCE, || {})?.context("it hangs")?;
    let said = fs::read_to_string(&log).context("it says nothing")?;
    ensure!(status.code() == Some(1), "{status}:\n{said}");
    ensure!(said.contains("refused"), "{said}");
    Ok(())
}

/// Two answers over the only connection that is accepted, each byte on its own.
fn slowly(scene: &Scene) -> Result<()> {
    let answers = concat!(
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "4\r\nslow\r\n1\r\n,\r\n0\r\n\r\n",
    );
    let listener = TcpListener::bind("127.0.0.1:0").context("no port")?;
    let url = format!("http://{}/", listener.local_addr()?);
    thread::scope(|scope| {
        let server = scope.spawn(move || -> Result<()> {
            let (mut stream, _) = listener.accept().context("nobody comes")?;
            // Nobody who comes again is answered.
            drop(listener);
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            for _ in 0..2 {
                read_request(&mut stream)?;
                for byte in answers.bytes() {
                    stream.write_all(&[byte]).context("it reads no more")?;
                }
            }
            Ok(())
        });
        let fetched = fetch(scene, &[&url, &url], b"slow,slow,");
        fetched?;
        server.join().map_err(|_| anyhow!("a thread panicked"))?
    })
}

fn read_request(stream: &mut TcpStream) -> Result<()> {
    let mut come = Vec::new();
    while !come.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) => bail!("it ends in {:?}", String::from_utf8_lossy(&come)),
            Ok(_) => come.extend(byte),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("it asks nothing"),
        }
    }
    ensure!(come.starts_with(b"GET / HTTP/1.1\r\n"), "{come:?}");
    Ok(())
}
