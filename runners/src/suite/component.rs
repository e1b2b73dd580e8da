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

#[cfg(test)]
mod tests {
    use std::fs;

    /// It fetches what is missing and builds a std.
    #[test]
    #[ignore = "takes minutes"]
    fn the_suite_becomes_a_component() {
        let component = super::guest().expect("a component");
        let bytes = fs::read(component).expect("what was built");
        // The number of the binary format that only components have.
        assert_eq!(bytes[4..8], [0x0d, 0, 1, 0]);
    }
}
