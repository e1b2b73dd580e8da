//! A client of the echo guest: what it sends, it must get back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::net::sockopt;

use crate::demo::clients::{compare, payload};
use crate::suite::watched::PATIENCE;

/// A connection. No two send the same bytes, nor one the same twice.
pub struct Client {
    pub stream: TcpStream,
    number: u64,
    turn: u64,
}

impl Client {
    pub fn connect(to: SocketAddr, number: usize) -> Result<Client> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE).context("cannot connect")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let number = number as u64;
        Ok(Client {
            stream,
            number,
            turn: 0,
        })
    }

    pub fn connect_many(to: SocketAddr, count: usize) -> Result<Vec<Client>> {
        (0..count)
            .map(|number| Client::connect(to, number))
            .collect()
    }

    /// The next bytes that this client sends.
    pub fn bytes(&mut self, size: usize) -> Vec<u8> {
        self.turn += 1;
        payload(self.number << 32 | self.turn, size)
    }

    /// Sends so many bytes and tells which, without waiting for an answer.
    pub fn send(&mut self, size: usize) -> Result<Vec<u8>> {
        let bytes = self.bytes(size);
        self.stream.write_all(&bytes).context("cannot send")?;
        Ok(bytes)
    }

    /// Waits until as many bytes have come back, which must be the same.
    pub fn receive(&mut self, sent: &[u8]) -> Result<()> {
        let mut received = vec![0; sent.len()];
        self.stream.read_exact(&mut received).context("no answer")?;
        compare(sent, &received)
    }

    pub fn echo(&mut self, size: usize) -> Result<()> {
        let sent = self.send(size)?;
        self.receive(&sent)
            .with_context(|| format!("client {}", self.number))
    }

    /// Sends as much as the buffers on the way there and back take while no answer is read.
    pub fn send_until_full(&mut self) -> Result<()> {
        let pause = Some(Duration::from_millis(200));
        self.stream.set_write_timeout(pause)?;
        let bytes = self.bytes(64 << 10);
        for _ in 0..4096 {
            match self.stream.write(&bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        bail!("256 MB were taken while no answer was read")
    }

    /// Ends the connection without a goodbye: the other end is told of a reset.
    pub fn reset(self) -> Result<()> {
        let linger = sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
        linger.context("cannot set SO_LINGER")
    }

    /// Lets the kernel keep no more than about so many bytes that are not read yet.
    pub fn limit_unread(&self, bytes: usize) -> Result<()> {
        let limit = sockopt::set_socket_recv_buffer_size(&self.stream, bytes);
        limit.context("cannot set SO_RCVBUF")
    }
}

/// Each sends before any waits for its answer.
pub fn echo_all(clients: &mut [Client], size: usize) -> Result<()> {
    let sent = send_all(clients, size)?;
    receive_all(clients, &sent)
}

pub fn send_all(clients: &mut [Client], size: usize) -> Result<Vec<Vec<u8>>> {
    clients.iter_mut().map(|client| client.send(size)).collect()
}

pub fn receive_all(clients: &mut [Client], sent: &[Vec<u8>]) -> Result<()> {
    ensure!(clients.len() == sent.len());
    for (client, sent) in clients.iter_mut().zip(sent) {
        client
            .receive(sent)
            .with_context(|| format!("client {}", client.number))?;
    }
    Ok(())
}

/// A datagram there and back, sent again when it is lost, as it may be.
pub fn echo_datagram(socket: &UdpSocket, sent: &[u8]) -> Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut buffer = [0; 2048];
    for _ in 0..4 {
        socket.send(sent).context("cannot send")?;
        match socket.recv(&mut buffer) {
            Ok(count) => return compare(sent, &buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("no answer"),
        }
    }
    bail!("no answer to a datagram")
}
