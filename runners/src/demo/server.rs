//! The guest of the demo as a process: started, listened to until it serves, stopped.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::host::{Host, Rights};
use crate::{process, project};

/// How long the guest may take until it says that it listens.
const START: Duration = Duration::from_secs(30);

/// A running echo guest. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
    pub tcp: SocketAddr,
    pub udp: SocketAddr,
}

impl Server {
    pub fn start(host: &Host, guest: &Path) -> Result<Server> {
        let folder = project::root().join("target").join("demo");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {folder:?}"))?;
        let log = folder.join(format!("{}.log", std::process::id()));
        let command = host.command(guest, &Rights::default());
        Server::run(command, log).with_context(|| format!("{host} did not start the guest"))
    }

    /// Runs the echo guest by `command`; what it prints goes to the file `log`.
    pub fn run(mut command: Command, log: PathBuf) -> Result<Server> {
        let child = process::spawn_logged(&mut command, &log)?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Server {
            child,
            log,
            tcp: nowhere,
            udp: nowhere,
        };
        server.wait_for_addresses()?;
        Ok(server)
    }

    pub fn process(&self) -> &Child {
        &self.child
    }

    fn wait_for_addresses(&mut self) -> Result<()> {
        let end = Instant::now() + START;
        loop {
            let log = self.log()?;
            if let (Some(tcp), Some(udp)) = (address(&log, "tcp"), address(&log, "udp")) {
                (self.tcp, self.udp) = (tcp, udp);
                return Ok(());
            }
            let shown = || process::indent(&process::tail(&log, 20));
            if let Some(status) = self.has_ended()? {
                bail!("it ended before it served ({status}):\n{}", shown());
            }
            if Instant::now() >= end {
                bail!(
                    "it does not listen after {} s:\n{}",
                    START.as_secs(),
                    shown()
                );
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the guest has printed.
    pub fn log(&self) -> Result<String> {
        let log = fs::read(&self.log).context("cannot read what the guest prints")?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    /// The status of a guest that has ended, though it ought to serve for ever.
    pub fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot look after the guest")
    }

    /// Stops the guest; the answer is all it printed.
    pub fn stop(mut self) -> Result<String> {
        self.end();
        self.log()
    }

    fn end(&mut self) {
        // It may have ended by itself, which is told elsewhere.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        let _ = fs::remove_file(&self.log);
    }
}

/// The address in the whole line `listening KIND ADDRESS`.
pub fn address(log: &str, kind: &str) -> Option<SocketAddr> {
    let whole = &log[..log.rfind('\n')?];
    let prefix = format!("listening {kind} ");
    whole
        .lines()
        .find_map(|line| line.strip_prefix(&prefix)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_from_whole_lines_only() {
        let log = "hello\nlistening tcp 127.0.0.1:80\nlistening udp 127.0.0.1:81";
        assert_eq!(
            address(log, "tcp"),
            Some(SocketAddr::from(([127, 0, 0, 1], 80)))
        );
        assert_eq!(address(log, "udp"), None);
        let log = format!("{log}23\n");
        assert_eq!(
            address(&log, "udp"),
            Some(SocketAddr::from(([127, 0, 0, 1], 8123)))
        );
        assert_eq!(address("", "tcp"), None);
    }
}
