//! What servers and the load generator agree on.
//!
//! A connection's first byte may tell a server to do something else than its workload: payloads
//! never begin with one of the two. A server answers [`STATS`] with one line of JSON and closes
//! the connection; at [`STOP`] it exits.

/// The size of a request, and of its reply where that is an echo.
pub const REQUEST: usize = 64;

pub const STATS: u8 = 0xC0;
pub const STOP: u8 = 0xC1;
