//! `cargo suite`: every test there is. Natively by `cargo test`; in each WasmEdge that can be had
//! by the guest `suite`, one process per case; and the groups of checks that look at guests from
//! outside. A new group is one more file with a list of checks, named in `checks::GROUPS`.
//! `ways` runs the native tests over other queues, for other machines and under sanitizers.

#[cfg(target_os = "linux")]
pub mod budget;
mod cases;
mod checks;
mod component;
#[cfg(target_os = "linux")]
mod containers;
mod differential;
mod each_host;
mod embedded;
#[cfg(target_os = "linux")]
mod embedding;
mod fuzzing;
mod guest_tests;
mod imports;
mod libtest;
mod native;
#[cfg(target_os = "linux")]
mod old;
mod only;
#[cfg(target_os = "linux")]
mod outside;
#[cfg(target_os = "linux")]
mod peers;
mod programs;
#[cfg(target_os = "linux")]
pub mod real;
mod report;
#[cfg(target_os = "linux")]
mod traced;
mod typechecked;
#[cfg(target_os = "linux")]
mod watched;
#[cfg(target_os = "linux")]
mod ways;
mod workflow;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Error, Result};
use clap::Args;

use crate::host::Host;
use crate::prepare::{self, Toolchain, Wanted};
use crate::progress::Step;
use crate::{guest, process, project};
use only::Only;
use report::{Outcome, Report, Row};

/// What the rows of the cases in every host are called together.
const CASES: &str = "cases";

/// What the suite is to cover.
#[derive(Debug, Args)]
pub struct Options {
    /// Run the cases interpreted too, beside compiled ahead of time, and ten thousand connections
    /// and wrk for five minutes each in each WasmEdge; fuzz; run the native tests for i686 and
    /// aarch64, for Windows in Wine, and under sanitizers; and check types for every system.
    #[arg(long)]
    full: bool,
    /// Run one row of the table, also one that is for a run in full. An unknown ROW lists them.
    #[arg(long, value_name = "ROW")]
    only: Option<String>,
}

/// What guests are built with and run on; the checks get it as well.
#[derive(Debug)]
pub struct Setting {
    pub toolchain: Toolchain,
    pub hosts: Vec<Host>,
    /// Whether checks take the time that they want.
    pub full: bool,
}

