//! The load generator as a process, and what it reports.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::cores;
use super::counts;
use super::interrupt::Interrupt;
use super::plan::Workload;
use super::server::{Server, Stats};
use crate::process;

/// What a load generator tells.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    pub requests: u64,
    pub seconds: f64,
    /// Requests a second.
    pub throughput: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
    #[serde(default)]
    pub bytes: u64,
    #[serde(default)]
    pub allocations_per_request: Option<f64>,
    #[serde(default)]
    pub live_bytes_per_connection: Option<f64>,
    #[serde(default)]
    pub server: Option<Stats>,
}

/// How the load generator is started.
#[derive(Debug, Clone)]
pub struct Loader {
    pub program: PathBuf,
    pub core: Option<usize>,
    pub folder: PathBuf,
}

/// How a load that was waited for ended.
#[derive(Debug)]
pub enum Ended {
    Report(Box<Report>),
    /// It was killed when its time was up.
    NoAnswer(Duration),
}

/// A running load generator. It is killed when this is dropped.
#[derive(Debug)]
pub struct Load {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Loader {
    /// With `trace` it runs under strace, which writes there.
    pub fn start(
        &self,
        workload: &Workload,
        server: &Server,
        (warmup, time): (Duration, Duration),
        trace: Option<&str>,
    ) -> Result<Load> {
        let mut command = Command::new(&self.program);
        command.arg(workload.kind.name());
        command.args(["--server", &server.address.to_string()]);
        command.args(["--control", &server.control.to_string()]);
        command.args(["--busy", &workload.busy.to_string()]);
        command.args(["--idle", &workload.idle.to_string()]);
        command.args(["--warmup-ms", &warmup.as_millis().to_string()]);
        command.args(["--time-ms", &time.as_millis().to_string()]);
        if let Some(trace) = trace {
            command = counts::traced(&command, trace);
        }
        let (out, err) = (self.folder.join("load.json"), self.folder.join("load.log"));
        let create = |path: &Path| {
            File::create(path).with_context(|| format!("cannot write {}", path.display()))
        };
        command.stdin(Stdio::null());
        command.stdout(create(&out)?).stderr(create(&err)?);
        let child = cores::pinned(self.core, || {
            command.spawn().context("cannot start the load generator")
        })?;
        Ok(Load { child, out, err })
    }
}

impl Load {
    /// Waits for its end, at most for `limit`.
    pub fn finish(mut self, limit: Duration, interrupt: &Interrupt) -> Result<Ended> {
        let pid = Pid::from_child(&self.child);
        let status = process::wait(&mut self.child, limit, || {
            if interrupt.is_set() {
                // The wait then sees its end.
                let _ = kill_process(pid, Signal::KILL);
            }
        })?;
        interrupt.check()?;
        let Some(status) = status else {
            return Ok(Ended::NoAnswer(limit));
        };
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        if !status.success() {
            bail!("{}", process::tail(&read(&self.err), 3));
        }
        let printed = read(&self.out);
        let line = printed.lines().find(|line| line.starts_with('{'));
        let line = line.with_context(|| format!("the load generator printed {printed:?}"))?;
        let report = serde_json::from_str(line);
        let report = report.with_context(|| format!("the load generator's report is {line}"))?;
        Ok(Ended::Report(Box::new(report)))
    }

    /// Fails, with its reason, if it has ended though it was to go on.
    pub fn check_alive(&mut self) -> Result<()> {
        if self
            .child
            .try_wait()
            .context("cannot look after the load")?
            .is_some()
        {
            let why = fs::read_to_string(&self.err).unwrap_or_default();
            bail!("{}", process::tail(&why, 3));
        }
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
