//! What a server tells of itself. Telling it allocates nothing.

use std::io::{Cursor, Write};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::counting;

/// How often each of the module's imports was called, in their order. Only a guest that was
/// rewritten to count adds to it.
#[unsafe(no_mangle)]
pub static HOST_CALLS: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];

const LENGTH: usize = 2048;

/// Counted by the server; the rest is looked up when it is asked for.
#[derive(Default)]
pub struct Stats {
    /// Open connections, less those that only ask for this.
    pub connections: u64,
    pub requests: u64,
    pub polls: u64,
}

/// One line of JSON. It fits: eight words, seven numbers and 64 small ones.
pub struct Line {
    bytes: [u8; LENGTH],
    length: usize,
}

impl Stats {
    pub fn line(&self) -> Line {
        let mut cursor = Cursor::new([0; LENGTH]);
        let written = write!(
            cursor,
            "{{\"allocations\":{},\"allocated_bytes\":{},\"live_bytes\":{},\"connections\":{},\
             \"requests\":{},\"polls\":{},\"memory_bytes\":{},\
             \"host_calls\":[",
            counting::allocations(),
            counting::allocated_bytes(),
            counting::live_bytes(),
            self.connections,
            self.requests,
            self.polls,
            memory_bytes()
        );
        let written = written.and_then(|()| {
            for (index, count) in HOST_CALLS.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(cursor, "{comma}{}", count.load(Relaxed))?;
            }
            writeln!(cursor, "]}}")
        });
        debug_assert!(written.is_ok());
        Line {
            length: cursor.position() as usize,
            bytes: cursor.into_inner(),
        }
    }
}

impl Line {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The size of the guest's memory.
#[cfg(target_arch = "wasm32")]
fn memory_bytes() -> u64 {
    const PAGE: u64 = 65_536;
    core::arch::wasm32::memory_size(0) as u64 * PAGE
}

/// The resident part of the process' memory; 0 where the system does not say.
#[cfg(not(target_arch = "wasm32"))]
fn memory_bytes() -> u64 {
    use std::io::Read;

    let mut text = [0; 4096];
    let read = std::fs::File::open("/proc/self/status").and_then(|mut file| file.read(&mut text));
    let text = std::str::from_utf8(&text[..read.unwrap_or(0)]).unwrap_or("");
    let resident = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|rest| rest.split_whitespace().next());
    kilobytes
        .and_then(|number| number.parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes * 1024)
}
