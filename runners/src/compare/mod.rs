//! `cargo compare`: this library beside its last release and Mio, in WasmEdge and natively.
//!
//! The measured programs are in `runners/compare`, a workspace of their own. Each run is a fresh
//! server and a fresh load generator; the contestants take turns, so that a machine that gets
//! slower gets slower for all of them. What is shown are medians. See `--help`.

mod bars;
mod budget;
pub mod build;
mod calls;
mod contestant;
mod cores;
mod counts;
mod figures;
mod http;
pub mod interrupt;
mod load;
mod machine;
mod measure;
mod output;
pub mod plan;
mod plot;
mod results;
pub mod server;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::host::Host;
use crate::prepare;
use budget::Overheads;
use build::Programs;
use cores::Cores;
use interrupt::Interrupt;
use machine::{Machine, Versions};
use measure::Bench;
use plan::{Lengths, Workload};
use results::{Measured, Results};

/// What is to be compared, and how well.
#[derive(Debug, Args)]
pub struct Options {
    /// Every workload, in longer runs: up to 20 minutes instead of 2.
    #[arg(long)]
    full: bool,
    /// Only these workloads: `echo`, `echo-16`, `echo-16-4000`, `churn`, `stream`, `response`,
    /// `udp`, `first-byte`, `http`.
    #[arg(long, value_name = "WORKLOAD,...", value_delimiter = ',')]
    only: Vec<String>,
    /// How many interleaved runs there are of each.
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Where the results go [default: target/compare].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do not measure: make the tables and the plot from this `results.json`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["full", "only", "runs"])]
    from: Option<PathBuf>,
    /// Write the results to docs/compare as well, which the README shows.
    #[arg(long)]
    publish: bool,
}

impl Options {
    fn lengths(&self) -> Lengths {
        if self.full {
            plan::FULL_LENGTHS
        } else {
            plan::SHORT_LENGTHS
        }
    }
}

pub fn main(host: &str, options: &Options) -> Result<ExitCode> {
    let out = options.out.clone().unwrap_or_else(build::folder);
    let mut results = match &options.from {
        Some(file) => Results::read(file)?,
        None => measure(host, options, &out)?,
    };
    output::write(&mut results, &out)?;
    output::print(&results);
    eprintln!("written to {}", out.display());
    if !results.has_runs() {
        bail!("nothing was measured");
    }
    if options.publish {
        if results.interrupted {
            bail!("results of an interrupted run are not published");
        }
        output::write(&mut results, &output::published())?;
        eprintln!("written to {}", output::published().display());
    }
    Ok(if results.interrupted {
        ExitCode::from(interrupt::STATUS)
    } else {
        ExitCode::SUCCESS
    })
}

fn measure(host: &str, options: &Options, out: &std::path::Path) -> Result<Results> {
    let mut workloads = plan::workloads(options.full, &options.only)?;
    let mut left_out = plan::within_limit(&mut workloads, raise_limit()?);
    eprintln!("Preparing");
    let toolchain = prepare::toolchain()?;
    let host = choose(host)?;
    let wrk = http::find_wrk(&mut workloads, &mut left_out);
    let mut programs = Programs::build(&toolchain, &host, &workloads)?;
    let mut versions = Versions::describe(&host, &toolchain);
    versions.http.extend(wrk.as_deref().and_then(http::version));
    programs.wrk = wrk;
    let cores = Cores::choose();
    let mut results = Results {
        machine: Machine::describe(cores),
        versions,
        mode: if options.full { "full" } else { "short" }.into(),
        rounds: options.runs.into(),
        modules: programs.modules(),
        interrupted: false,
        workloads: workloads.into_iter().map(Measured::new).collect(),
        notes: left_out
            .into_iter()
            .map(|(title, why)| format!("{title}: {why}."))
            .collect(),
    };
    let folder = out.join("logs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut bench = Bench {
        programs,
        cores,
        lengths: options.lengths(),
        folder,
        interrupt: Interrupt::catch()?,
        overheads: Overheads::default(),
        start: Instant::now(),
    };
    announce(&results, &bench);
    bench.measure(&mut results, &|results| output::write(results, out))?;
    eprintln!("measured in {}", budget::shown(bench.start.elapsed()));
    Ok(results)
}

/// The first host there is: of the line that the library is made for, if it can be had.
fn choose(name: &str) -> Result<Host> {
    let mut reasons = Vec::new();
    for wanted in prepare::hosts(name) {
        match wanted.host {
            Ok(host) => return Ok(host),
            Err(error) => reasons.push(format!("{}: {error:#}", wanted.name)),
        }
    }
    bail!("there is no host to compare in:\n{}", reasons.join("\n"))
}

/// Lets the servers have as many descriptors as this process may allow them, and says how many.
fn raise_limit() -> Result<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit of descriptors")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Says what is going to happen, and how long it may take.
fn announce(results: &Results, bench: &Bench) {
    let pairs = results.workloads.iter().flat_map(|measured| {
        let contestants = measured.contestants.keys();
        contestants.map(|contestant| (measured.workload, *contestant))
    });
    let runs = pairs.clone().count();
    let cost = |(workload, contestant): (Workload, _)| bench.overheads.expect(workload, contestant);
    let overhead: Duration = pairs.map(cost).sum();
    let rounds = results.rounds as u32;
    // Counting is a round of its own, with two servers for a guest.
    let estimate = overhead * (rounds + 2) + bench.lengths.run * rounds * runs as u32;
    eprintln!(
        "Measuring {runs} pairings of {} workloads and contestants, {rounds} runs of each; {}\n\
         This takes about {}, at most {}",
        results.workloads.len(),
        results.machine.pinning,
        budget::shown(estimate.min(bench.lengths.all)),
        budget::shown(bench.lengths.all)
    );
}
