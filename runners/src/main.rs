//! The command line of this project: it prepares what a guest needs, builds guests, runs them in
//! WasmEdge, and holds the demo and the test command. `.cargo/config.toml` gives its parts their
//! short names (`cargo demo`, `cargo suite`, `cargo compare`, `cargo guest`).

#[cfg(target_os = "linux")]
mod bundle;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod counting;
mod demo;
mod embedded;
mod explain;
mod features;
mod guest;
mod host;
mod imports;
mod prepare;
mod process;
mod progress;
mod project;
mod run;
mod suite;
#[cfg(target_os = "linux")]
mod trace;
mod typecheck;
mod version;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Prepares, builds and runs WebAssembly guests in WasmEdge.
#[derive(Debug, Parser)]
#[command(name = "runners", version)]
struct Cli {
    /// The host that runs guests: `wasmedge` (found or prepared), a path to one, `wasmtime` (built
    /// on demand), or `hostile` (the same with faults: `--host-args "--seed 7"`).
    #[arg(long, global = true, env = "MIO_WASI_HOST", default_value = "wasmedge")]
    host: String,
    #[command(subcommand)]
    command: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// Find or fetch the wasm32-wasip1 target and WasmEdge, and say where they are.
    Prepare,
    /// Run a guest in the host; this process becomes the host's process.
    Run(run::Options),
    /// Compile a module ahead of time for the host, as `wasmedge compile` does.
    Compile {
        /// The module.
        wasm: PathBuf,
        /// Where the compiled guest goes; its name ends in `.so`.
        so: PathBuf,
    },
    /// Cargo for wasm32-wasip1, with cargo's own arguments: `cargo guest build --release`.
    Guest {
        /// What cargo is to do.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run a guest in the embedded host, and show each call that it makes of its host.
    #[command(disable_help_flag = true)]
    Trace {
        /// The options of `trace`, the guest and its arguments; `--help` tells them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Write a guest as an OCI bundle for crun, or as an OCI image.
    #[cfg(target_os = "linux")]
    Bundle(bundle::Options),
    /// Serve real TCP and UDP clients from a guest inside WasmEdge, and count what went through.
    Demo,
    /// Every test there is: natively, and in each WasmEdge that can be had.
    Suite(suite::Options),
    /// Measure this library beside its last release and Mio, in WasmEdge and natively.
    #[cfg(target_os = "linux")]
    Compare(compare::Options),
    /// Check every combination of the library's features, natively and for wasm32-wasip1.
    Features,
    /// Check the library's types and its API for systems that are not at hand.
    Typecheck(typecheck::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    dispatch(&cli).unwrap_or_else(|error| {
        eprintln!("error: {}", explain::explain(&error));
        ExitCode::FAILURE
    })
}

fn dispatch(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        Job::Prepare => prepare::report(&cli.host),
        Job::Run(options) => run::run(&cli.host, options),
        Job::Compile { wasm, so } => run::compile(&cli.host, wasm, so),
        Job::Guest { args } => guest::main(&cli.host, args),
        Job::Trace { args } => embedded::trace(args),
        #[cfg(target_os = "linux")]
        Job::Bundle(options) => bundle::main(&cli.host, options),
        Job::Demo => demo::main(&cli.host),
        Job::Suite(options) => suite::main(&cli.host, options),
        #[cfg(target_os = "linux")]
        Job::Compare(options) => compare::main(&cli.host, options),
        Job::Features => features::main(),
        Job::Typecheck(options) => typecheck::main(options),
    }
}