pub fn main(name: &str, options: &Options) -> Result<ExitCode> {
    let only = Only::named(options.only.as_deref(), &rows())?;
    let folder = project::suite_folder();
    // Logs are appended to, so the last run's must go.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;

    let mut report = Report::default();
    // First, so that nobody waits for tests to hear that something is missing.
    let guests = [CASES].into_iter().chain(checks::rows());
    let guests = guests.into_iter().any(|row| only.takes(row));
    let setting = guests.then(|| prepare(name, options, &mut report));
    let native = native::run(&folder, &only, &mut report);
    #[cfg(target_os = "linux")]
    let native = {
        let ways = ways::run(&folder, options.full, &only, &mut report);
        native.into_iter().chain(ways).collect::<Vec<_>>()
    };
    #[cfg(target_os = "linux")]
    if only.takes(peers::NAME) {
        peers::run(options.full, &mut report);
    }
    if only.takes(typechecked::NAME) {
        report.push(typechecked::run(options.full));
    }
    if only.takes(workflow::NAME) {
        report.push(workflow::run());
    }
    if only.takes(fuzzing::NAME) && (options.full || only.is_one()) {
        report.push(fuzzing::run(&folder));
    }
    match setting {
        Some(Ok((setting, wanted))) => {
            if only.takes(CASES) {
                in_hosts(&setting, wanted, options, &native, &mut report);
            }
            for row in checks::run(&setting, &only) {
                report.push(row);
            }
        }
        Some(Err(error)) => report.push(Row::failed("guests", "prepare", &error)),
        None => {}
    }
    report.finish();
    Ok(if report.total().failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What `--only` may name.
fn rows() -> Vec<String> {
    let mut rows: Vec<String> = native::rows().collect();
    #[cfg(target_os = "linux")]
    rows.extend(ways::rows().chain([peers::NAME]).map(String::from));
    rows.extend([typechecked::NAME, workflow::NAME].map(String::from));
    let guests = [fuzzing::NAME, CASES].into_iter().chain(checks::rows());
    rows.extend(guests.map(String::from));
    rows
}

/// The toolchain, the hosts, and the names of those hosts that are not to be had.
fn prepare(
    name: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(Setting, Vec<(String, Error)>)> {
    eprintln!("Preparing");
    let (toolchain, _) = prepare::both(name)?;
    let mut hosts = Vec::new();
    let mut absent = Vec::new();
    for Wanted { name, host } in prepare::hosts(name) {
        match host {
            Ok(host) => hosts.push(host),
            Err(error) => {
                report.note(&format!("{name} is left out: {error:#}"));
                absent.push((name, error));
            }
        }
    }
    let setting = Setting {
        toolchain,
        hosts,
        full: options.full,
    };
    Ok((setting, absent))
}

fn in_hosts(
    setting: &Setting,
    absent: Vec<(String, Error)>,
    options: &Options,
    native: &[native::Count],
    report: &mut Report,
) {
    let (lists, embedded) = match build(setting) {
        Ok(wasm) => (
            on_every_host(setting, &wasm, options, report),
            embedded::run(&wasm, options.full, report),
        ),
        Err(error) => {
            report.push(Row::failed("guests", "build", &error));
            return;
        }
    };
    let Some((first, cases)) = lists.first() else {
        return;
    };
    for (name, error) in absent {
        let mut row = Row::new(&name);
        for case in cases {
            row.add(&case.name, Outcome::Skipped(error.to_string()));
        }
        report.push(row);
    }
    let mut names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    names.sort();
    report.push(compare(
        first,
        cases,
        &lists[1..],
        native,
        &(names, embedded),
    ));
    report.push(component::run());
}

fn build(setting: &Setting) -> Result<PathBuf> {
    let step = Step::start("building the guest `suite`");
    let args = ["--release", "--package", "wasi-tests", "--bin", "suite"];
    let built = guest::build_quietly(&setting.toolchain, &args);
    match &built {
        Ok(_) => step.done("done"),
        Err(_) => step.give_up(),
    }
    Ok(guest::module(&built?, "suite")?.to_path_buf())
}

type CaseList = (String, Vec<cases::Case>);

/// Runs the cases on each host; the answer is the list that each one's guest gave.
fn on_every_host(
    setting: &Setting,
    wasm: &std::path::Path,
    options: &Options,
    report: &mut Report,
) -> Vec<CaseList> {
    let mut lists = Vec::new();
    for host in &setting.hosts {
        let step = Step::start(format!("compiling it ahead of time with {host}"));
        let compiled = host.compiled(wasm);
        match &compiled {
            Ok(_) => step.done("done"),
            Err(_) => step.give_up(),
        }
        let mut forms = vec![(format!("{host}, compiled"), compiled)];
        if options.full {
            forms.push((format!("{host}, interpreted"), Ok(wasm.to_path_buf())));
        }
        for (name, guest) in forms {
            let ran = guest.and_then(|guest| cases::run(host, &guest, &name));
            match ran {
                Ok((list, row)) => {
                    report.push(row);
                    lists.push((name, list));
                }
                Err(error) => report.push(Row::failed(&name, "start", &error)),
            }
        }
    }
    lists
}

/// A case that is missing somewhere would pass there unseen.
fn compare(
    first: &str,
    cases: &[cases::Case],
    lists: &[CaseList],
    native: &[native::Count],
    (names, embedded): &(Vec<String>, Vec<(String, Vec<String>)>),
) -> Row {
    let mut row = Row::new("counts of cases");
    for (name, list) in embedded {
        let outcome = match list == names {
            true => Outcome::Passed,
            false => Outcome::Failed(format!("{} there, {} in {first}", list.len(), names.len())),
        };
        row.add(name, outcome);
    }
    for (name, list) in lists {
        let outcome = if list == cases {
            Outcome::Passed
        } else {
            let counts = format!("{} there, {} in {first}", list.len(), cases.len());
            Outcome::Failed(format!("the lists of cases differ: {counts}"))
        };
        row.add(name, outcome);
    }
    for count in native {
        let outcome = match count.cases {
            Some(found) if found == cases.len() => Outcome::Passed,
            Some(found) => Outcome::Failed(format!(
                "{found} cases ran there, {} in {first}",
                cases.len()
            )),
            None => Outcome::Failed("no test called `conformance` ran there".into()),
        };
        row.add(&count.package, outcome);
    }
    row
}

/// The end of a log, for a failure's report.
fn excerpt(log: &std::path::Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    process::tail(&String::from_utf8_lossy(&text), 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_of_their_own() {
        let mut rows = rows();
        let count = rows.len();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), count);
        for known in [CASES, "native, native-tests", "containers", "i686"] {
            let linux_only = ["containers", "i686"].contains(&known) && !cfg!(target_os = "linux");
            assert!(linux_only || rows.iter().any(|row| row == known), "{known}");
        }
    }
}
