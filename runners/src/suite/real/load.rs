//! `http_hello` and clients that are a burden: that send a byte now and then, that vanish, that
//! come for one request only, or that are more than the process has descriptors for. Others are
//! served meanwhile.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::hello::HELLO;
use super::http::Connection;
use super::scene::Scene;

const LORISES: usize = 300;
/// A byte of it at a time.
const SLOW_REQUEST: &str = "GET /slow HTTP/1.1\r\nhost: here\r\n\r\n";
/// Under `--full` a byte of each comes so seldom.
const PAUSE: Duration = Duration::from_secs(2);

const VANISHING: usize = 400;
/// What they promise, and what they send of it: more than a server of this kind reads at once.
const VANISHING_BODY: usize = 1 << 20;
const VANISHING_PART: usize = 96 << 10;

/// Hundreds of requests that come byte by byte, in turns; a third of them never ends.
pub fn slow_loris(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_hello")?;
    let mut others = Connection::open_many(server.address, 4)?;
    serve(&mut others)?;
    server.leaves_nothing(|_| {
        let mut lorises = Connection::open_many(server.address, LORISES)?;
        let (last, rest) = SLOW_REQUEST.as_bytes().split_last().context("a request")?;
        for byte in rest {
            for loris in &mut lorises {
                loris.send([*byte])?;
            }
            serve(&mut others).context("beside the slow ones")?;
            if scene.full {
                thread::sleep(PAUSE);
            }
        }
        let vanishing = lorises.split_off(LORISES / 3 * 2);
        for loris in &mut lorises {
            loris.send([*last])?;
        }
        for (number, loris) in lorises.iter_mut().enumerate() {
            let response = loris
                .response()
                .with_context(|| format!("loris {number}"))?;
            ensure!(response.body == HELLO, "loris {number}: {response:?}");
        }
        for (number, loris) in vanishing.into_iter().enumerate() {
            if number % 2 == 0 {
                loris.reset()?;
            }
        }
        serve(&mut others).context("after they had gone")
    })
}

/// Clients that are gone in the middle of a body, with a reset or with an orderly end.
pub fn vanishing(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_hello")?;
    let mut others = Connection::open_many(server.address, 4)?;
    serve(&mut others)?;
    server.leaves_nothing(|_| {
        for number in 0..VANISHING {
            vanish(Connection::open(server.address)?, "/", number)?;
            if number % 20 == 0 {
                serve(&mut others).context("beside the vanishing ones")?;
            }
        }
        serve(&mut others)
    })
}

/// Begins a body and goes: every other one by a reset, and every fourth after some time.
pub fn vanish(mut connection: Connection, path: &str, number: usize) -> Result<()> {
    let length = VANISHING_BODY;
    let head = format!("POST {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {length}\r\n\r\n");
    connection.send(head)?;
    // A server that answers at once may close before it has read all this.
    let _ = connection.send(vec![b'x'; VANISHING_PART]);
    if number % 4 < 2 {
        connection.is_heard(Duration::from_millis(2))?;
    }
    if number % 2 == 0 {
        connection.reset()?;
    }
    Ok(())
}

/// A connection for each request, a hundred at a time.
pub fn one_request_each(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_hello")?;
    server.leaves_nothing(|_| {
        for _ in 0..30 {
            let mut clients = Connection::open_many(server.address, 100)?;
            for client in &mut clients {
                client.send("GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")?;
            }
            for mut client in clients {
                ensure!(client.response()?.body == HELLO);
                client.closed()?;
            }
        }
        Ok(())
    })
}

/// More clients come than the server's process has descriptors for: those inside are served, and
/// the others when they have gone.
pub fn full_table(scene: &Scene) -> Result<()> {
    const ROOM: usize = 40;
    let server = scene.serve("http_hello")?;
    serve(&mut [Connection::open(server.address)?])?;
    server.wait_until("asleep", || server.is_asleep())?;
    server.limit_descriptors(ROOM)?;
    server.leaves_nothing(|_| {
        // The kernel connects all of them; they are accepted in this order. One descriptor may go
        // to the library, for a socket of its own.
        let mut inside = Connection::open_many(server.address, ROOM + 30)?;
        let mut waiting = inside.split_off(ROOM - 1);
        for _ in 0..10 {
            serve(&mut inside).context("with a full table")?;
        }
        server.expect_rest().context("with a full table")?;
        drop(inside);
        serve(&mut waiting).context("after the others had gone")
    })
}

fn serve(connections: &mut [Connection]) -> Result<()> {
    for connection in connections {
        let body = connection.get("/")?;
        ensure!(body == HELLO, "{body:?}");
    }
    Ok(())
}
