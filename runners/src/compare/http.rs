//! The workload over HTTP: its servers are programs as their users write them, so they tell
//! nothing of themselves. They are loaded by wrk, and their calls are read from a trace.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::contestant::Contestant;
use super::cores;
use super::counts::PerRequest;
use super::load::{Ended, Report};
use super::measure::Bench;
use super::plan::{Kind, Workload};
use super::server::Server;
use crate::explain::explain;
use crate::prepare::tools::WRK;
use crate::process;
use crate::suite::budget::OPERATIONS;
use crate::suite::real::budget::{announcement, requests, traced};
use crate::trace::{self, Calls};

/// wrk takes whole seconds. It is told to stop before: an interruption ends it with its report.
const ENDLESS: &str = "1h";

/// Finds wrk if there is a workload for it. Without it that workload is taken out.
pub fn find_wrk(
    workloads: &mut Vec<Workload>,
    left_out: &mut BTreeMap<String, String>,
) -> Option<PathBuf> {
    let is_for_it = |workload: &Workload| workload.kind == Kind::Http;
    let title = workloads.iter().find(|one| is_for_it(one))?.title();
    match WRK.find_or_fetch() {
        Ok(wrk) => Some(wrk),
        Err(error) => {
            workloads.retain(|workload| !is_for_it(workload));
            left_out.insert(title, explain(&error));
            None
        }
    }
}

/// wrk's name and version.
pub fn version(wrk: &Path) -> Option<String> {
    let said = Command::new(wrk).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    let words: Vec<&str> = said.split_whitespace().take(2).collect();
    Some(words.join(" "))
}

impl Bench {
    /// Loads a server for so long.
    pub fn wrk(&self, workload: &Workload, server: &Server, time: Duration) -> Result<Ended> {
        let wrk = self.programs.wrk.as_ref().context("there is no wrk")?;
        let log = self.folder.join("wrk.log");
        let out = File::create(&log).context("cannot write the load's log")?;
        let mut command = Command::new(wrk);
        command
            .args(["-t1", "--latency", "-d", ENDLESS])
            .args(["-c", &workload.busy.to_string()])
            .arg(format!("http://{}/", server.address))
            .stdin(Stdio::null())
            .stderr(out.try_clone().context("cannot share the load's log")?)
            .stdout(out);
        let mut child = cores::pinned(self.cores.map(|cores| cores.load), || {
            command.spawn().context("cannot start wrk")
        })?;
        let pid = Pid::from_child(&child);
        let end = Instant::now() + time;
        let mut stopped = false;
        let status = process::wait(&mut child, time + self.lengths.patience, || {
            // The wait then sees its end.
            if self.interrupt.is_set() {
                let _ = kill_process(pid, Signal::KILL);
            } else if !stopped && Instant::now() >= end {
                let _ = kill_process(pid, Signal::INT);
                stopped = true;
            }
        })?;
        self.interrupt.check()?;
        let Some(status) = status else {
            return Ok(Ended::NoAnswer(time + self.lengths.patience));
        };
        let told = fs::read_to_string(&log).unwrap_or_default();
        ensure!(
            status.success(),
            "wrk: {status}: {}",
            process::tail(&told, 3)
        );
        Ok(Ended::Report(Box::new(report(&told)?)))
    }

    /// The calls that a request over a kept connection costs: those to the host of a guest that
    /// announces them, else those to the system.
    pub fn keep_alive(
        &self,
        contestant: Contestant,
        command: &Command,
        names: Option<&[String]>,
    ) -> Result<PerRequest> {
        let calls = if names.is_some() { "host" } else { "system" };
        let place = if contestant.is_guest() {
            "guest"
        } else {
            "native"
        };
        let program = contestant.program(Kind::Http).name;
        let place = self.folder.join(format!("{program}-{place}-{calls}"));
        // What another run printed would be taken for this one's.
        let _ = fs::remove_file(place.with_extension("log"));
        let trace = traced(command, &place)?;
        let lines = requests(&trace, 0, OPERATIONS)?;
        let calls = match names {
            None => trace::count(lines),
            Some(names) => {
                let mut calls = Calls::new();
                for name in lines.filter_map(|line| announcement(line, names)) {
                    *calls.entry(name.into()).or_default() += 1;
                }
                calls
            }
        };
        let per_request = |count| count as f64 / OPERATIONS as f64;
        let calls = calls.into_iter();
        Ok(calls
            .map(|(name, count)| (name, per_request(count)))
            .collect())
    }
}

/// What wrk's words say.
fn report(told: &str) -> Result<Report> {
    for fault in ["Socket errors:", "Non-2xx or 3xx responses:"] {
        let line = told.lines().find(|line| line.contains(fault));
        if let Some(line) = line {
            bail!("wrk tells of {}", line.trim());
        }
    }
    let words = |name: &str| {
        let mut lines = told.lines().map(str::split_whitespace);
        lines.find_map(|mut words| (words.next()? == name).then(|| words.collect::<Vec<_>>()))
    };
    let latency = |name: &str, at: usize| {
        let time = words(name).and_then(|words| microseconds(words.get(at)?));
        time.with_context(|| format!("wrk does not tell {name} of the latency:\n{told}"))
    };
    let number = |text: &str| text.parse::<f64>().ok();
    let throughput = words("Requests/sec:").and_then(|words| number(words.first()?));
    let throughput = throughput.with_context(|| format!("wrk tells no throughput:\n{told}"))?;
    let all = told
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "));
    let requests = all.and_then(|(requests, _)| requests.parse().ok());
    let requests: u64 = requests.with_context(|| format!("wrk tells no requests:\n{told}"))?;
    Ok(Report {
        requests,
        seconds: requests as f64 / throughput,
        throughput,
        p50_us: latency("50%", 0)?,
        p99_us: latency("99%", 0)?,
        // After the mean and the deviation.
        max_us: latency("Latency", 2)?,
        ..Report::default()
    })
}

/// `1.19ms` and the like.
fn microseconds(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let unit = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "\
Running 60m test @ http://127.0.0.1:34993/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.19ms    1.24ms   1.02s    84.99%
    Req/Sec    32.58k     4.52k   45.87k    70.00%
  Latency Distribution
     50%  682.00us
     75%    1.25ms
     90%    3.16ms
     99%    5.53ms
  64905 requests in 2.00s, 5.51MB read
Requests/sec:  32384.17
Transfer/sec:      2.75MB
";

    #[test]
    fn wrk_is_understood() {
        let report = report(TOLD).unwrap();
        assert_eq!((report.requests, report.throughput), (64905, 32384.17));
        assert_eq!((report.p50_us, report.p99_us), (682.0, 5530.0));
        assert_eq!(report.max_us, 1.02e6);
        assert!((report.seconds - 2.004).abs() < 0.001, "{report:?}");
    }

    #[test]
    fn what_went_wrong_is_no_report() {
        let without = |line: &str| {
            let lines = TOLD.lines().filter(|one| !one.contains(line));
            lines.collect::<Vec<_>>().join("\n")
        };
        for line in ["99%", "Latency  ", "Requests/sec", "requests in"] {
            assert!(report(&without(line)).is_err(), "{line}");
        }
        let faults = [
            "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
            "  Non-2xx or 3xx responses: 7\n",
        ];
        for fault in faults {
            let error = report(&format!("{TOLD}{fault}")).unwrap_err().to_string();
            assert!(error.contains(fault.trim()), "{error}");
        }
    }
}
