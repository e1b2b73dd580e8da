//! The bytes that are sent, and those that must come back.

use crate::protocol::{self, REQUEST};
use crate::sizes::{self, BODY, HEADER, STREAM};
use crate::workload::Workload;

/// A payload is a part of one table of random bytes. Which part depends on the connection and on
/// the number of the request, so a reply that went astray does not pass for another.
pub struct Payloads {
    workload: Workload,
    table: Box<[u8]>,
    body: [u8; BODY],
}

/// Where payloads may begin.
const STARTS: usize = 1 << 16;

/// One request.
#[derive(Copy, Clone)]
pub struct Payload {
    start: usize,
}

impl Payloads {
    pub fn new(workload: Workload) -> Payloads {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            match (state >> 32) as u8 {
                // A first byte that means something to a server.
                protocol::STATS | protocol::STOP => 0,
                byte => byte,
            }
        };
        Payloads {
            workload,
            table: std::iter::repeat_with(random)
                .take(STARTS + STREAM)
                .collect(),
            body: sizes::body(),
        }
    }

    pub fn payload(&self, connection: usize, number: u32) -> Payload {
        // Odd factors, so that neighbours in both are far from each other.
        let mixed = (connection as u32).wrapping_mul(40_503) ^ number.wrapping_mul(25_033);
        Payload {
            start: mixed as usize % STARTS,
        }
    }

    pub fn request_size(&self) -> usize {
        match self.workload {
            Workload::Stream => STREAM,
            _ => REQUEST,
        }
    }

    pub fn reply_size(&self) -> usize {
        match self.workload {
            Workload::Response => HEADER + BODY,
            _ => self.request_size(),
        }
    }

    pub fn request(&self, payload: Payload) -> &[u8] {
        &self.table[payload.start..][..self.request_size()]
    }

    /// Whether `bytes` are what belongs at `at` in the reply.
    pub fn replies(&self, payload: Payload, at: usize, bytes: &[u8]) -> bool {
        if bytes.len() > self.reply_size() - at {
            return false;
        }
        if self.workload != Workload::Response {
            return self.request(payload)[at..].starts_with(bytes);
        }
        let last = self.request(payload)[REQUEST - 1];
        let (header, body) = bytes.split_at(HEADER.saturating_sub(at).min(bytes.len()));
        header.iter().all(|&byte| byte == last)
            && self.body[at.saturating_sub(HEADER)..].starts_with(body)
    }
}
