//! `runners run` and `runners compile`: one guest, in the host's process.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::host::Rights;
use crate::{imports, prepare, process};

/// A guest with what it may use.
#[derive(Debug, Args)]
pub struct Options {
    /// Let the guest open Unix sockets.
    #[arg(long)]
    allow_af_unix: bool,
    /// Let the guest use a directory: `DIR`, `GUEST:HOST` or `GUEST:HOST:readonly`.
    #[arg(long, value_name = "DIR")]
    dir: Vec<String>,
    /// Set a variable in the guest's environment.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Further options for the host, separated by blanks.
    #[arg(
        long,
        env = "MIO_WASI_HOST_ARGS",
        value_name = "OPTIONS",
        default_value = ""
    )]
    #[arg(allow_hyphen_values = true)]
    host_args: String,
    /// The guest (`.wasm`, or `.so` from `compile`) and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    #[arg(value_name = "GUEST> [ARGS")]
    guest: Vec<OsString>,
}

/// Checks the guest and becomes the host that runs it.
pub fn run(host: &str, options: &Options) -> Result<ExitCode> {
    let (guest, args) = options.guest.split_first().context("no guest is named")?;
    let guest = Path::new(guest);
    check(guest)?;
    let host = prepare::host(host)?;
    let rights = Rights {
        af_unix: options.allow_af_unix,
        dirs: options.dir.clone(),
        env: options.env.clone(),
        other: options
            .host_args
            .split_whitespace()
            .map(OsString::from)
            .collect(),
    };
    process::replace(host.command(guest, &rights).args(args))
}

/// A compiled guest is native code and was checked before; a module is checked now.
fn check(guest: &Path) -> Result<()> {
    let meta = guest.metadata();
    meta.with_context(|| format!("there is no guest {}", guest.display()))?;
    if guest.extension().is_some_and(|extension| extension == "so") {
        return Ok(());
    }
    imports::check_file(guest)
}

/// Compiles a checked module for the host.
pub fn compile(host: &str, wasm: &Path, so: &Path) -> Result<ExitCode> {
    imports::check_file(wasm)?;
    let host = prepare::host(host)?;
    host.compile(wasm, so)?;
    eprintln!("{} for {host}", so.display());
    Ok(ExitCode::SUCCESS)
}
