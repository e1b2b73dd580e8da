//! A server as a process: started, asked for what it has counted, ended.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::cores;
use super::interrupt::Interrupt;
use super::plan::Kind;
use crate::process;

/// How long a server may take until it says that it listens.
const START: Duration = Duration::from_secs(15);
/// How long a server may take to answer what it has counted. With thousands of rows a guest
/// of the last release needs tens of milliseconds for each of its polls.
const ANSWER: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(2);
/// The first byte of a connection that asks for the counts.
const ASK: u8 = 0xc0;

/// What a server tells of itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Stats {
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub live_bytes: u64,
    pub connections: u64,
    pub requests: u64,
    pub polls: u64,
    /// The guest's linear memory; a native server's resident memory.
    pub memory_bytes: u64,
    /// How often each import was called, of a guest that was rewritten to count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_calls: Vec<u64>,
}

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
    pub address: SocketAddr,
    pub control: SocketAddr,
}

impl Server {
    /// Starts `command`, which serves `kind`, on `core`; what it prints goes to the file `log`.
    pub fn start(
        mut command: Command,
        kind: Kind,
        core: Option<usize>,
        log: &Path,
        interrupt: &Interrupt,
    ) -> Result<Server> {
        // Logs are appended to, and the last run's address must not be taken for this one's.
        let _ = fs::remove_file(log);
        let child = cores::pinned(core, || process::spawn_logged(&mut command, log))?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Server {
            child,
            log: log.into(),
            address: nowhere,
            control: nowhere,
        };
        server.wait_for_address(kind, interrupt)?;
        Ok(server)
    }

    fn wait_for_address(&mut self, kind: Kind, interrupt: &Interrupt) -> Result<()> {
        let end = Instant::now() + START;
        loop {
            let printed = self.printed();
            if let Some((address, control)) = addresses(&printed, kind) {
                (self.address, self.control) = (address, control);
                return Ok(());
            }
            interrupt.check()?;
            self.check_alive()?;
            ensure!(
                Instant::now() < end,
                "it does not listen after {} s:\n{}",
                START.as_secs(),
                process::tail(&printed, 10)
            );
            thread::sleep(GLANCE);
        }
    }

    /// Fails, with what it printed, if the server has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        let ended = self
            .child
            .try_wait()
            .context("cannot look after a server")?;
        match ended {
            None => Ok(()),
            Some(status) => bail!(
                "it ended ({status}):\n{}",
                process::tail(&self.printed(), 10)
            ),
        }
    }

    fn printed(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Asks for what it has counted.
    pub fn stats(&self) -> Result<Stats> {
        let mut stream = TcpStream::connect_timeout(&self.control, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(&[ASK])?;
        let mut line = String::new();
        stream
            .read_to_string(&mut line)
            .with_context(|| format!("the server does not tell its counts in {ANSWER:?}"))?;
        let line = line.trim();
        serde_json::from_str(line).with_context(|| format!("the server's counts are {line:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is told elsewhere.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it serves and where it is asked, of whole lines. Only a server of datagrams has another
/// place where it is asked, and one of HTTP is not asked.
fn addresses(printed: &str, kind: Kind) -> Option<(SocketAddr, SocketAddr)> {
    let whole = &printed[..printed.rfind('\n')?];
    let find = |word: &str| -> Option<SocketAddr> {
        let mut lines = whole.lines();
        lines.find_map(|line| line.strip_prefix(word)?.trim().parse().ok())
    };
    match kind {
        Kind::Udp => Some((find("listening ")?, find("control ")?)),
        Kind::Http => Some((find("listening tcp ")?, find("listening tcp ")?)),
        _ => Some((find("listening ")?, find("listening ")?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_from_whole_lines_only() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(addresses("listening 127.0.0.1:80", Kind::Echo), None);
        let one = "listening 127.0.0.1:80
";
        assert_eq!(addresses(one, Kind::Echo), Some((at(80), at(80))));
        assert_eq!(addresses(one, Kind::Udp), None);
        let both = "listening 127.0.0.1:80
control 127.0.0.1:81
";
        assert_eq!(addresses(both, Kind::Udp), Some((at(80), at(81))));
        let http = "listening tcp 127.0.0.1:80
";
        assert_eq!(addresses(http, Kind::Http), Some((at(80), at(80))));
        assert_eq!(addresses(http, Kind::Echo), None);
    }

    #[test]
    fn counts_are_read_with_and_without_host_calls() {
        let line = r#"{"allocations":1,"allocated_bytes":2,"live_bytes":3,"connections":4,
            "requests":5,"polls":6,"memory_bytes":7}"#;
        let stats: Stats = serde_json::from_str(line).unwrap();
        assert_eq!((stats.requests, stats.host_calls.len()), (5, 0));
        let line = line.replace("\"polls\"", "\"host_calls\":[1,2],\"polls\"");
        let stats: Stats = serde_json::from_str(&line).unwrap();
        assert_eq!(stats.host_calls, [1, 2]);
    }
}
