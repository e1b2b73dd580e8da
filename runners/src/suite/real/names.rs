//! `udp_names`: questions and answers byte by byte, and datagrams that are no questions.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::scene::Scene;
use crate::demo::clients::payload;

/// The kinds of records that are asked for.
const A: u16 = 1;
const TXT: u16 = 16;

/// A name that is not there.
const NAME_ERROR: u8 = 3;

/// Questions from so many sockets, each so often.
const SOCKETS: usize = 50;
const ROUNDS: usize = 20;

/// A datagram may be lost, and is sent again then.
const TRIES: usize = 4;
const PAUSE: Duration = Duration::from_secs(2);

pub fn names(scene: &Scene) -> Result<()> {
    let server = scene.serve("udp_names")?;
    server.leaves_nothing(|_| {
        let sockets = (0..SOCKETS).map(|number| connected(2 + number as u8, server.address));
        let sockets = sockets.collect::<Result<Vec<UdpSocket>>>()?;
        for round in 0..ROUNDS {
            for (number, socket) in sockets.iter().enumerate() {
                // An answer that is late is none to a later question.
                let id = (round * SOCKETS + number) as u16;
                questions(socket, id).with_context(|| format!("socket {number}"))?;
            }
            noise(server.address, round as u64)?;
        }
        Ok(())
    })
}

/// A socket of a loopback address that nobody else here has.
fn connected(number: u8, to: SocketAddr) -> Result<UdpSocket> {
    let address = Ipv4Addr::new(127, 0, 0, number);
    let socket = UdpSocket::bind((address, 0)).context("cannot open a socket")?;
    socket.connect(to).context("cannot connect")?;
    socket.set_read_timeout(Some(PAUSE))?;
    Ok(socket)
}

fn questions(socket: &UdpSocket, id: u16) -> Result<()> {
    let (code, records) = ask(socket, id, "hello.example", A)?;
    ensure!(
        code == 0 && records.ends_with(&[0, 4, 192, 0, 2, 1]),
        "{records:?}"
    );
    // It is told its own address, which the server has of the datagram.
    let (code, records) = ask(socket, id, "ip.example", TXT)?;
    let own = socket.local_addr()?.ip().to_string();
    ensure!(
        code == 0 && records.ends_with(own.as_bytes()),
        "{records:?}"
    );
    let (code, records) = ask(socket, id, "none.example", A)?;
    ensure!(code == NAME_ERROR && records.is_empty(), "{records:?}");
    Ok(())
}

/// The code of the answer, and what follows the question in it.
fn ask(socket: &UdpSocket, id: u16, name: &str, kind: u16) -> Result<(u8, Vec<u8>)> {
    let query = query(id, name, kind);
    let mut buffer = [0; 1500];
    for _ in 0..TRIES {
        socket.send(&query).context("cannot send")?;
        loop {
            let length = match socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("no answer"),
            };
            let answer = &buffer[..length];
            ensure!(length >= query.len(), "a short answer: {answer:?}");
            // The rest of the head counts what follows.
            if answer[..2] == query[..2] && answer[12..query.len()] == query[12..] {
                ensure!(answer[2] & 0x80 != 0, "it is no answer: {answer:?}");
                return Ok((answer[3] & 0x0f, answer[query.len()..].to_vec()));
            }
        }
    }
    bail!("no answer to {name} in {TRIES} tries")
}

/// A question for one kind of records of a name.
fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    const RECURSION_DESIRED: u8 = 1;
    const INTERNET: u16 = 1;
    let mut query = id.to_be_bytes().to_vec();
    query.extend([RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.push(0);
    query.extend(kind.to_be_bytes());
    query.extend(INTERNET.to_be_bytes());
    query
}

/// What is no question, from senders that do not wait.
fn noise(to: SocketAddr, seed: u64) -> Result<()> {
    for size in [0, 1, 11, 12, 13, 100, 1232, 1233, 9000] {
        let socket = connected(1, to)?;
        let noise = payload(seed << 16 | size, size as usize);
        socket.send(&noise).context("cannot send noise")?;
        // Questions that are cut off, and whose answers find nobody.
        let query = query(7, "hello.example", A);
        for length in [query.len() - 1, query.len()] {
            socket.send(&query[..length]).context("cannot send")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_what_every_resolver_sends() {
        let question = query(0x0102, "a.example", A);
        assert_eq!(
            question,
            b"\x01\x02\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x01\0\x01"
        );
    }
}
