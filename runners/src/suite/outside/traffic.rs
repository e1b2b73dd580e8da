//! Scenarios of clients that behave badly, or are many, beside others that must not notice.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, Shutdown, UdpSocket};

use anyhow::{Context, Result, ensure};

use super::client::{Client, echo_all, echo_datagram, receive_all, send_all};
use super::guest::Guest;
use crate::demo::clients::{compare, payload};

/// More than the buffers on the way there and back take.
const BODY: usize = 64 << 20;

/// The kernel's state of a connection whose end it has sent, and the other end's kernel has.
const FIN_WAIT2: u8 = 5;

/// The guest has all of a body, and its end, but cannot send it all back yet. In WasmEdge (0.14 to
/// 0.17) such a connection ends every wait at once, with no event.
pub fn half_closed_and_slow(guest: &Guest) -> Result<()> {
    let before = guest.descriptors()?;
    let mut other = Client::connect(guest.tcp, 1)?;
    other.echo(1000)?;
    let mut slow = Client::connect(guest.tcp, 2)?;
    slow.limit_unread(64 << 10)?;
    let mut body = slow.bytes(BODY);
    let sent = slow.send_until_full(&body)?;
    body.truncate(sent);
    slow.stream.shutdown(Shutdown::Write)?;

    let mut received = Vec::with_capacity(sent);
    while state(&slow, guest)? != FIN_WAIT2 {
        read_some(&mut slow, &mut received)?;
        other.echo(100).context("beside a slow reader")?;
    }
    guest.expect_rest().context("with a half-closed peer")?;
    for _ in 0..20 {
        other.echo(1000).context("beside a slow reader")?;
    }
    let descriptors = guest.descriptors()?;
    ensure!(
        descriptors == before + 2,
        "the guest has {descriptors} descriptors: it did not wait for its peer"
    );
    while read_some(&mut slow, &mut received)? {
        ensure!(received.len() <= sent, "more came back than was sent");
    }
    compare(&body, &received)?;
    drop((slow, other));
    guest.wait_for_descriptors(before)?;
    guest.expect_rest()
}

/// Reads a little; says whether there was anything before the end.
fn read_some(client: &mut Client, received: &mut Vec<u8>) -> Result<bool> {
    let mut buffer = [0; 16 << 10];
    let count = client.stream.read(&mut buffer).context("no answer")?;
    received.extend(&buffer[..count]);
    Ok(count > 0)
}

/// The kernel's state of a client's end.
fn state(client: &Client, guest: &Guest) -> Result<u8> {
    let (from, to) = (client.stream.local_addr()?.port(), guest.tcp.port());
    let (from, to) = (format!(":{from:04X}"), format!(":{to:04X}"));
    let table = fs::read_to_string("/proc/net/tcp").context("no list of connections")?;
    let state = table.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (local, remote) = (words.next()?, words.next()?);
        let ours = local.ends_with(&from) && remote.ends_with(&to);
        ours.then(|| words.next()).flatten()
    });
    let state = state.context("the connection is gone")?;
    u8::from_str_radix(state, 16).context("a strange list of connections")
}

/// Clients that vanish while the guest has much to send to them.
pub fn reset_while_sending(guest: &Guest) -> Result<()> {
    let before = guest.descriptors()?;
    let mut others = Client::connect_many(guest.tcp, 10)?;
    echo_all(&mut others, 1000)?;
    for number in 0..4 {
        let mut vanishing = Client::connect(guest.tcp, 100 + number)?;
        let body = vanishing.bytes(BODY);
        let sent = send_all(&mut others, 3000)?;
        vanishing.send_until_full(&body)?;
        vanishing.reset()?;
        receive_all(&mut others, &sent)?;
        echo_all(&mut others, 3000)?;
    }
    guest.wait_for_descriptors(before + others.len())?;
    guest.expect_rest()?;
    echo_all(&mut others, 3000)
}

/// Datagrams whose senders are gone before the guest answers: its answers are refused.
pub fn refused_datagrams(guest: &Guest) -> Result<()> {
    let steady = connected(guest)?;
    echo_datagram(&steady, &payload(1, 1000))?;
    for round in 0..5 {
        guest.stop()?;
        for _ in 0..20 {
            connected(guest)?.send(b"nobody waits for the answer")?;
        }
        guest.proceed()?;
        echo_datagram(&steady, &payload(2 + round, 1000))?;
    }
    Client::connect(guest.tcp, 0)?.echo(1000)?;
    guest.expect_rest()?;
    echo_datagram(&steady, &payload(99, 1000))
}

fn connected(guest: &Guest) -> Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a socket")?;
    socket.connect(guest.udp).context("cannot connect")?;
    Ok(socket)
}

/// All are open at the same time, and all are heard in every round.
pub fn many_at_once(guest: &Guest) -> Result<()> {
    let before = guest.descriptors()?;
    let mut clients = Client::connect_many(guest.tcp, 300)?;
    for size in [1, 1000, 20_000, 64] {
        echo_all(&mut clients, size)?;
    }
    guest.wait_for_descriptors(before + clients.len())?;
    guest.expect_rest()?;
    echo_all(&mut clients, 100)?;
    for client in &mut clients {
        client.stream.shutdown(Shutdown::Write)?;
        let end = client.stream.read(&mut [0]);
        let closed = match &end {
            Ok(count) => *count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        ensure!(closed, "after its end a client was sent {end:?}");
    }
    drop(clients);
    guest.wait_for_descriptors(before)
}
