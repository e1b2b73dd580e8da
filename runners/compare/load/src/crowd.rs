//! All clients of a run, by their tokens, and what they share.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::Result;
use mio::{Registry, Token};

use crate::client::{Client, Socket};
use crate::payload::Payloads;
use crate::workload::Workload;

const BUFFER: usize = 256 * 1024;

pub struct Crowd {
    workload: Workload,
    server: SocketAddr,
    registry: Registry,
    payloads: Payloads,
    buffer: Box<[u8]>,
    clients: Vec<Client>,
}

impl Crowd {
    pub fn new(workload: Workload, server: SocketAddr, registry: Registry) -> Crowd {
        Crowd {
            workload,
            server,
            registry,
            payloads: Payloads::new(workload),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            clients: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// What a request and its reply are together.
    pub fn bytes_per_request(&self) -> usize {
        self.payloads.request_size() + self.payloads.reply_size()
    }

    /// Adds a client, connected or on its way.
    pub fn add(&mut self) -> Result<()> {
        self.clients.push(Client::new());
        self.connect(self.clients.len() - 1)
    }

    fn connect(&mut self, index: usize) -> Result<()> {
        let socket = Socket::connect(self.workload, self.server, &self.registry, Token(index))?;
        self.clients[index].socket = Some(socket);
        Ok(())
    }

    /// Begins a client's next request; over a new connection where its last reply ended the old
    /// one.
    pub fn begin(&mut self, index: usize, now: Instant) -> Result<()> {
        if self.clients[index].socket.is_none() {
            self.connect(index)?;
        }
        self.clients[index].begin(index, &self.payloads, now)
    }

    /// Goes on after an event. Where that completed a reply, says when its request began.
    pub fn progress(&mut self, Token(index): Token) -> Result<Option<Instant>> {
        let ends = self.workload == Workload::Churn;
        self.clients[index].progress(&self.payloads, &mut self.buffer, ends)
    }
}
