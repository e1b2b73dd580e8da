//! The connections of a server, by their tokens. Once it has held as many, taking one in and
//! letting it go allocates nothing.

use std::mem;

use mio::Token;
use mio::net::TcpStream;

/// The first tokens are the sockets that accept.
pub const FIRST: usize = 2;

/// The table grows by so many connections, not by a factor, so that what a server counts is not
/// mostly room for later.
const STEP: usize = 1024;

pub struct Table {
    slots: Vec<Slot>,
    /// The head of the list of vacant slots.
    vacant: Option<u32>,
}

enum Slot {
    Taken(Connection),
    Vacant {
        next: Option<u32>,
        /// The place for unsent bytes outlives its connection.
        spare: Vec<u8>,
    },
}

pub struct Connection {
    pub stream: TcpStream,
    /// What the socket had no room for. While there is any, nothing is read.
    pub unsent: Vec<u8>,
    /// How many bytes there are of the request that is not complete yet.
    pub received: u32,
    pub stage: Stage,
}

#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Nothing came yet: the first byte may ask for something else than the workload.
    Fresh,
    Serving,
    /// All is said: it closes once that is sent.
    Closing,
}

impl Table {
    pub fn new() -> Table {
        Table {
            slots: Vec::with_capacity(STEP),
            vacant: None,
        }
    }

    pub fn insert(&mut self, stream: TcpStream) -> (Token, &mut Connection) {
        let mut connection = Connection {
            stream,
            unsent: Vec::new(),
            received: 0,
            stage: Stage::Fresh,
        };
        let index = match self.vacant {
            Some(index) => {
                let index = index as usize;
                if let Slot::Vacant { next, spare } = &mut self.slots[index] {
                    self.vacant = *next;
                    connection.unsent = mem::take(spare);
                }
                self.slots[index] = Slot::Taken(connection);
                index
            }
            None => {
                if self.slots.len() == self.slots.capacity() {
                    self.slots.reserve_exact(STEP);
                }
                self.slots.push(Slot::Taken(connection));
                self.slots.len() - 1
            }
        };
        match &mut self.slots[index] {
            Slot::Taken(connection) => (Token(FIRST + index), connection),
            Slot::Vacant { .. } => unreachable!("it was taken above"),
        }
    }

    /// None where the connection was closed since the event was made.
    pub fn get(&mut self, token: Token) -> Option<&mut Connection> {
        match self.slots.get_mut(token.0 - FIRST)? {
            Slot::Taken(connection) => Some(connection),
            Slot::Vacant { .. } => None,
        }
    }

    pub fn remove(&mut self, token: Token) -> Option<TcpStream> {
        let index = token.0 - FIRST;
        let mut spare = mem::take(&mut self.get(token)?.unsent);
        spare.clear();
        let vacant = Slot::Vacant {
            next: self.vacant,
            spare,
        };
        match mem::replace(&mut self.slots[index], vacant) {
            Slot::Taken(connection) => {
                self.vacant = Some(index as u32);
                Some(connection.stream)
            }
            Slot::Vacant { .. } => None,
        }
    }
}
