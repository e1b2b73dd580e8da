//! `redis_server` by Redis's own clients: what they read is compared, and what they say that they
//! have done is what the server must have.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};

use super::scene::{Scene, client};
use crate::prepare::tools::{REDIS_BENCHMARK, REDIS_CLI};
use crate::process;
use crate::suite::watched::PATIENCE;

/// Requests of each kind in a load.
const REQUESTS: u64 = 50_000;

/// Commands in the order in which they are given, and what is answered.
const DIALOGUE: [(&[&str], &str); 14] = [
    (&["ping"], "PONG"),
    (&["echo", "some words"], "some words"),
    (&["set", "a", "line 1\nline 2"], "OK"),
    (&["get", "a"], "line 1\nline 2"),
    (&["get", "b"], ""),
    (&["incr", "n"], "1"),
    (&["incr", "n"], "2"),
    (
        &["incr", "a"],
        "ERR value is not an integer or out of range\n",
    ),
    (&["mset", "b", "1", "c", "2"], "OK"),
    (&["get", "c"], "2"),
    (&["lpush", "l", "x", "y"], "2"),
    (&["lrange", "l", "0", "-1"], "y\nx"),
    (&["del", "a", "b", "c", "n", "l"], "5"),
    (&["get", "n"], ""),
];

pub fn by_redis(scene: &Scene) -> Result<()> {
    let server = scene.serve("redis_server")?;
    let to = server.address;
    server.leaves_nothing(|_| {
        for (words, right) in DIALOGUE {
            expect(to, words, right)?;
        }
        server.note(&benchmark(to)?)?;
        // All of them have come, and none twice.
        let count = REQUESTS.to_string();
        expect(to, &["get", "counter:__rand_int__"], &count)?;
        expect(to, &["llen", "mylist"], &count)?;
        expect(to, &["del", "counter:__rand_int__", "mylist"], "2")
    })
}

/// What is no command, or one that is cut off; others are served meanwhile.
pub fn malformed(scene: &Scene) -> Result<()> {
    const NOISE: [&[u8]; 8] = [
        b"*-1\r\n",
        b"*1000000000\r\n$3\r\nGET\r\n",
        b"*1\r\n$1000000000000\r\nx",
        b"*2\r\n$3\r\nGET\r\n",
        b"*1\r\n$4\r\nPINGPONG\r\n",
        b"*1\r\n:4\r\n",
        b"\xff\xfe\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: here\r\n\r\n",
    ];
    let server = scene.serve("redis_server")?;
    let open = || TcpStream::connect_timeout(&server.address, PATIENCE).context("cannot connect");
    let mut other = open()?;
    other.set_read_timeout(Some(PATIENCE))?;
    let mut ping = || -> Result<()> {
        other.write_all(b"PING\r\n*1\r\n$4\r\nPING\r\n")?;
        let mut answers = [0; 14];
        other.read_exact(&mut answers).context("no answer")?;
        ensure!(&answers == b"+PONG\r\n+PONG\r\n", "{answers:?}");
        Ok(())
    };
    ping()?;
    server.leaves_nothing(|_| {
        for _ in 0..20 {
            for noise in NOISE {
                // It is not read to the end, and may be refused before it is sent.
                let _ = open()?.write_all(noise);
            }
            let part = [
                &b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9000000\r\n"[..],
                &[b'x'; 90_000],
            ];
            open()?.write_all(&part.concat())?;
            ping()?;
        }
        Ok(())
    })
}

fn expect(to: SocketAddr, words: &[&str], right: &str) -> Result<()> {
    let mut cli = client(REDIS_CLI)?;
    cli.args(["-h", &to.ip().to_string(), "-p", &to.port().to_string()]);
    let said = process::quiet(cli.args(words))?;
    let said = said.strip_suffix('\n').unwrap_or(&said);
    ensure!(said == right, "{words:?}: {said:?}, and not {right:?}");
    Ok(())
}

/// Five kinds of requests, sixteen in each write, over fifty connections. The answer is how many of
/// each went through in a second.
fn benchmark(to: SocketAddr) -> Result<String> {
    let mut benchmark = client(REDIS_BENCHMARK)?;
    benchmark.args(["-h", &to.ip().to_string(), "-p", &to.port().to_string()]);
    benchmark.args(["-P", "16", "-q", "-t", "set,get,incr,lpush,mset"]);
    benchmark.args(["-n", &REQUESTS.to_string()]);
    let said = process::quiet(&mut benchmark).context("redis-benchmark")?;
    // What it shows meanwhile ends in a carriage return each.
    let figures = said.split(['\r', '\n']);
    let figures: Vec<&str> = figures.filter(|line| line.contains("per second")).collect();
    ensure!(figures.len() == 5 && !said.contains("rror"), "{said}");
    Ok(figures.join("; "))
}
