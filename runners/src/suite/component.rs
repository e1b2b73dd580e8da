//! The suite's guest as a component: wasm32-wasip2, over the C library's sockets.
//!
//! WASI 0.2 has no exit statuses but success and failure. A case that was skipped says so and
//! fails in order, by 1; one that failed has panicked, which is a trap.

use std::path::PathBuf;

use anyhow::Result;

use super::cases;
use super::report::Row;
use crate::host::{Host, Kind};
use crate::{guest, prepare};

/// The row of the cases as a component.
pub fn run() -> Row {
    let ran = guest().and_then(|component| {
        let host = Host::embedded(Kind::Component)?;
        cases::run(&host, &component, &host.to_string())
    });
    match ran {
        Ok((_, row)) => row,
        Err(error) => Row::failed("Wasmtime, wasm32-wasip2", "start", &error),
    }
}

/// The component, built.
fn guest() -> Result<PathBuf> {
    let toolchain = prepare::component_toolchain()?;
    let package = ["--release", "-p", "wasi-tests", "--bin", "suite"];
    let built = guest::build_components_quietly(&toolchain, &package)?;
    guest::module(&built, "suite").map(PathBuf::from)
}
