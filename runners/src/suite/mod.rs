//! `cargo suite`: every test there is. Natively by `cargo test`; in each WasmEdge that can be had
//! by the guest `suite`, one process per case; and the groups of checks that look at guests from
//! outside. A new group is one more file with a list of [`checks::Check`]s and a line in
//! [`checks::GROUPS`].

mod cases;
mod checks;
mod libtest;
mod native;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::host::Host;
use crate::prepare::{self, Toolchain, Wanted};
use crate::progress::Step;
use crate::{guest, project};
use report::{Outcome, Report, Row};

/// What the suite is to cover.
#[derive(Debug, Args)]
pub struct Options {
    /// Run the guests interpreted too, beside compiled ahead of time.
    #[arg(long)]
    full: bool,
}

/// What a group of checks may need.
#[derive(Debug)]
pub struct Context_ {
    pub toolchain: Toolchain,
    pub hosts: Vec<Host>,
}

pub fn main(name: &str, options: &Options) -> Result<ExitCode> {
    let folder = project::suite_folder();
    // The logs of the last run would be appended to.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;

    let mut report = Report::default();
    let cases = in_hosts(name, options, &mut report);
    native::run(&folder, &mut report);
    compare_counts(cases, &mut report);
    print!("{report}");
    Ok(if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
