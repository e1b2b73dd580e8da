//! One connection to the server and the request that is under way on it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};

use crate::payload::{Payload, Payloads};
use crate::workload::Workload;

pub struct Client {
    /// None before it is connected, and where a reply ended the connection.
    pub socket: Option<Socket>,
    /// The number of the request that comes next.
    number: u32,
    request: Option<Request>,
}

/// What is under way.
struct Request {
    payload: Payload,
    began: Instant,
    sent: usize,
    received: usize,
}

impl Client {
    pub fn new() -> Client {
        Client {
            socket: None,
            number: 0,
            request: None,
        }
    }

    /// Begins a request. The client is connected.
    pub fn begin(&mut self, index: usize, payloads: &Payloads, now: Instant) -> Result<()> {
        let socket = self.socket.as_mut().context("a client without a socket")?;
        let request = self.request.insert(Request {
            payload: payloads.payload(index, self.number),
            began: now,
            sent: 0,
            received: 0,
        });
        self.number += 1;
        request.send(socket, payloads)
    }

    /// Goes on after an event. Where that completed a reply, says when its request began. With
    /// `ends` a reply is complete when the end of the connection has followed it.
    pub fn progress(
        &mut self,
        payloads: &Payloads,
        buffer: &mut [u8],
        ends: bool,
    ) -> Result<Option<Instant>> {
        // An event may be older than the end of its connection.
        let Some(socket) = &mut self.socket else {
            return Ok(None);
        };
        let Some(request) = &mut self.request else {
            return silence(socket, buffer);
        };
        request.send(socket, payloads)?;
        // The next reply comes with a new edge, so a complete one is not read beyond.
        while request.received < payloads.reply_size() || ends {
            let length = match socket.recv(buffer) {
                Ok(length) => length,
                Err(error) if is_blocked(&error) => return Ok(None),
                Err(error) => return Err(error).context("receiving a reply"),
            };
            if length == 0 {
                let complete = ends && request.received == payloads.reply_size();
                ensure!(
                    complete,
                    "the server closed a connection before its reply was complete"
                );
                self.socket = None;
                break;
            }
            let bytes = &buffer[..length];
            let right = payloads.replies(request.payload, request.received, bytes);
            ensure!(right, "the server sent wrong bytes");
            request.received += length;
        }
        let began = request.began;
        self.request = None;
        Ok(Some(began))
    }
}

impl Request {
    /// Sends what the socket has room for.
    fn send(&mut self, socket: &mut Socket, payloads: &Payloads) -> Result<()> {
        let bytes = payloads.request(self.payload);
        while self.sent < bytes.len() {
            match socket.send(&bytes[self.sent..]) {
                Ok(length) => self.sent += length,
                Err(error) if is_blocked(&error) => break,
                Err(error) => return Err(error).context("sending a request"),
            }
        }
        Ok(())
    }
}

/// Without a request under way there is nothing to receive, at most a first event of a connection
/// that can be written to.
fn silence(socket: &mut Socket, buffer: &mut [u8]) -> Result<Option<Instant>> {
    match socket.recv(buffer) {
        Err(error) if is_blocked(&error) => Ok(None),
        Err(error) => Err(error).context("a connection failed that was idle"),
        Ok(0) => bail!("the server closed a connection that was idle"),
        Ok(_) => bail!("the server sent what nobody asked for"),
    }
}

/// It would block, or the connection is not there yet.
fn is_blocked(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}

pub enum Socket {
    Stream(TcpStream),
    Datagrams(UdpSocket),
}

impl Socket {
    /// A registered socket, connected or on its way.
    pub fn connect(
        workload: Workload,
        server: SocketAddr,
        registry: &Registry,
        token: Token,
    ) -> Result<Socket> {
        let both = Interest::READABLE | Interest::WRITABLE;
        if workload == Workload::Udp {
            let mut socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            socket.connect(server)?;
            registry.register(&mut socket, token, both)?;
            return Ok(Socket::Datagrams(socket));
        }
        let what = || format!("connecting to {server}");
        let mut stream = TcpStream::connect(server).with_context(what)?;
        if workload == Workload::Response {
            // What Linux does by itself once requests and replies alternate, from the first on.
            rustix::net::sockopt::set_tcp_quickack(&stream, false)?;
        }
        registry.register(&mut stream, token, both)?;
        Ok(Socket::Stream(stream))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Stream(stream) => stream.write(bytes),
            Socket::Datagrams(socket) => socket.send(bytes),
        }
    }

    fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Stream(stream) => stream.read(buffer),
            Socket::Datagrams(socket) => socket.recv(buffer),
        }
    }
}
