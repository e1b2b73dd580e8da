//! Wasmtime as a host for WasmEdge's guests: the same calls, the same errors, the same encodings,
//! over this machine's sockets. It is there wherever cargo is, and it can fail on demand.

mod address;
mod adversary;
mod batch;
mod calls;
mod clock;
mod component;
mod engine;
mod errno;
mod guest;
mod host;
mod memory;
mod names;
mod option;
mod poll;
mod settings;
mod sock;
mod trace;
mod transfer;
mod wasi;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use wasmtime::Result;
use wasmtime::error::Context as _;

use crate::engine::Pulse;
use crate::guest::End;
use crate::settings::Settings;
use crate::trace::Tracer;

/// Runs guests that use WasmEdge's sockets, in Wasmtime.
#[derive(Debug, Parser)]
#[command(name = "embedded", version)]
struct Cli {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Run a guest; its exit status is this program's, and 134 after a trap, as WasmEdge's is.
    Run {
        #[command(flatten)]
        settings: Settings,
        /// The guest and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        guest: Vec<OsString>,
    },
    /// Run a guest and show each call that it makes of its host; its exit status is this program's.
    Trace {
        #[command(flatten)]
        options: trace::Options,
        #[command(flatten)]
        settings: Settings,
        /// The guest and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        guest: Vec<OsString>,
    },
    /// Run a component for wasm32-wasip2, with the sockets of WASI 0.2.
    Component {
        #[command(flatten)]
        settings: Settings,
        /// The component and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        guest: Vec<String>,
    },
    /// Run every case of a guest that lists them, and with seeds against their faults.
    Suite(batch::Options),
}

/// WasmEdge's exit status after a trap.
const TRAPPED: u8 = 134;
/// How long a guest whose time is over may take to be ended in order.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let done = match Cli::parse().job {
        Job::Run { settings, guest } => run(&settings, &guest, None),
        Job::Trace {
            options,
            settings,
            guest,
        } => Tracer::new(&options).and_then(|tracer| run(&settings, &guest, Some(tracer))),
        Job::Component { settings, guest } => component(&settings, &guest),
        Job::Suite(options) => batch::main(&options).map(|well| match well {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(settings: &Settings, words: &[OsString], tracer: Option<Tracer>) -> Result<ExitCode> {
    let (wasm, _) = words.split_first().context("no guest is named")?;
    let pulse = Pulse::start()?;
    let module = pulse.module(Path::new(wasm))?;
    let mut host = settings.host(words)?;
    if let Some(tracer) = &tracer {
        host.observer = Some(Box::new(tracer.clone()));
    }
    watch(settings.time_limit);
    let (end, host) = guest::run(&pulse.engine, &module, host, settings.plain)?;
    if let Some(tracer) = &tracer {
        tracer.finish(&end);
    }
    if let Some(adversary) = &host.adversary {
        let log: Vec<String> = adversary
            .log()
            .iter()
            .map(|order| order.to_string())
            .collect();
        eprintln!("faults: {}", log.join(","));
    }
    Ok(match end {
        End::Exit(code) => ExitCode::from(code as u8),
        End::Trap(why) => {
            eprintln!("error: {why}");
            ExitCode::from(TRAPPED)
        }
    })
}

/// Ends this process some time after the guest's: a read of standard input, a resolver and a pipe
/// among the files wait as long as they like.
fn watch(limit: Option<u64>) {
    let Some(limit) = limit else {
        return;
    };
    thread::spawn(move || {
        thread::sleep(Duration::from_secs(limit) + GRACE);
        eprintln!("error: the guest's time is over, and what it has called does not return");
        std::process::exit(TRAPPED.into());
    });
}

fn component(settings: &Settings, words: &[String]) -> Result<ExitCode> {
    let (wasm, _) = words.split_first().context("no component is named")?;
    let pair = |text: &String, mark: char| {
        let (one, other) = text.split_once(mark).unwrap_or((text, text));
        (one.to_owned(), other.to_owned())
    };
    let env: Vec<_> = settings.env.iter().map(|text| pair(text, '=')).collect();
    let dirs: Vec<_> = settings.dir.iter().map(|text| pair(text, ':')).collect();
    let dirs: Vec<_> = dirs
        .into_iter()
        .map(|(inside, outside)| (outside, inside))
        .collect();
    let given = component::Given {
        args: words,
        env: &env,
        dirs: &dirs,
        network: true,
    };
    let pulse = Pulse::start()?;
    let code = component::run(&pulse.engine, Path::new(wasm), &given)?;
    Ok(ExitCode::from(code as u8))
}
