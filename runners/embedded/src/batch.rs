//! `embedded suite`: every case of a guest that lists its cases, each in a store of its own, in
//! one process. With seeds, each case meets the faults of each seed, and what it made of them is
//! judged.
//!
//! A line of JSON for each case that is not simply passed, and one for each seed at its end.

use std::collections::HashSet;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;
use wasmtime::error::Context as _;
use wasmtime::{Engine, Module, Result, ensure, format_err};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

use crate::adversary::{Adversary, Fault, Order};
use crate::engine::Pulse;
use crate::errno::Errno;
use crate::guest::{self, End};
use crate::settings::Settings;

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// The guest's exit status for a skipped case.
const SKIPPED: i32 = 77;
const NO_AF_UNIX: &str = "no-af-unix";
/// No case needs more, and all cases share what this process may have.
const DESCRIPTORS: usize = 640;
/// A guest's output beyond this is not kept.
const OUTPUT: usize = 1 << 20;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    settings: Settings,
    /// Meet the faults of these seeds: `7` or `0..500`.
    #[arg(long, value_parser = seeds)]
    seeds: Option<std::ops::Range<u64>>,
    /// Only the cases whose names contain this.
    #[arg(long, default_value = "")]
    case: String,
    /// Cases at a time: most of their time they wait.
    #[arg(long, default_value_t = 8)]
    jobs: usize,
    /// The guest.
    guest: PathBuf,
}

fn seeds(text: &str) -> Result<std::ops::Range<u64>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no seed"));
    match text.split_once("..") {
        Some((from, to)) => Ok(number(from)?..number(to)?),
        None => number(text).map(|seed| seed..seed + 1),
    }
}

/// One case, as `suite --list` tells it.
#[derive(Debug, Clone)]
struct Case {
    name: String,
    flags: Vec<String>,
}

/// What became of a case.
#[derive(Debug, Clone, Serialize)]
struct Verdict {
    case: String,
    seed: Option<u64>,
    outcome: Outcome,
    /// What it said, where it did not pass.
    text: String,
    /// What the seed chose, and what came of it: as orders for `--fault`.
    chosen: Vec<String>,
    faults: Vec<String>,
    calls: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Passed,
    Skipped,
    /// It ended with an error that a fault explains.
    Explained,
    Failed,
}

pub fn main(options: &Options) -> Result<bool> {
    let pulse = Pulse::start()?;
    let module = pulse.module(&options.guest)?;
    let cases = list(&pulse.engine, &module, options)?;
    let seeds: Vec<Option<u64>> = match options.seeds.clone() {
        None => vec![None],
        Some(seeds) => seeds.map(Some).collect(),
    };
    raise_limit();
    let work: Vec<(Option<u64>, &Case)> = seeds
        .iter()
        .flat_map(|seed| cases.iter().map(move |case| (*seed, case)))
        .collect();
    let next = AtomicUsize::new(0);
    let well = Mutex::new(true);
    thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                while let Some((seed, case)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = judge(&pulse.engine, &module, options, case, *seed);
                    let line = serde_json::to_string(&verdict).unwrap_or_default();
                    let mut well = well.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    println!("{line}");
                    *well &= verdict.outcome != Outcome::Failed;
                }
            });
        }
    });
    Ok(well.into_inner().unwrap_or(false))
}

/// Every guest has its own table, but this process has one for all.
fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // As it is, it does for few cases at a time.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn list(engine: &Engine, module: &Module, options: &Options) -> Result<Vec<Case>> {
    let (end, text, _) = start(engine, module, options, &["suite", "--list"], None, &[])?;
    ensure!(
        matches!(end, End::Exit(0)),
        "the guest lists no cases: {end:?}\n{text}"
    );
    let case = |line: &str| {
        let (name, flags) = line.split_once('\t').unwrap_or((line, ""));
        let flags = flags.split(',').map(String::from).collect();
        let name = name.into();
        Case { name, flags }
    };
    let cases: Vec<Case> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(case)
        .collect();
    let cases = cases
        .into_iter()
        .filter(|case| case.name.contains(&options.case));
    let cases: Vec<Case> = cases.collect();
    ensure!(!cases.is_empty(), "the guest lists no such case");
    Ok(cases)
}

/// What a case met.
#[derive(Debug, Default)]
struct Met {
    chosen: Vec<Order>,
    faults: Vec<Order>,
    calls: u64,
}

type Ran = (End, String, Met);

