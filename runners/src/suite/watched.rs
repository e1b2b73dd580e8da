//! A server seen as a process: it is stopped and continued, its descriptors are counted and
//! limited, its memory is measured, and how much processor time it uses tells whether it spins.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// How long anything may take. It only ends a hang.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How many ticks of the processor's clock, of which a second has 100, an idle guest may use in a
/// second. One that spins uses all that it gets.
const RESTFUL: u64 = 10;

/// A process of ours.
#[derive(Debug)]
pub struct Watched {
    pid: Pid,
}

impl Watched {
    pub fn new(process: &Child) -> Watched {
        let pid = Pid::from_child(process);
        Watched { pid }
    }

    /// Stops the process, as SIGSTOP does, until [`Watched::proceed`].
    pub fn stop(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        self.wait_until("stopped", || self.are_all("T"))
    }

    pub fn proceed(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Whether it waits for something.
    pub fn is_asleep(&self) -> Result<bool> {
        self.are_all("S")
    }

    /// Whether every thread is in this state: WasmEdge's first one only waits for the guest's.
    fn are_all(&self, state: &str) -> Result<bool> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid));
        for thread in threads.context("the guest is gone")? {
            if stat(&thread?.path().join("stat"))?[0] != state {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).context("cannot send a signal to the guest")
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
        let stat = stat(Path::new(&format!("/proc/{}/stat", self.pid)))?;
        let (user, system): (u64, u64) = (stat[11].parse()?, stat[12].parse()?);
        Ok(user + system)
    }

    /// How much of the machine's memory the process holds, in bytes.
    pub fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid));
        let status = status.context("the guest is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let line = line.context("few words of the kernel")?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim_end().parse()?;
        Ok(kilobytes << 10)
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

/// What the kernel says of a process or a thread, from its state on.
fn stat(file: &Path) -> Result<Vec<String>> {
    let stat = fs::read_to_string(file).context("the guest is gone")?;
    // The name before it may hold anything.
    let (_, stat) = stat
        .rsplit_once(')')
        .context("strange words of the kernel")?;
    let stat: Vec<String> = stat.split_whitespace().map(String::from).collect();
    ensure!(stat.len() > 12, "few words of the kernel");
    Ok(stat)
}
