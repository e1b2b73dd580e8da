//! `cargo demo`: a guest inside WasmEdge serves real TCP and UDP clients, and every byte that comes
//! back is compared with what was sent. Where there is no WasmEdge, the embedded host does.

pub mod clients;
pub mod server;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{HumanBytes, HumanCount};

use crate::explain::explain;
use crate::host::{Host, Kind};
use crate::prepare::{ANY_HOST, Toolchain};
use crate::progress::{self, Step};
use crate::{guest, prepare, process};
use clients::Tally;
use server::Server;

/// No demo takes longer: a server that stalls is reported, not waited for.
const LIMIT: Duration = Duration::from_secs(120);

pub fn main(host: &str) -> Result<ExitCode> {
    eprintln!("Preparing");
    let (toolchain, host) = prepared(host)?;
    let step = Step::start("building the guest examples/echo.rs");
    let built = guest::build_quietly(&toolchain, &["--release", "--example", "echo"]);
    let modules = match built {
        Ok(modules) => modules,
        Err(error) => {
            step.give_up();
            return Err(error.context("the demo needs its guest; see what cargo says below"));
        }
    };
    step.done("done");
    let wasm = guest::module(&modules, "echo")?;
    let compiled = compiled(&host, wasm)?;
    let mut server = Server::start(&host, &compiled)?;
    eprintln!("Serving at tcp {} and udp {}", server.tcp, server.udp);

    let bar = progress::bar(clients::PORTIONS, "clients");
    let start = Instant::now();
    let tally = clients::drive(&server, start + LIMIT, &|| bar.inc(1));
    let elapsed = start.elapsed();
    bar.finish_and_clear();

    // A guest that died explains the clients' errors better than they do.
    let died = server.has_ended()?;
    let log = server.stop()?;
    show(&host, &tally, elapsed);
    if let Some(status) = died {
        let log = process::indent(&process::tail(&log, 20));
        bail!(
            "the guest ended by itself ({status}). What it printed:\n{log}\n\
             Run it by hand with `cargo guest run --release --example echo` to see more."
        );
    }
    if let Some(first) = tally.errors.first() {
        let log = process::indent(&process::tail(&log, 20));
        bail!(
            "{} clients failed; the first: {first}\nWhat the guest printed:\n{log}\n\
             If the machine is short of ports or descriptors (`ulimit -n`), free some and try \
             again; otherwise this is a fault of the library: please report it.",
            tally.errors.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The toolchain and the host. Where no WasmEdge is to be had, the embedded host does.
fn prepared(name: &str) -> Result<(Toolchain, Host)> {
    let both = prepare::both(name);
    let Err(error) = both.as_ref() else {
        return both;
    };
    if name != ANY_HOST {
        return both;
    }
    // Without a toolchain there is nothing to run.
    let toolchain = prepare::toolchain()?;
    eprintln!("  no WasmEdge: {}", explain(error));
    eprintln!("  so the embedded Wasmtime is the host");
    Ok((toolchain, Host::embedded(Kind::Embedded)?))
}

/// The guest as the host runs it best.
fn compiled(host: &Host, wasm: &Path) -> Result<PathBuf> {
    if host.kind != Kind::WasmEdge {
        return Ok(wasm.into());
    }
    let step = Step::start(format!("compiling it ahead of time with {host}"));
    let compiled = host.compiled(wasm);
    match &compiled {
        Ok(so) => step.done(&so.display().to_string()),
        Err(_) => step.give_up(),
    }
    compiled
}

fn show(host: &Host, tally: &Tally, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = HumanBytes((2.0 * tally.bytes as f64 / seconds) as u64);
    let requests = (tally.requests as f64 / seconds) as u64;
    let compiled = match host.kind {
        Kind::WasmEdge => ", guest compiled ahead of time",
        _ => "",
    };
    println!("host         {host}{compiled}");
    println!(
        "connections  {} TCP, {} UDP sockets",
        tally.connections, tally.sockets
    );
    println!(
        "requests     {} ({} per second)",
        HumanCount(tally.requests),
        HumanCount(requests)
    );
    println!(
        "bytes        {} each way, all compared",
        HumanBytes(tally.bytes)
    );
    println!("rate         {rate} per second, both ways, in {seconds:.1} s");
    if tally.resent > 0 {
        println!("resent       {} datagrams, as UDP allows", tally.resent);
    }
    println!("errors       {}", tally.errors.len());
}

/// What remains until `end`, as a socket's time limit, which may not be zero.
fn remaining(end: Instant) -> Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { None } else { Some(left) }.context("the demo's time is over")
}
