//! Scenarios of clients that behave badly, or are many, beside others that must not notice.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::client::{Client, echo_all, echo_datagram, receive_all, send_all};
use super::guest::Guest;
use crate::demo::clients::{compare, payload};

/// The kernel's number for a connection whose end it has sent, and the other end's kernel has.
const FIN_WAIT2: u64 = 5;

/// The guest has all of a body, and its end, but cannot send it all back yet. In WasmEdge (0.14 to
/// 0.17) such a connection ends every wait at once, with no event.
pub fn half_closed_and_slow(guest: &Guest) -> Result<()> {
    let before = guest.sockets()?;
    let mut other = Client::connect(guest.tcp, 1)?;
    other.echo(1000)?;
    let (mut slow, body) = half_closed(guest)?;
    let mut received = Vec::new();
    let mut buffer = [0; 32 << 10];
    loop {
        other.echo(1000).context("beside a slow reader")?;
        match slow.stream.read(&mut buffer).context("no answer")? {
            0 => break,
            count => received.extend(&buffer[..count]),
        }
        ensure!(received.len() <= body.len(), "more came back than was sent");
    }
    compare(&body, &received)?;
    drop((slow, other));
    guest.wait_for_sockets(before)?;
    guest.expect_rest()
}

/// A client that has sent a body and its end, has read nothing, and has had its second of rest.
fn half_closed(guest: &Guest) -> Result<(Client, Vec<u8>)> {
    let before = guest.sockets()?;
    for number in 0..8 {
        let mut slow = Client::connect(guest.tcp, 10 + number)?;
        slow.limit_unread(256 << 10)?;
        let body = send_until_blocked(&mut slow, guest)?;
        slow.stream.shutdown(Shutdown::Write)?;
        guest.wait_until("told of the end", || {
            Ok(in_kernel(&slow, guest)?.state == FIN_WAIT2)
        })?;
        guest.expect_rest().context("with a half-closed peer")?;
        // The kernel may have found more room for the guest's answers, and the guest be done.
        if guest.sockets()? > before {
            return Ok((slow, body));
        }
    }
    bail!("the guest could send all, though nobody read it")
}

/// Sends until the guest takes no more, since nobody reads its answers; tells what was sent.
fn send_until_blocked(client: &mut Client, guest: &Guest) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        while !is_blocked(client, guest)? {
            ensure!(body.len() < 64 << 20, "the guest took {} bytes", body.len());
            body.extend(client.send(48 << 10)?);
        }
        // Time for the kernel to find more room.
        thread::sleep(Duration::from_millis(250));
        if is_blocked(client, guest)? {
            return Ok(body);
        }
    }
}

/// Whether the guest leaves unread what this client has sent. One that would read it is not asleep.
fn is_blocked(client: &Client, guest: &Guest) -> Result<bool> {
    let mut unread = false;
    guest.wait_until("asleep", || {
        if !guest.is_asleep()? {
            return Ok(false);
        }
        unread = in_kernel(client, guest)?.unread > 0;
        Ok(!unread || guest.is_asleep()?)
    })?;
    Ok(unread)
}

/// What the kernel has of a connection.
struct InKernel {
    /// The number of the client's end's state.
    state: u64,
    /// What the guest has not read yet.
    unread: u64,
}

fn in_kernel(client: &Client, guest: &Guest) -> Result<InKernel> {
    let table = fs::read_to_string("/proc/net/tcp").context("no list of connections")?;
    let ends = (client.stream.local_addr()?.port(), guest.tcp.port());
    // The words are: number, local and remote address, state, and the queues SENDING:UNREAD.
    let row = |from: u16, to: u16| {
        let (from, to) = (format!(":{from:04X}"), format!(":{to:04X}"));
        let mut rows = table.lines().map(|row| row.split_whitespace().collect());
        rows.find(|row: &Vec<&str>| {
            row.len() > 4 && row[1].ends_with(&from) && row[2].ends_with(&to)
        })
        .context("the connection is gone")
    };
    let unread = row(ends.1, ends.0)?[4];
    let (_, unread) = unread.split_once(':').context("a strange list")?;
    Ok(InKernel {
        state: u64::from_str_radix(row(ends.0, ends.1)?[3], 16)?,
        unread: u64::from_str_radix(unread, 16)?,
    })
}

/// Clients that vanish while the guest has much to send to them.
pub fn reset_while_sending(guest: &Guest) -> Result<()> {
    let before = guest.sockets()?;
    let mut others = Client::connect_many(guest.tcp, 10)?;
    echo_all(&mut others, 1000)?;
    for number in 0..4 {
        let mut vanishing = Client::connect(guest.tcp, 100 + number)?;
        let sent = send_all(&mut others, 3000)?;
        vanishing.send_until_full()?;
        vanishing.reset()?;
        receive_all(&mut others, &sent)?;
        echo_all(&mut others, 3000)?;
    }
    guest.wait_for_sockets(before + others.len())?;
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
    let before = guest.sockets()?;
    let mut clients = Client::connect_many(guest.tcp, 300)?;
    for size in [1, 1000, 20_000, 64] {
        echo_all(&mut clients, size)?;
    }
    guest.wait_for_sockets(before + clients.len())?;
    guest.expect_rest()?;
    echo_all(&mut clients, 100)?;
    for client in &mut clients {
        client.stream.shutdown(Shutdown::Write)?;
        let count = client.stream.read(&mut [0]).context("no end")?;
        ensure!(count == 0, "bytes came that were never sent");
    }
    drop(clients);
    guest.wait_for_sockets(before)
}
