//! What a request costs, counted apart from the timed runs: the guest's calls to its host by a
//! guest that is rewritten to count them, and the kernel's system calls by strace.
//!
//! Both are counted between two moments at which the server tells how many requests it has
//! served, so neither its start nor its connections' is in the figures. strace traces the server
//! from its start: to attach to it later would interrupt a wait, which the last release does not
//! survive in WasmEdge (0.14 to 0.17). In its trace the moments are found by what the server tells.
//! The load generator is traced too. Otherwise it would be so much faster than the server that
//! reads which find nothing as a rule found the next request.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::interrupt::Interrupt;
use super::load::Load;
use super::plan::Workload;
use super::server::{Server, Stats};
use crate::trace;

/// How often each call was made per request.
pub type PerRequest = BTreeMap<String, f64>;

/// How often a server that is getting its connections is looked at. Each look is a connection.
const GLANCE: Duration = Duration::from_millis(25);
/// A window holds so many requests if it can: the question at its end is a connection that counts.
const ENOUGH: u64 = 500;
/// It is made longer for them up to so many times.
const LONGEST: u32 = 10;
/// The load of a server that is watched must outlive the watching.
pub const LOAD_TIME: Duration = Duration::from_secs(600);

/// What one request costs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counts {
    pub host_calls: Option<PerRequest>,
    pub system_calls: Option<PerRequest>,
}

/// What the server told at both ends of a time.
#[derive(Debug)]
pub struct Window {
    from: Stats,
    to: Stats,
}

/// Why a server could not be watched.
#[derive(Debug)]
pub enum Watched {
    Window(Box<Window>),
    /// It served too little in so long.
    NoAnswer(Duration),
}

/// Waits until the server has its connections and serves, and then watches it for `length`, and
/// longer while it has served little.
pub fn watch(
    workload: &Workload,
    server: &mut Server,
    load: &mut Load,
    (length, patience): (Duration, Duration),
    interrupt: &Interrupt,
) -> Result<Watched> {
    let end = Instant::now() + patience;
    let mut settled: Option<u64> = None;
    let from = loop {
        thread::sleep(GLANCE);
        interrupt.check()?;
        server.check_alive()?;
        load.check_alive()?;
        if Instant::now() >= end {
            return Ok(Watched::NoAnswer(patience));
        }
        // It may be too busy with its connections.
        let Ok(stats) = server.stats() else { continue };
        let connected =
            !workload.keeps_connections() || stats.connections >= u64::from(workload.connections());
        match settled {
            Some(requests) if stats.requests > requests => break stats,
            None if connected && stats.requests > 0 => settled = Some(stats.requests),
            _ => {}
        }
    };
    let (enough, longest) = (from.requests + ENOUGH, Instant::now() + length * LONGEST);
    loop {
        thread::sleep(length);
        interrupt.check()?;
        load.check_alive()?;
        let to = server.stats()?;
        let long = Instant::now() >= longest.min(end);
        if to.requests >= enough || (long && to.requests > from.requests) {
            return Ok(Watched::Window(Box::new(Window { from, to })));
        }
        if Instant::now() >= end {
            return Ok(Watched::NoAnswer(patience));
        }
    }
}

impl Window {
    fn requests(&self) -> f64 {
        (self.to.requests - self.from.requests) as f64
    }

    /// The guest's calls, `names` in the order of their counters.
    pub fn host_calls(&self, names: &[String]) -> Result<PerRequest> {
        let (from, to) = (&self.from.host_calls, &self.to.host_calls);
        if from.len() < names.len() || to.len() < names.len() {
            bail!("the guest tells {} host calls of {}", to.len(), names.len());
        }
        let made = names.iter().zip(from.iter().zip(to));
        let made = made.map(|(name, (from, to))| (name.clone(), to - from));
        let made = made.filter(|(_, count)| *count > 0);
        Ok(made
            .map(|(name, count)| (name, count as f64 / self.requests()))
            .collect())
    }

