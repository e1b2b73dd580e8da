//! The echo guest seen as a process: it is stopped and continued, its descriptors are counted and
//! limited, and how much processor time it uses tells whether it spins.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::demo::server::Server;
use crate::host::{Host, Rights};
use crate::process;
use crate::project;

/// How long anything may take. It only ends a hang.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How many ticks of the processor's clock, of which a second has 100, an idle guest may use in a
/// second. One that spins uses all that it gets.
const RESTFUL: u64 = 10;

/// An echo guest on one host. It is killed when this is dropped.
pub struct Guest {
    server: Server,
    pid: Pid,
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
        let pid = Pid::from_child(server.process());
        let (tcp, udp) = (server.tcp, server.udp);
        Ok(Guest {
            server,
            pid,
            tcp,
            udp,
        })
    }

    /// Stops the process, as SIGSTOP does, until [`Guest::proceed`].
    pub fn stop(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        self.wait_until("stopped", || Ok(self.stat()?[0] == "T"))
    }

    pub fn proceed(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Whether it waits for something.
    pub fn is_asleep(&self) -> Result<bool> {
        Ok(self.stat()?[0] == "S")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).context("cannot send a signal to the guest")
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

    /// How many sockets the process has. Other descriptors are the host's affair: WasmEdge (0.14 to
    /// 0.17) opens another timer once a wait with a timeout was interrupted.
    pub fn sockets(&self) -> Result<usize> {
        let is_socket = |number: &u64| {
            let link = fs::read_link(format!("/proc/{}/fd/{number}", self.pid));
            link.is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
        };
        Ok(self.descriptors()?.iter().filter(|n| is_socket(n)).count())
    }

    pub fn wait_for_sockets(&self, count: usize) -> Result<()> {
        let reached = self.wait_until("so", || Ok(self.sockets()? == count));
        reached.with_context(|| match self.sockets() {
            Ok(found) => format!("the guest should have {count} sockets and has {found}"),
            Err(_) => "the guest has no descriptors".into(),
        })
    }

    /// Leaves room for no more than so many descriptors beside those that are open.
    pub fn limit_descriptors(&self, room: usize) -> Result<()> {
        // It is their numbers that are limited, and the process may have been given high ones.
        let taken = self.descriptors()?;
        let mut free = (0..).filter(|number| !taken.contains(number));
        let limit = free.nth(room);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        prlimit(Some(self.pid), Resource::Nofile, limit).context("cannot limit descriptors")?;
        Ok(())
    }

    /// The process's descriptors by their numbers.
    fn descriptors(&self) -> Result<Vec<u64>> {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.pid));
        let numbers = folder
            .context("the guest is gone")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(numbers.collect())
    }

    /// Fails if the guest is busy for a second in which nobody wants anything of it.
    pub fn expect_rest(&self) -> Result<()> {
        let before = self.ticks()?;
        thread::sleep(Duration::from_secs(1));
        let used = self.ticks()? - before;
        ensure!(used <= RESTFUL, "the idle guest used {used} of 100 ticks");
        Ok(())
    }

    /// The processor time that the guest has used.
    fn ticks(&self) -> Result<u64> {
        let stat = self.stat()?;
        let (user, system): (u64, u64) = (stat[11].parse()?, stat[12].parse()?);
        Ok(user + system)
    }

    /// What the kernel says of the process, from its state on.
    fn stat(&self) -> Result<Vec<String>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid));
        let stat = stat.context("the guest is gone")?;
        // The name before it may hold anything.
        let (_, stat) = stat
            .rsplit_once(')')
            .context("strange words of the kernel")?;
        let stat: Vec<String> = stat.split_whitespace().map(String::from).collect();
        ensure!(stat.len() > 12, "few words of the kernel");
        Ok(stat)
    }

    /// The end of what the guest printed, for an error.
    pub fn last_words(&self) -> String {
        let log = self.server.log().unwrap_or_default();
        format!("it printed:\n{}", process::tail(&log, 8))
    }

    pub fn wait_until(&self, what: &str, mut come: impl FnMut() -> Result<bool>) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !come()? {
            ensure!(Instant::now() < end, "not {what} after {PATIENCE:?}");
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}
