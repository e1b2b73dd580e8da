//! The demo's clients: many TCP connections that are all open at once, and UDP sockets beside them.
//!
//! What a client sends is made from its number and the round, so that bytes which reach the wrong
//! client cannot look right. Sent and received bytes are compared by a checksum over all of them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::remaining;
use super::server::Server;

const TCP_THREADS: usize = 8;
const TCP_PER_THREAD: usize = 50;
const UDP_THREADS: usize = 2;
const UDP_PER_THREAD: usize = 16;
/// The sizes of one round's requests. The largest fits the socket buffers of both ends, so that a
/// client may write all of it before it reads.
const TCP_SIZES: [usize; 8] = [1, 64, 1000, 1460, 4096, 7, 16384, 32768];
const UDP_SIZES: [usize; 8] = [1, 12, 100, 512, 1200, 1400, 2000, 4096];
const TCP_ROUNDS: usize = 2;
const UDP_ROUNDS: usize = 4;
/// A lost datagram is sent again this often.
const UDP_TRIES: u32 = 5;
const UDP_PATIENCE: Duration = Duration::from_secs(2);

/// How often `drive` reports progress: once for each answer.
pub const PORTIONS: usize = TCP_THREADS * TCP_PER_THREAD * TCP_ROUNDS * TCP_SIZES.len()
    + UDP_THREADS * UDP_PER_THREAD * UDP_ROUNDS * UDP_SIZES.len();

/// What went through.
#[derive(Debug, Default)]
pub struct Tally {
    pub connections: usize,
    pub sockets: usize,
    pub requests: u64,
    /// One way; as many came back.
    pub bytes: u64,
    pub resent: u64,
    pub errors: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.connections += other.connections;
        self.sockets += other.sockets;
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.resent += other.resent;
        self.errors.extend(other.errors);
    }

    fn note(&mut self, who: String, result: Result<()>) {
        if let Err(error) = result {
            self.errors.push(format!("{who}: {error:#}"));
        }
    }
}

/// Runs all clients to their end, or until `end`.
pub fn drive(server: &Server, end: Instant, portion: &(dyn Fn() + Sync)) -> Tally {
    let (tcp, udp) = (server.tcp, server.udp);
    // Nobody sends before all are connected: every connection is open at the same time.
    let connected = Barrier::new(TCP_THREADS);
    let connected = &connected;
    let mut total = Tally::default();
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for number in 0..TCP_THREADS {
            threads.push(scope.spawn(move || tcp_thread(number, tcp, end, connected, portion)));
        }
        for number in 0..UDP_THREADS {
            threads.push(scope.spawn(move || udp_thread(number, udp, end, portion)));
        }
        for thread in threads {
            match thread.join() {
                Ok(tally) => total.add(tally),
                Err(_) => total.errors.push("a client panicked".into()),
            }
        }
    });
    total
}

fn tcp_thread(
    number: usize,
    to: SocketAddr,
    end: Instant,
    connected: &Barrier,
    portion: &dyn Fn(),
) -> Tally {
    let mut tally = Tally::default();
    let mut streams = Vec::new();
    for client in number * TCP_PER_THREAD..(number + 1) * TCP_PER_THREAD {
        match connect(to, end) {
            Ok(stream) => streams.push((client, stream)),
            Err(error) => tally.note(format!("client {client}"), Err(error)),
        }
    }
    tally.connections = streams.len();
    connected.wait();
    for pass in 0..TCP_ROUNDS * TCP_SIZES.len() {
        let size = TCP_SIZES[pass % TCP_SIZES.len()];
        // All send before any reads: the server has every connection's request at once.
        let what = |client: usize| payload((client << 8 | pass) as u64, size);
        keep_well(&mut streams, &mut tally, |client, stream, _| {
            stream.set_write_timeout(Some(remaining(end)?))?;
            stream.write_all(&what(client)).context("cannot send")
        });
        keep_well(&mut streams, &mut tally, |client, stream, tally| {
            receive(stream, &what(client), end)?;
            tally.requests += 1;
            tally.bytes += size as u64;
            portion();
            Ok(())
        });
    }
    for (client, stream) in streams {
        tally.note(format!("client {client}"), finish(stream, end));
    }
    tally
}

fn connect(to: SocketAddr, end: Instant) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, remaining(end)?).context("cannot connect")?;
    stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
    Ok(stream)
}

/// Does one thing with every client, and lets those go with whom it fails.
fn keep_well<S>(
    clients: &mut Vec<(usize, S)>,
    tally: &mut Tally,
    mut act: impl FnMut(usize, &mut S, &mut Tally) -> Result<()>,
) {
    clients.retain_mut(|(client, socket)| {
        let result = act(*client, socket, tally);
        let well = result.is_ok();
        tally.note(format!("client {client}"), result);
        well
    });
}

