//! What mio has on Unix alone: Unix sockets, pipes, foreign descriptors, and the ways in and out
//! of this library for a descriptor.

#[cfg(target_os = "linux")]
mod abstract_names;
#[path = "../common/mod.rs"]
mod common;
mod datagram;
mod handle;
#[path = "../common/kqueue.rs"]
mod kqueue;
mod pipe;
mod stream;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use kqueue::KQUEUE;
use mio::Interest;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A socket's path, which is in the folder for passing files because that one's name is short:
/// a Unix address has room for 107 bytes.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new() -> SocketPath {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        SocketPath(env::temp_dir().join(format!("mio-test-{}-{number}", process::id())))
    }

    /// The same path as it stands in an address.
    fn address(&self) -> std::os::unix::net::SocketAddr {
        std::os::unix::net::SocketAddr::from_pathname(&self.0).expect("a short path")
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // A test that never bound it has nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}
