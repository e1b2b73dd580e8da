//! The measuring itself: first what a request costs, then the timed runs, round by round. Every
//! run has a fresh server. A run that fails is noted and does not stop the others.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::ProgressBar;

use super::budget::{self, Overheads};
use super::build::Programs;
use super::contestant::Contestant;
use super::cores::Cores;
use super::interrupt::Interrupt;
use super::load::{Ended, Loader};
use super::plan::{Kind, Lengths, Workload};
use super::results::{Entry, Measured, Results, Run};
use super::server::Server;
use crate::explain::explain;
use crate::progress;

/// Called whenever something is worth keeping.
type Keep<'a> = &'a dyn Fn(&mut Results) -> Result<()>;

#[derive(Debug)]
pub struct Bench {
    pub programs: Programs,
    pub cores: Option<Cores>,
    pub lengths: Lengths,
    /// Where logs and traces go.
    pub folder: PathBuf,
    pub interrupt: Interrupt,
    pub overheads: Overheads,
    /// When it all began.
    pub start: Instant,
}

impl Bench {
    /// Counts, then times. What was measured before an interruption is in `results`.
    pub fn measure(&mut self, results: &mut Results, keep: Keep) -> Result<()> {
        self.count_calls(results);
        keep(results)?;
        for round in 1..=results.rounds {
            if self.is_over() {
                break;
            }
            let slice = self.slice(results, round);
            self.round(results, round, slice);
            keep(results)?;
        }
        if self.start.elapsed() >= self.lengths.all {
            let limit = budget::shown(self.lengths.all);
            results
                .notes
                .push(format!("The limit of {limit} left no time for the rest."));
        }
        if self.interrupt.is_set() {
            results.interrupted = true;
            results
                .notes
                .push("Interrupted: this is what was measured until then.".into());
        }
        keep(results)
    }

    /// Whether no further run is to begin.
    fn is_over(&self) -> bool {
        self.interrupt.is_set() || self.start.elapsed() >= self.lengths.all
    }

    /// What one run may take in this round and the next ones.
    fn slice(&self, results: &Results, round: usize) -> Duration {
        let runs = pending(results);
        let overhead: Duration = runs
            .iter()
            .map(|(workload, contestant)| self.overheads.expect(*workload, *contestant))
            .sum();
        let rounds = results.rounds + 1 - round;
        let left = self.lengths.all.saturating_sub(self.start.elapsed());
        let most = self.lengths.run;
        budget::slice(left, runs.len() * rounds, overhead * rounds as u32, most)
    }

    fn round(&mut self, results: &mut Results, round: usize, slice: Duration) {
        let runs = pending(results).len();
        let bar = bar(runs, &format!("round {round} of {}", results.rounds));
        for measured in &mut results.workloads {
            let workload = measured.workload;
            for (contestant, entry) in &mut measured.contestants {
                if self.is_over() || entry.given_up {
                    continue;
                }
                bar.set_message(format!(
                    "{}: {}",
                    workload.title(),
                    workload.title_of(*contestant)
                ));
                let begun = Instant::now();
                let ended = self.run(&workload, *contestant, slice);
                let overhead = begun.elapsed().saturating_sub(slice);
                self.overheads.learn(workload, *contestant, overhead);
                note(entry, round, ended, &self.interrupt);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
    }

    /// One timed run.
    fn run(&self, workload: &Workload, contestant: Contestant, slice: Duration) -> Result<Ended> {
        let command = self.programs.command(contestant, workload.kind)?;
        let mut server = self.serve(command, workload, contestant)?;
        if workload.kind == Kind::Http {
            let ended = self.wrk(workload, &server, slice);
            return ended.or_else(|error| server.check_alive().and(Err(error)));
        }
        let times = budget::split(slice);
        let load = self.loader().start(workload, &server, times, None)?;
        let ended = load.finish(self.lengths.patience + slice, &self.interrupt);
        // The load generator only sees that its connections are gone.
        ended.or_else(|error| server.check_alive().and(Err(error)))
    }

    pub fn serve(
        &self,
        command: Command,
        workload: &Workload,
        contestant: Contestant,
    ) -> Result<Server> {
        let guest = if contestant.is_guest() { "-guest" } else { "" };
        let name = format!(
            "{}-{}{guest}.log",
            workload.id(),
            contestant.program(workload.kind).name
        );
        let core = self.cores.map(|cores| cores.server);
        Server::start(
            command,
            workload.kind,
            core,
            &self.folder.join(name),
            &self.interrupt,
        )
    }

    pub fn loader(&self) -> Loader {
        Loader {
            program: self.programs.load(),
            core: self.cores.map(|cores| cores.load),
            folder: self.folder.clone(),
        }
    }
}

/// The runs of a round that are still to be made.
pub fn pending(results: &Results) -> Vec<(Workload, Contestant)> {
    let of = |measured: &Measured| {
        let entries = measured.contestants.iter();
        let open = entries.filter(|(_, entry)| !entry.given_up);
        let workload = measured.workload;
        open.map(|(contestant, _)| (workload, *contestant))
            .collect::<Vec<_>>()
    };
    results.workloads.iter().flat_map(of).collect()
}

/// Adds a run to what is known, or why there is none.
fn note(entry: &mut Entry, round: usize, ended: Result<Ended>, interrupt: &Interrupt) {
    match ended {
        Ok(Ended::Report(mut report)) => {
            if let Some(server) = &mut report.server {
                // A guest that was not rewritten counts none, at length.
                server.host_calls.clear();
            }
            let report = *report;
            entry.runs.push(Run { round, report });
        }
        Ok(Ended::NoAnswer(time)) => give_up(entry, time),
        // What broke off because of it is no failure.
        Err(_) if interrupt.is_set() => {}
        Err(error) => entry.failure = Some(one_line(&explain(&error))),
    }
}

pub fn give_up(entry: &mut Entry, time: Duration) {
    // One that has answered before may have been unlucky.
    entry.given_up = entry.runs.is_empty();
    entry.failure = Some(format!("no answer in {}", budget::shown(time)));
}

pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn bar(len: usize, name: &str) -> ProgressBar {
    let bar = progress::bar(len, name);
    if bar.is_hidden() {
        eprintln!("  {name} ...");
    }
    bar
}
