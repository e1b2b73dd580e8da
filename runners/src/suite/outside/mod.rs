//! What befalls a server from outside: the echo guest in WasmEdge, and clients, signals and limits
//! that a guest cannot make itself. In each scenario the others' bytes must go on to come back,
//! and afterwards the guest must rest: no scenario may leave it spinning, or with descriptors of
//! connections that are gone.

pub mod client;
mod crowd;
mod guest;
mod process;
mod traffic;

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Setting;
use super::checks::Check;
use super::each_host::on_each_host;
use super::report::Outcome;
use guest::Guest;

pub const CHECKS: &[Check] = &[
    Check {
        name: "stopped and continued",
        run: |setting| scenario(setting, "stop", process::stopped_and_continued),
    },
    Check {
        name: "reset before accept",
        run: |setting| scenario(setting, "reset", process::reset_before_accept),
    },
    Check {
        name: "full table of descriptors",
        run: |setting| scenario(setting, "full", process::full_table),
    },
    Check {
        name: "ended by SIGTERM through the runner",
        run: process::through_the_runner,
    },
    Check {
        name: "half-closed and slow to read",
        run: |setting| scenario(setting, "slow", traffic::half_closed_and_slow),
    },
    Check {
        name: "reset in the middle of a transfer",
        run: |setting| scenario(setting, "vanish", traffic::reset_while_sending),
    },
    Check {
        name: "refused datagrams",
        run: |setting| scenario(setting, "refused", traffic::refused_datagrams),
    },
    Check {
        name: "300 connections at once",
        run: |setting| scenario(setting, "many", traffic::many_at_once),
    },
    Check {
        name: "10,000 connections at once",
        run: crowd::at_once,
    },
    Check {
        name: "memory of an idle connection",
        run: crowd::memory,
    },
    Check {
        name: "no memory is asked for in a steady state",
        run: crowd::steady,
    },
];

/// Runs a scenario with a fresh guest on each host.
fn scenario(setting: &Setting, name: &str, play: fn(&Guest) -> Result<()>) -> Result<Outcome> {
    let wasm = echo(setting)?;
    on_each_host(setting, |host| {
        let guest = Guest::start(host, &host.compiled(&wasm)?, name)?;
        play(&guest).with_context(|| guest.last_words())
    })
}

/// The module of the echo example.
fn echo(setting: &Setting) -> Result<PathBuf> {
    let args = ["--release", "--package", "mio_wasi", "--example", "echo"];
    let modules = crate::guest::build_quietly(&setting.toolchain, &args)?;
    Ok(crate::guest::module(&modules, "echo")?.to_path_buf())
}