fn start(
    engine: &Engine,
    module: &Module,
    options: &Options,
    words: &[&str],
    seed: Option<u64>,
    flags: &[String],
) -> Result<Ran> {
    let mut settings = options.settings.clone();
    settings.allow_af_unix = !flags.iter().any(|flag| flag == NO_AF_UNIX);
    let output = MemoryOutputPipe::new(OUTPUT);
    let mut builder = WasiCtxBuilder::new();
    builder.stdout(output.clone()).stderr(output.clone());
    let words: Vec<_> = words.iter().map(Into::into).collect();
    let adversary = seed.map(|seed| match &settings.fault[..] {
        [] => Adversary::of_seed(seed, &without(flags)),
        faults => Adversary::new(seed, faults.to_vec()),
    });
    if let Some(adversary) = &adversary {
        let chosen: Vec<String> = adversary
            .orders()
            .iter()
            .map(|order| order.fault.to_string())
            .collect();
        settings
            .env
            .push(format!("MIO_WASI_FAULTS={}", chosen.join(",")));
    }
    let wasi = settings.wasi(builder, &words)?;
    let mut host = settings.host_over(wasi)?;
    host.most = DESCRIPTORS;
    host.deadline = Some(Instant::now() + LIMIT);
    host.adversary = adversary;
    let (end, host) = guest::run(engine, module, host, settings.plain)?;
    let text = String::from_utf8_lossy(&output.contents()).into_owned();
    let adversary = host.adversary.as_ref();
    let met = Met {
        chosen: adversary
            .map(|adversary| adversary.orders().to_vec())
            .unwrap_or_default(),
        faults: adversary
            .map(|adversary| adversary.log().to_vec())
            .unwrap_or_default(),
        calls: host.calls,
    };
    Ok((end, text, met))
}

/// The faults that a case is not to meet: `not-short`, say.
fn without(flags: &[String]) -> Vec<Fault> {
    let names = flags.iter().filter_map(|flag| flag.strip_prefix("not-"));
    names
        .filter_map(|name| Fault::from_str(name, false).ok())
        .collect()
}

fn judge(
    engine: &Engine,
    module: &Module,
    options: &Options,
    case: &Case,
    seed: Option<u64>,
) -> Verdict {
    let words = ["suite", &case.name];
    let ran = panic::catch_unwind(AssertUnwindSafe(|| {
        start(engine, module, options, &words, seed, &case.flags)
    }));
    let ran = ran.unwrap_or_else(|_| Err(format_err!("the host panicked")));
    let (outcome, text, met) = match ran.context("it did not run") {
        Ok((End::Exit(0), _, met)) => (Outcome::Passed, String::new(), met),
        Ok((End::Exit(SKIPPED), text, met)) => (Outcome::Skipped, text, met),
        Ok((end, text, met)) => (verdict(&end, &text, &met), format!("{text}\n{end:?}"), met),
        Err(error) => (Outcome::Failed, format!("{error:?}"), Met::default()),
    };
    let shown = |orders: &[Order]| orders.iter().map(Order::to_string).collect();
    Verdict {
        case: case.name.clone(),
        seed,
        outcome,
        text,
        chosen: shown(&met.chosen),
        faults: shown(&met.faults),
        calls: met.calls,
    }
}

/// Only a panic of the case's own that names an error that a fault explains is excused.
fn verdict(end: &End, text: &str, met: &Met) -> Outcome {
    let own = matches!(end, End::Trap(why) if why.contains("unreachable"));
    let faults: HashSet<Fault> = met.faults.iter().map(|order| order.fault).collect();
    let mut errnos = faults.iter().flat_map(|fault| fault.explains());
    match own && errnos.any(|errno| names(text, *errno)) {
        true => Outcome::Explained,
        false => Outcome::Failed,
    }
}

/// Whether `text` shows an `io::Error` of that number, as `Debug` or as `Display` has it, or its
/// kind.
fn names(text: &str, errno: Errno) -> bool {
    let debug = format!("Os {{ code: {},", errno.0);
    let display = format!("(os error {})", errno.0);
    let kind = io::Error::from_raw_os_error(system(errno)).kind();
    let kind = format!("{kind:?}");
    text.contains(&debug)
        || text.contains(&display)
        || (kind != "Uncategorized" && text.contains(&kind))
}

/// This machine's number of the errors whose kinds have names.
fn system(errno: Errno) -> i32 {
    match errno {
        Errno::AGAIN => libc::EAGAIN,
        Errno::INTR => libc::EINTR,
        Errno::CONNABORTED => libc::ECONNABORTED,
        Errno::CONNRESET => libc::ECONNRESET,
        Errno::NOTCONN => libc::ENOTCONN,
        Errno::PIPE => libc::EPIPE,
        Errno::TIMEDOUT => libc::ETIMEDOUT,
        _ => 0,
    }
}
