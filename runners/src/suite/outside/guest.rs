//! The echo guest as a watched process.

use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rustix::process::Signal;

use crate::demo::server::Server;
use crate::host::{Host, Rights};
use crate::process;
use crate::project;
use crate::suite::watched::{PATIENCE, Watched};

/// An echo guest on one host. It is killed when this is dropped.
pub struct Guest {
    server: Server,
    process: Watched,
    pub tcp: SocketAddr,
    pub udp: SocketAddr,
}

impl Guest {
    /// Starts the compiled guest `echo` for the scenario `name`.
    pub fn start(host: &Host, echo: &Path, name: &str) -> Result<Guest> {
        Guest::run(host.command(echo, &Rights::default()), host, name)
    }

    /// Runs it by `command`.
    pub fn run(command: Command, host: &Host, name: &str) -> Result<Guest> {
        let log = project::suite_folder().join(format!("echo-{}-{name}.log", host.version));
        // What another guest printed would be taken for this one's.
        let _ = fs::remove_file(&log);
        let server = Server::run(command, log)?;
        let process = Watched::new(server.process());
        let (tcp, udp) = (server.tcp, server.udp);
        Ok(Guest {
            server,
            process,
            tcp,
            udp,
        })
    }

    /// Ends the process by SIGTERM; fails if it ends in any other way.
    pub fn terminate(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.server.has_ended()? {
                let signal = status.signal();
                ensure!(signal == Some(Signal::TERM.as_raw()), "it ended: {status}");
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        bail!("SIGTERM does not end it")
    }

    /// The end of what the guest printed, for an error.
    pub fn last_words(&self) -> String {
        let log = self.server.log().unwrap_or_default();
        format!("it printed:\n{}", process::tail(&log, 8))
    }
}

impl Deref for Guest {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.process
    }
}
