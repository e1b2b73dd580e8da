//! The workload `echo` over bare calls.
//!
//! The rows of all connections are in one array, which is handed over as it stands, with nothing
//! armed or disarmed: the host is level-triggered. A request costs what it must: a share of a
//! wait over all rows, a read, a write, and the read that tells that there is no more.

use std::io::Write;
use std::process;

use wasi::{Event, Fd, Subscription};

use crate::host::{self, Result};
use crate::protocol::{self, REQUEST};
use crate::stats::Stats;

const BUFFER: usize = 64 * 1024;
/// The row of the listener. Those of connections follow.
const LISTENER: usize = 0;

const AGAIN: i32 = wasi::ERRNO_AGAIN.raw() as i32;

struct Server {
    rows: Vec<Subscription>,
    connections: Vec<Connection>,
    buffer: Box<[u8]>,
    stats: Stats,
    drained: bool,
}

/// In the order of the rows; the listener has one too.
struct Connection {
    fd: Fd,
    /// How many bytes came of the request that is not complete.
    received: usize,
    fresh: bool,
}

impl Connection {
    fn new(fd: Fd) -> Connection {
        Connection {
            fd,
            received: 0,
            fresh: true,
        }
    }
}

pub fn serve(drained: bool) -> Result<()> {
    let (listener, port) = host::listening()?;
    println!("listening 127.0.0.1:{port}");
    // Whoever waits for the line would see that it did not come.
    let _ = std::io::stdout().flush();
    let mut server = Server {
        rows: vec![host::readable(listener, LISTENER as u64)],
        connections: vec![Connection::new(listener)],
        buffer: vec![0; BUFFER].into_boxed_slice(),
        stats: Stats::default(),
        drained,
    };
    let mut events: Vec<Event> = Vec::new();
    loop {
        while events.len() < server.rows.len() {
            events.push(host::no_event());
        }
        server.stats.polls += 1;
        let count = host::poll(&server.rows, &mut events)?;
        // Backwards: the events are in the order of their rows, so what takes the place of a
        // connection that ends comes from behind and was served. The listener is last.
        for event in events[..count].iter().rev() {
            match event.userdata as usize {
                LISTENER => server.accept()?,
                row => server.progress(row),
            }
        }
    }
}

impl Server {
    fn accept(&mut self) -> Result<()> {
        loop {
            match host::accept(self.connections[LISTENER].fd) {
                Ok(fd) => {
                    self.rows.push(host::readable(fd, self.rows.len() as u64));
                    self.connections.push(Connection::new(fd));
                    self.stats.connections += 1;
                }
                Err(AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }

    fn progress(&mut self, row: usize) {
        if !self.read(row) {
            host::close(self.connections[row].fd);
            self.connections.swap_remove(row);
            self.rows.swap_remove(row);
            if let Some(moved) = self.rows.get_mut(row) {
                moved.userdata = row as u64;
            }
            self.stats.connections -= 1;
        }
    }

    /// Echoes until the socket would block. Says whether the connection stays open. One that has
    /// no room for a reply of 64 bytes does not: nobody here sends without receiving.
    fn read(&mut self, row: usize) -> bool {
        let connection = &mut self.connections[row];
        loop {
            let length = match host::recv(connection.fd, &mut self.buffer) {
                Ok(0) => return false,
                Ok(length) => length,
                Err(errno) => return errno == AGAIN,
            };
            if std::mem::take(&mut connection.fresh) {
                match self.buffer[0] {
                    protocol::STATS => {
                        self.stats.connections -= 1;
                        let _ = host::send(connection.fd, self.stats.line().bytes());
                        self.stats.connections += 1;
                        return false;
                    }
                    protocol::STOP => process::exit(0),
                    _ => {}
                }
            }
            if host::send(connection.fd, &self.buffer[..length]) != Ok(length) {
                return false;
            }
            let received = connection.received + length;
            self.stats.requests += (received / REQUEST) as u64;
            connection.received = received % REQUEST;
            if self.drained && length < self.buffer.len() {
                return true;
            }
        }
    }
}