fn receive(stream: &mut TcpStream, sent: &[u8], end: Instant) -> Result<()> {
    let mut received = vec![0; sent.len()];
    stream.set_read_timeout(Some(remaining(end)?))?;
    stream.read_exact(&mut received).context("no answer")?;
    compare(sent, &received)
}

/// A server that has echoed everything closes its side after ours, and sends nothing more.
fn finish(mut stream: TcpStream, end: Instant) -> Result<()> {
    stream
        .shutdown(Shutdown::Write)
        .context("cannot shut down")?;
    stream.set_read_timeout(Some(remaining(end)?))?;
    let mut rest = [0; 64];
    let count = stream
        .read(&mut rest)
        .context("the server does not close")?;
    ensure!(count == 0, "{count} bytes came that were never sent");
    Ok(())
}

fn udp_thread(number: usize, to: SocketAddr, end: Instant, portion: &dyn Fn()) -> Tally {
    let mut tally = Tally::default();
    let mut sockets = Vec::new();
    let first = TCP_THREADS * TCP_PER_THREAD + number * UDP_PER_THREAD;
    for client in first..first + UDP_PER_THREAD {
        match open(to) {
            Ok(socket) => sockets.push((client, socket)),
            Err(error) => tally.note(format!("client {client}"), Err(error)),
        }
    }
    tally.sockets = sockets.len();
    for pass in 0..UDP_ROUNDS * UDP_SIZES.len() {
        let size = UDP_SIZES[pass % UDP_SIZES.len()];
        keep_well(&mut sockets, &mut tally, |client, socket, tally| {
            let sent = payload((client << 8 | pass) as u64, size);
            exchange(socket, &sent, end, tally)?;
            tally.requests += 1;
            tally.bytes += size as u64;
            portion();
            Ok(())
        });
    }
    tally
}

/// A connected socket: a datagram from anybody else would not be delivered.
fn open(to: SocketAddr) -> Result<UdpSocket> {
    let any = SocketAddr::new(
        if to.is_ipv4() {
            [0, 0, 0, 0].into()
        } else {
            [0; 16].into()
        },
        0,
    );
    let socket = UdpSocket::bind(any).context("cannot open a socket")?;
    socket.connect(to).context("cannot connect")?;
    Ok(socket)
}

fn exchange(socket: &UdpSocket, sent: &[u8], end: Instant, tally: &mut Tally) -> Result<()> {
    let mut received = vec![0; 1 << 16];
    for attempt in 0..UDP_TRIES {
        if attempt > 0 {
            tally.resent += 1;
        }
        socket.send(sent).context("cannot send")?;
        socket.set_read_timeout(Some(remaining(end)?.min(UDP_PATIENCE)))?;
        match socket.recv(&mut received) {
            // After a resend the answer to an earlier request may still come: it is skipped.
            Ok(count) if tally.resent > 0 && received[..count] != *sent => {}
            Ok(count) => return compare(sent, &received[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error).context("no answer"),
        }
    }
    bail!(
        "no answer to a datagram of {} bytes, sent {UDP_TRIES} times",
        sent.len()
    )
}

pub fn compare(sent: &[u8], received: &[u8]) -> Result<()> {
    let (here, there) = (checksum(sent), checksum(received));
    let (long, came) = (sent.len(), received.len());
    ensure!(long == came, "{long} bytes were sent and {came} came back");
    ensure!(
        here == there,
        "{long} bytes came back changed: checksum {there:x}, not {here:x}"
    );
    Ok(())
}

/// Bytes that no other `seed` gives (xorshift64*).
pub fn payload(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// FNV-1a, 64 bits: every byte and its place count.
pub fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_moved_and_a_missing_byte_are_noticed() {
        let sent = payload(7, 1000);
        compare(&sent, &sent).unwrap();
        let mut changed = sent.clone();
        changed[999] ^= 1;
        assert!(compare(&sent, &changed).is_err());
        let mut moved = sent.clone();
        let other = moved.iter().position(|byte| *byte != moved[0]).unwrap();
        moved.swap(0, other);
        assert!(compare(&sent, &moved).is_err());
        assert!(compare(&sent, &sent[1..]).is_err());
    }

    #[test]
    fn payloads_differ_by_their_seed() {
        assert_eq!(payload(1, 100), payload(1, 100));
        assert_ne!(payload(1, 100), payload(2, 100));
        assert_eq!(payload(3, 13).len(), 13);
    }
}
