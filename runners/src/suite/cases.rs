//! The guest `suite` on one host: each case in a process of its own, because a guest's panic ends
//! its process and a hang must be killed.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::excerpt;
use super::report::{Outcome, Row};
use crate::explain::explain;
use crate::host::{Host, Kind, Rights};
use crate::{process, progress, project};

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);
/// Processes at a time.
const WORKERS: usize = 2;
/// The guest's exit status for a skipped case.
const SKIPPED: i32 = 77;
const NO_AF_UNIX: &str = "no-af-unix";
/// A fault that the case is not to meet; real hosts have none on purpose.
const SPARED: &str = "not-";

/// One case, as `suite --list` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub name: String,
    flags: Vec<String>,
}

/// Runs every case that the guest lists.
pub fn run(host: &Host, guest: &Path, name: &str) -> Result<(Vec<Case>, Row)> {
    let mut ask = host.command(guest, &Rights::default());
    let cases = parse(&process::quiet(ask.arg("--list"))?)?;
    let folder = project::suite_folder().join(file_name(name));
    fs::create_dir_all(&folder).context("cannot create a folder for the cases")?;
    let bar = progress::bar(cases.len(), name);
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; cases.len()]);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((index, case)) = take(&next, &cases) {
                    bar.set_message(case.name.clone());
                    let outcome = run_case(host, guest, case, &folder)
                        .unwrap_or_else(|error| Outcome::Failed(explain(&error)));
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes[index] = Some(outcome);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut row = Row::new(name);
    let outcomes = outcomes.into_inner().unwrap_or_default();
    for (case, outcome) in cases.iter().zip(outcomes) {
        let none = || Outcome::Failed("it was never run".into());
        row.add(&case.name, outcome.unwrap_or_else(none));
    }
    eprintln!(
        "  {name}: {} cases, {} failed",
        cases.len(),
        row.tally.failed
    );
    Ok((cases, row))
}

fn take<'a>(next: &AtomicUsize, cases: &'a [Case]) -> Option<(usize, &'a Case)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, cases.get(index)?))
}

fn run_case(host: &Host, guest: &Path, case: &Case, folder: &Path) -> Result<Outcome> {
    let rights = Rights {
        af_unix: !case.flags.iter().any(|flag| flag == NO_AF_UNIX),
        // For files and sockets of a case, and so that it can remove them.
        dirs: vec!["/tmp:/tmp".into()],
        ..Rights::default()
    };
    let log = folder.join(format!("{}.log", file_name(&case.name)));
    let mut command = host.command(guest, &rights);
    command.arg(&case.name).current_dir(folder);
    let mut child = process::spawn_logged(&mut command, &log)?;
    let status = process::wait(&mut child, LIMIT, || {})?;
    Ok(match status {
        None => Outcome::Failed(format!("killed after {LIMIT:?}\n{}", excerpt(&log))),
        Some(status) if status.success() => Outcome::Passed,
        Some(status) if skips(host, status) => skip(&excerpt(&log)),
        Some(status) => Outcome::Failed(format!("{status}\n{}", excerpt(&log))),
    })
}

/// WASI 0.2 knows success and failure only, and a case that fails does so by a trap.
fn skips(host: &Host, status: ExitStatus) -> bool {
    let code = match host.kind {
        Kind::Component => 1,
        _ => SKIPPED,
    };
    status.code() == Some(code)
}

fn skip(output: &str) -> Outcome {
    let why = output
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("skipped: "));
    match why {
        Some(why) => Outcome::Skipped(why.into()),
        None => Outcome::Failed(format!("it was skipped without a reason\n{output}")),
    }
}

/// `name` or `name<TAB>flag,flag`, one per line.
fn parse(list: &str) -> Result<Vec<Case>> {
    let case = |line: &str| {
        let (name, flags) = line.split_once('\t').unwrap_or((line, ""));
        let flags = flags
            .split(',')
            .filter(|flag| !flag.is_empty())
            .map(String::from)
            .collect();
        Case {
            name: name.into(),
            flags,
        }
    };
    let cases: Vec<Case> = list
        .lines()
        .filter(|line| !line.is_empty())
        .map(case)
        .collect();
    ensure!(!cases.is_empty(), "the guest lists no case");
    for case in &cases {
        for flag in &case.flags {
            ensure!(
                flag == NO_AF_UNIX || flag.starts_with(SPARED),
                "case {} has the unknown flag {flag}",
                case.name
            );
        }
    }
    Ok(cases)
}

/// `name` with only such letters as suit a file.
fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_names_with_flags() {
        let cases = parse("tcp::echo\nunix::refused\tno-af-unix\n").unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!(
            cases[0],
            Case {
                name: "tcp::echo".into(),
                flags: vec![]
            }
        );
        assert_eq!(cases[1].flags, ["no-af-unix"]);
    }

    #[test]
    fn an_empty_list_and_an_unknown_flag_are_errors() {
        assert!(parse("").is_err());
        assert!(
            parse("a\tfast\n")
                .unwrap_err()
                .to_string()
                .contains("unknown flag fast")
        );
    }

    #[test]
    fn a_skip_must_say_why() {
        let skipped = skip("noise\nskipped: no IPv6 here\n");
        assert_eq!(skipped, Outcome::Skipped("no IPv6 here".into()));
        assert!(matches!(skip("noise"), Outcome::Failed(_)));
    }

    #[test]
    fn names_become_files() {
        assert_eq!(file_name("WasmEdge 0.14.1, a::b"), "WasmEdge-0.14.1--a--b");
    }
}
