//! The workload `udp`, for the libraries that have UDP sockets.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};

use crate::server::Answer;

const LARGEST: usize = 65_536;

pub fn open(registry: &Registry, token: Token) -> io::Result<(SocketAddr, Answer)> {
    let mut socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    registry.register(&mut socket, token, Interest::READABLE)?;
    let address = socket.local_addr()?;
    let mut echo = Echo {
        socket,
        token,
        buffer: vec![0; LARGEST].into_boxed_slice(),
        unsent: None,
    };
    Ok((address, Box::new(move |registry| echo.answer(registry))))
}

struct Echo {
    socket: UdpSocket,
    token: Token,
    buffer: Box<[u8]>,
    /// How long the datagram is that the socket had no room for, and whose it is. It is in the
    /// buffer, and nothing is received meanwhile.
    unsent: Option<(usize, SocketAddr)>,
}

impl Echo {
    /// Answers until the socket would block, and says how many datagrams it answered.
    fn answer(&mut self, registry: &Registry) -> io::Result<u64> {
        let blocked = self.unsent.is_some();
        let mut answered = 0;
        let result = loop {
            match self.exchange() {
                Ok(()) => answered += 1,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        if result.kind() != ErrorKind::WouldBlock {
            return Err(result);
        }
        if blocked != self.unsent.is_some() {
            let interest = match blocked {
                true => Interest::READABLE,
                false => Interest::WRITABLE,
            };
            registry.reregister(&mut self.socket, self.token, interest)?;
        }
        Ok(answered)
    }

    fn exchange(&mut self) -> io::Result<()> {
        let (length, from) = match self.unsent {
            Some(unsent) => unsent,
            None => self.socket.recv_from(&mut self.buffer)?,
        };
        self.unsent = Some((length, from));
        self.socket.send_to(&self.buffer[..length], from)?;
        self.unsent = None;
        Ok(())
    }
}
