//! A server of the examples as a process: where it listens, and what it must not keep.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::demo::server::address;
use crate::process;
use crate::suite::watched::{PATIENCE, Watched};

/// How long a program may take until it says that it listens.
const START: Duration = Duration::from_secs(30);

/// How often a load comes before it is measured. A guest never gives back the memory that its
/// busiest moment has asked for, and an allocator needs a few turns of one load to find its places:
/// natively too a server grows by a megabyte in the second.
const WARM_UP: usize = 3;

/// By how much one more turn may enlarge a server: an allocator that still finds its places needs
/// up to half of it. The loads are so large that a server would need more if it kept a buffer (8
/// KiB of hyper's) of each of hundreds of connections, or an allocation of each of wrk's requests.
const GROWTH: i64 = 2 << 20;
/// So many last turns are played until one leaves nothing.
const TURNS: usize = 3;

/// A running example. It is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: PathBuf,
    process: Watched,
    pub address: SocketAddr,
}

impl Program {
    /// Runs `command` until it says where it listens; what it prints goes to the file `log`.
    pub fn run(mut command: Command, log: PathBuf) -> Result<Program> {
        // What another program printed would be taken for this one's.
        let _ = fs::remove_file(&log);
        let child = process::spawn_logged(&mut command, &log)?;
        let mut program = Program {
            process: Watched::new(&child),
            child,
            log,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        program.address = program.listens()?;
        Ok(program)
    }

    fn listens(&mut self) -> Result<SocketAddr> {
        let end = Instant::now() + START;
        loop {
            let log = self.printed()?;
            let address = address(&log, "tcp").or_else(|| address(&log, "udp"));
            // The lines that follow say how to try it.
            if let Some(address) = address {
                return Ok(address);
            }
            if let Some(status) = self.child.try_wait().context("cannot look after it")? {
                bail!("it ended before it served ({status}):\n{log}");
            }
            ensure!(Instant::now() < end, "it does not listen:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn printed(&self) -> Result<String> {
        let log = fs::read(&self.log).context("cannot read what it prints")?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    /// The end of what it printed, for an error.
    pub fn last_words(&self) -> String {
        let log = self.printed().unwrap_or_default();
        format!("the server printed:\n{}", process::tail(&log, 8))
    }

    /// Waits for the end of a program that was asked to end.
    pub fn ends(&mut self) -> Result<ExitStatus> {
        let status = process::wait(&mut self.child, PATIENCE, || {})?;
        status.context("it does not end")
    }

    /// Does the same a few times, and fails if the last time leaves the server with more than the
    /// others have: memory, descriptors, or something to do.
    pub fn leaves_nothing(&self, mut play: impl FnMut(Turn) -> Result<()>) -> Result<()> {
        let before = self.sockets()?;
        for _ in 0..WARM_UP {
            play(Turn::WarmUp).with_context(|| self.last_words())?;
        }
        let mut growths = Vec::new();
        // A turn may happen to have more at a time than those before it. A leak grows in each.
        while growths.len() < TURNS && growths.iter().all(|growth| *growth > GROWTH) {
            let memory = self.resident()?;
            play(Turn::Last).with_context(|| self.last_words())?;
            self.has_sockets(before)?;
            let growth = self.resident()? as i64 - memory as i64;
            self.note(&format!("{memory} bytes resident, then {growth:+}"))?;
            growths.push(growth);
        }
        ensure!(
            growths.iter().any(|growth| *growth <= GROWTH),
            "it grew by {growths:?} bytes in its last turns"
        );
        self.expect_rest()
    }

    /// Leaves a figure beside the logs, for people.
    pub fn note(&self, figure: &str) -> Result<()> {
        let path = self.log.with_file_name("real-figures.txt");
        let file = File::options().create(true).append(true).open(path);
        let name = self.log.file_stem().unwrap_or_default().to_string_lossy();
        writeln!(file?, "{name}: {figure}").context("cannot note a figure")
    }

    /// Waits until it has as many sockets as `before`, and perhaps the one that the library opens
    /// for itself when it first needs it.
    pub fn has_sockets(&self, before: usize) -> Result<()> {
        let mut found = 0;
        let reached = self.wait_until("so", || {
            found = self.sockets()?;
            Ok((before..=before + 1).contains(&found))
        });
        reached.with_context(|| format!("it had {before} sockets and has {found}"))
    }
}

/// Which turn of a load it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    WarmUp,
    Last,
}

impl Deref for Program {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.process
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
