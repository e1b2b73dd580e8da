//! The part of the measuring that counts: each contestant in each workload once for its host calls,
//! and once for its system calls, as far as the time for it goes.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::contestant::Contestant;
use super::counts::{self, PerRequest, Watched};
use super::measure::{self, Bench};
use super::plan::{Kind, Workload};
use super::results::{Entry, Results};
use crate::explain::explain;
use crate::trace;

/// What is counted of a contestant in a workload.
type Count = fn(&mut Bench, &Workload, Contestant, &mut Entry) -> Result<()>;

impl Bench {
    pub fn count_calls(&mut self, results: &mut Results) {
        let guests: fn(Contestant) -> bool = Contestant::is_guest;
        self.count_each(results, ("host calls", guests), Bench::host_calls);
        match trace::impossible() {
            None => self.count_each(
                results,
                ("system calls", |_| true),
                |bench, workload, one, entry| {
                    entry.counts.system_calls = bench.system_calls(workload, one)?;
                    Ok(())
                },
            ),
            Some(why) => results
                .notes
                .push(format!("System calls are not counted: {why}.")),
        }
    }

    /// Those with few idle connections first: they take less time.
    fn count_each(
        &mut self,
        results: &mut Results,
        (what, of): (&str, fn(Contestant) -> bool),
        count: Count,
    ) {
        let mut order: Vec<usize> = (0..results.workloads.len()).collect();
        order.sort_by_key(|at| results.workloads[*at].workload.idle);
        let pending = measure::pending(results);
        let pairings = pending.iter().filter(|(_, one)| of(*one)).count();
        let bar = measure::bar(pairings, &format!("counting {what}"));
        let mut left_out = 0;
        for at in order {
            let measured = &mut results.workloads[at];
            let workload = measured.workload;
            for (contestant, entry) in &mut measured.contestants {
                if self.interrupt.is_set() || entry.given_up || !of(*contestant) {
                    continue;
                }
                if self.counting_left().is_zero() {
                    left_out += 1;
                    continue;
                }
                let title = format!("{}: {}", workload.title(), workload.title_of(*contestant));
                bar.set_message(title.clone());
                let counted = count(self, &workload, *contestant, entry).context(title);
                if let Some(error) = counted.err().filter(|_| !self.interrupt.is_set()) {
                    let why = measure::one_line(&explain(&error));
                    results
                        .notes
                        .push(format!("The {what} are not counted of {why}."));
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        if left_out > 0 {
            let note = format!("There was no time to count the {what} of {left_out} pairings.");
            results.notes.push(note);
        }
    }

    /// What is left of the time in which calls may be counted.
    fn counting_left(&self) -> Duration {
        self.lengths.counting.saturating_sub(self.start.elapsed())
    }

    fn host_calls(
        &mut self,
        workload: &Workload,
        contestant: Contestant,
        entry: &mut Entry,
    ) -> Result<()> {
        let begun = Instant::now();
        let (command, names) = self.programs.counting(contestant, workload.kind)?;
        if workload.kind == Kind::Http {
            entry.counts.host_calls = Some(self.keep_alive(contestant, &command, Some(names))?);
            return Ok(());
        }
        match self.watch(command, workload, contestant, self.lengths.patience, None)? {
            Watched::Window(window) => {
                entry.counts.host_calls = Some(window.host_calls(names)?);
                let overhead = begun.elapsed().saturating_sub(self.lengths.window);
                self.overheads.learn(*workload, contestant, overhead);
            }
            // The timed runs would take as long in vain.
            Watched::NoAnswer(time) => measure::give_up(entry, time),
        }
        Ok(())
    }

    /// The system calls of a request; `None` if the server is too slow under strace.
    fn system_calls(
        &self,
        workload: &Workload,
        contestant: Contestant,
    ) -> Result<Option<PerRequest>> {
        let command = self.programs.command(contestant, workload.kind)?;
        if workload.kind == Kind::Http {
            return self.keep_alive(contestant, &command, None).map(Some);
        }
        let trace = self.folder.join("trace");
        let command = counts::traced(&command, &trace.to_string_lossy());
        let patience = self.lengths.patience.min(self.counting_left());
        let watched = self.watch(command, workload, contestant, patience, Some("/dev/null"))?;
        let calls = match watched {
            Watched::Window(window) => Some(window.system_calls(&trace)),
            Watched::NoAnswer(_) => None,
        };
        // It is long, and of no further use.
        let _ = std::fs::remove_file(trace);
        calls.transpose()
    }

    fn watch(
        &self,
        command: Command,
        workload: &Workload,
        contestant: Contestant,
        patience: Duration,
        trace: Option<&str>,
    ) -> Result<Watched> {
        let mut server = self.serve(command, workload, contestant)?;
        let times = (Duration::ZERO, counts::LOAD_TIME);
        let mut load = self.loader().start(workload, &server, times, trace)?;
        let times = (self.lengths.window, patience);
        counts::watch(workload, &mut server, &mut load, times, &self.interrupt)
    }
}