    /// The system calls that strace wrote between what the server told at both ends.
    pub fn system_calls(&self, trace: &Path) -> Result<PerRequest> {
        let file = File::open(trace).context("strace wrote nothing")?;
        let [from, to] = [&self.from, &self.to].map(|stats| told(stats.requests));
        let mut lines = BufReader::new(file).split(b'\n').map(|line| {
            let line = line.context("cannot read strace's output")?;
            Ok::<_, anyhow::Error>(String::from_utf8_lossy(&line).into_owned())
        });
        let is =
            |line: &Result<String>, mark: &str| line.as_ref().is_ok_and(|line| line.contains(mark));
        ensure!(
            lines.any(|line| is(&line, &from)),
            "the trace has no beginning"
        );
        let mut calls = PerRequest::new();
        for line in lines {
            let line = line?;
            if line.contains(&to) {
                let requests = self.requests();
                calls.values_mut().for_each(|count| *count /= requests);
                return Ok(calls);
            }
            if let Some(name) = trace::call(&line) {
                *calls.entry(name.into()).or_default() += 1.0;
            }
        }
        bail!("the trace has no end")
    }
}

/// How strace shows that so many requests were told of.
fn told(requests: u64) -> String {
    format!("\\\"requests\\\":{requests},")
}

/// `command` under strace, which writes to `trace`. The process is still the command's.
pub fn traced(command: &Command, trace: &str) -> Command {
    let mut strace = Command::new("strace");
    // So much of what is sent is shown that the requests that are told of can be seen.
    strace.args(["-D", "-f", "-qq", "-s", "160", "-e", "signal=none", "-o"]);
    strace
        .arg(trace)
        .arg(command.get_program())
        .args(command.get_args());
    strace
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(requests: u64, calls: [u64; 3]) -> Window {
        let stats = |requests, host_calls: &[u64]| Stats {
            requests,
            host_calls: host_calls.to_vec(),
            ..Stats::default()
        };
        Window {
            from: stats(10, &[5, 5, 5]),
            to: stats(10 + requests, &calls),
        }
    }

    #[test]
    fn host_calls_are_those_of_the_window() {
        let names = ["poll_oneoff", "sock_recv", "fd_close"].map(String::from);
        let calls = window(100, [55, 205, 5]).host_calls(&names).unwrap();
        let expected = [("poll_oneoff", 0.5), ("sock_recv", 2.0)];
        assert_eq!(calls, expected.map(|(name, n)| (name.into(), n)).into());
        let more = ["a", "b", "c", "d"].map(String::from);
        assert!(window(1, [5; 3]).host_calls(&more).is_err());
    }

    #[test]
    fn system_calls_count_between_what_was_told() {
        let told = |requests| {
            format!(
                "7 sendmsg(9, {{msg_iov=[{{iov_base=\"{{\\\"allocations\\\":5,\
                 \\\"requests\\\":{requests},\\\"polls\"...}}]}}, 0) = 300\n"
            )
        };
        let trace = [
            "7 recvmsg(5, {}, 0) = 64\n",
            &told(9),
            "7 recvmsg(5, {}, 0) = 64\n",
            &told(10),
            "7 epoll_wait(3,  <unfinished ...>\n",
            "7 <... epoll_wait resumed>[], 1, -1) = 1\n",
            "7 recvmsg(5, {}, 0) = 64\n7 sendmsg(5, {}, 0) = 64\n",
            "7 recvmsg(5, {}, 0) = 64\n7 sendmsg(5, {}, 0) = 64\n",
            &told(12),
            "7 close(9) = 0\n",
        ];
        let file = std::env::temp_dir().join(format!("mio-wasi-trace-{}", std::process::id()));
        std::fs::write(&file, trace.concat()).unwrap();
        let calls = window(2, [5; 3]).system_calls(&file);
        let endless = window(3, [5; 3]).system_calls(&file);
        std::fs::remove_file(&file).unwrap();
        let expected = [("epoll_wait", 0.5), ("recvmsg", 1.0), ("sendmsg", 1.0)];
        assert_eq!(
            calls.unwrap(),
            expected.map(|(name, n)| (name.into(), n)).into()
        );
        assert!(endless.is_err());
    }
}
