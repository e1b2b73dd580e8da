//! The load generator of `cargo compare`: connects to a server, keeps it busy for a while,
//! compares every byte that comes back, and prints one line of JSON.
//!
//! It is a single thread over Mio, so that with two processors the server has one for itself. Pin
//! both to theirs: on a shared one the system may run the client between a server's write and its
//! next read, which then finds the next request. A server that is served so stays with one
//! connection for long and hardly polls, and what its polls cost does not show, as
//! `polls_per_request` tells.
//!
//! Where anything is wrong, from a wrong byte to a lost connection, it prints no figures but a
//! sentence, and fails.

mod client;
mod control;
mod crowd;
mod engine;
mod payload;
#[path = "../../protocol.rs"]
mod protocol;
#[path = "../../sizes.rs"]
mod sizes;
mod workload;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;

use control::Stats;
use engine::{Engine, Outcome, PATIENCE};
use workload::Workload;

#[derive(Parser)]
struct Arguments {
    workload: Workload,
    /// Where the server listens
    #[arg(long)]
    server: SocketAddr,
    /// Where it answers questions about itself, if not there
    #[arg(long)]
    control: Option<SocketAddr>,
    /// Connections that send all the time
    #[arg(long, default_value_t = 16)]
    busy: usize,
    /// Connections that do not
    #[arg(long, default_value_t = 0)]
    idle: usize,
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 500)]
    warmup_ms: u64,
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 2000)]
    time_ms: u64,
    /// The pause between two idle connections' turns in the workload first-byte
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 1000)]
    gap_us: u64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<serde_json::Value> {
    let idle_needed = arguments.workload == Workload::FirstByte;
    let idle_useless = arguments.workload == Workload::Udp;
    ensure!(
        arguments.busy + arguments.idle > 0,
        "nothing to do without busy and idle connections"
    );
    ensure!(
        arguments.idle > 0 || !idle_needed,
        "first-byte takes idle connections: --idle"
    );
    ensure!(
        arguments.idle == 0 || !idle_useless,
        "udp has no connections that could be idle"
    );
    // Standard streams, epoll, the control connection, and some to spare.
    raise_limit(arguments.busy + arguments.idle + 16)?;
    measure(arguments)
}

fn raise_limit(needed: usize) -> Result<()> {
    let needed = needed as u64;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).context("raising the limit of open files")?;
    }
    ensure!(
        limit.current.is_none_or(|current| current >= needed),
        "so many connections take {needed} open files, and this process may have {}: \
         raise the limit, for example by `ulimit -n {needed}` as root",
        limit.current.unwrap_or(0)
    );
    Ok(())
}

fn measure(arguments: &Arguments) -> Result<serde_json::Value> {
    let Arguments { busy, idle, .. } = *arguments;
    let control = arguments.control.unwrap_or(arguments.server);
    let gap = Duration::from_micros(arguments.gap_us);
    let mut engine = Engine::new(arguments.workload, arguments.server, gap)?;
    let empty = Stats::ask(control)?;
    // The workload churn has no connection that could outlive a request.
    let asks = arguments.workload != Workload::Churn;
    engine.open(busy, idle, asks)?;
    if !asks {
        await_connections(control, busy + idle)?;
    }
    engine.run(Duration::from_millis(arguments.warmup_ms))?;
    let before = Stats::ask(control)?;
    let outcome = engine.run(Duration::from_millis(arguments.time_ms))?;
    let after = Stats::ask(control)?;
    if asks {
        engine.ask_idle()?;
    }

    let requests = (outcome.busy.len() + outcome.idle.len()) as u64;
    let difference = |name| Ok::<u64, anyhow::Error>(after.number(name)? - before.number(name)?);
    let counted = difference("requests")?;
    ensure!(
        counted == requests,
        "the server counted {counted} requests, and {requests} had replies"
    );
    let live = after.number("live_bytes")? as f64 - empty.number("live_bytes")? as f64;
    let connections = after.number("connections")?;
    let mut line = figures(arguments, outcome);
    line["bytes"] = (requests * engine.crowd().bytes_per_request() as u64).into();
    line["allocations_per_request"] =
        (difference("allocations")? as f64 / requests.max(1) as f64).into();
    line["polls_per_request"] = (difference("polls")? as f64 / requests.max(1) as f64).into();
    line["live_bytes_per_connection"] = (live / connections as f64).into();
    line["server"] = after.0;
    Ok(line)
}

/// Until the server has accepted all connections, so that it has held as many at once when the
/// measuring begins.
fn await_connections(control: SocketAddr, count: usize) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Stats::ask(control)?.number("connections")? < count as u64 {
        ensure!(
            Instant::now() < deadline,
            "the server does not accept all connections"
        );
    }
    Ok(())
}

/// What the clients saw. With the workload `first-byte` the latencies are the idle connections',
/// and the throughput is the busy ones'.
fn figures(arguments: &Arguments, outcome: Outcome) -> serde_json::Value {
    let seconds = outcome.elapsed.as_secs_f64();
    let requests = outcome.busy.len() + outcome.idle.len();
    let throughput = outcome.busy.len() as f64 / seconds;
    let mut latencies = match arguments.workload {
        Workload::FirstByte => outcome.idle,
        _ => outcome.busy,
    };
    latencies.sort_unstable();
    json!({
        "workload": arguments.workload.name(),
        "busy": arguments.busy,
        "idle": arguments.idle,
        "requests": requests,
        "seconds": seconds,
        "throughput": throughput,
        "p50_us": percentile(&latencies, 0.5),
        "p99_us": percentile(&latencies, 0.99),
        "max_us": percentile(&latencies, 1.0),
        "errors": 0,
    })
}

/// The smallest of the ascending `nanoseconds` that a share of them does not exceed, in
/// microseconds.
fn percentile(nanoseconds: &[u64], share: f64) -> Option<f64> {
    let rank = (nanoseconds.len() as f64 * share).ceil() as usize;
    let value = nanoseconds.get(rank.max(1) - 1)?;
    Some(*value as f64 / 1000.0)
}
