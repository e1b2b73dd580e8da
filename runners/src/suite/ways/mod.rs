//! The native tests in other ways than as they are: over the library's other queues, for other
//! machines and systems, and under sanitizers. Each way is a row of the table, with the same cases
//! as every other; what it leaves out is counted, with the reason.
//!
//! Whatever a way needs is prepared when its turn comes. Memory that is lost at the end of a
//! test's process is a failure under AddressSanitizer, which ends the process with an error then.

mod list;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::libtest;
use super::native::{self, CONFORMANCE_TEST, Count};
use super::only::Only;
use super::report::{Outcome, Report, Row, Tally};
use crate::prepare::machine::Machine;
use crate::project;
use list::{LeftOut, WAYS, Way};

const PACKAGE: &str = "native-tests";
/// Building included: everything is built anew, and qemu takes its time.
const LIMIT: Duration = Duration::from_secs(2400);

/// The names of all rows.
pub fn rows() -> impl Iterator<Item = &'static str> {
    WAYS.iter().map(|way| way.name)
}

/// Runs the ways of this run, or the one that is asked for; the answer is how many of the suite's
/// cases each has run.
pub fn run(folder: &Path, full: bool, only: &Only, report: &mut Report) -> Vec<Count> {
    let mut counts = Vec::new();
    for way in WAYS.iter().filter(|way| only.takes(way.name)) {
        if way.full && !full && !only.is_one() {
            continue;
        }
        let mut row = Row::new(way.name);
        if !cfg!(target_arch = "x86_64") {
            let why = "its recipe is for Linux on x86-64 alone";
            row.add("every test", Outcome::Skipped(why.into()));
            report.push(row);
            continue;
        }
        let start = Instant::now();
        let ran = way.run(full, folder, &mut row);
        let seconds = start.elapsed().as_secs();
        match ran {
            Ok(Some(cases)) => counts.push(Count {
                package: way.name.into(),
                cases: Some(cases),
            }),
            // What did not build has failed already.
            Ok(None) if row.tally.failed > 0 => {}
            Ok(None) => row.add(CONFORMANCE_TEST, Outcome::Failed("it did not run".into())),
            Err(error) => row = Row::failed(way.name, "prepare", &error),
        }
        let Tally { passed, failed, .. } = row.tally;
        eprintln!(
            "  {}: {passed} passed, {failed} failed, {seconds} s",
            way.name
        );
        report.push(row);
    }
    counts
}

impl Way {
    /// Adds everything that it does to `row`; the answer is how many of the suite's cases ran.
    fn run(&self, full: bool, folder: &Path, row: &mut Row) -> Result<Option<usize>> {
        self.check_tree()?;
        let left_out = self.left_out(full);
        let tests = tests(&left_out)?;
        let machine = self.machine.map(|prepare| prepare()).transpose()?;
        for LeftOut { test, why, .. } in left_out {
            row.add(test, Outcome::Skipped((*why).into()));
        }
        let mut cases = None;
        let packages = self.packages.iter().map(|package| (*package, &[][..]));
        for (package, tests) in packages.chain([(PACKAGE, &tests[..])]) {
            let log = folder.join(format!("{}-{package}.log", self.folder));
            let title = format!("{}: cargo test --package {package}", self.name);
            let mut cargo = self.cargo(machine.as_ref(), package);
            let status = native::logged(&title, cargo.args(tests), &log, LIMIT)?;
            let text = fs::read(&log).unwrap_or_default();
            let binaries = libtest::parse(&String::from_utf8_lossy(&text));
            native::judge(row, status, &binaries, &log, LIMIT);
            cases = native::conformance(&binaries);
        }
        Ok(cases)
    }

    /// Fails if the library lacks what the row is about.
    fn check_tree(&self) -> Result<()> {
        let Some((file, word)) = self.needs else {
            return Ok(());
        };
        let text = fs::read_to_string(project::root().join(file)).unwrap_or_default();
        ensure!(
            text.contains(word),
            "{file} does not name {word}: the library has no such queue, and another one would \
             be tested"
        );
        Ok(())
    }

    fn left_out(&self, full: bool) -> Vec<&'static LeftOut> {
        let full = full || self.full;
        let is_out = |test: &&LeftOut| !(full && test.in_full);
        self.left_out.iter().filter(is_out).collect()
    }

    fn cargo(&self, machine: Option<&Machine>, package: &str) -> Command {
        let mut cargo = project::cargo();
        cargo.current_dir(project::root());
        if let Some(machine) = machine {
            machine.apply(&mut cargo);
        }
        cargo.args(["test", "--no-fail-fast", "--package", package]);
        cargo.args(self.args).arg("--target-dir");
        cargo.arg(project::root().join("target/ways").join(self.folder));
        cargo.env("CARGO_TERM_COLOR", "never");
        // Nobody debugs what is built here, and a failure's lines are told all the same.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
        cargo.env("CARGO_INCREMENTAL", "0");
        cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo.env("RUSTFLAGS", self.rustflags);
        cargo.env("RUSTDOCFLAGS", self.rustflags);
        if self.optimized {
            cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
        }
        if self.unstable {
            cargo.env("RUSTC_BOOTSTRAP", "1");
        }
        cargo
    }
}

/// The arguments that name each test file of `native-tests` but those that are left out.
fn tests(left_out: &[&LeftOut]) -> Result<Vec<String>> {
    let files = test_files()?;
    for LeftOut { test, .. } in left_out {
        ensure!(
            files.contains(*test),
            "{test} is left out, and is no test of {PACKAGE}"
        );
    }
    let stays = |name: &&String| left_out.iter().all(|left| left.test != name.as_str());
    let named = files.iter().filter(stays);
    let named = named.map(|name| format!("--test={name}"));
    Ok([String::from("--lib")].into_iter().chain(named).collect())
}

fn test_files() -> Result<BTreeSet<String>> {
    let folder = project::root().join(PACKAGE).join("tests");
    let mut files = BTreeSet::new();
    let entries = fs::read_dir(&folder);
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path: PathBuf = entry.context("an unreadable entry")?.path();
        if path.join("main.rs").exists() || path.is_file() {
            let name = path.file_stem().unwrap_or_default();
            files.insert(name.to_string_lossy().into_owned());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn what_is_left_out_is_there_and_nothing_else_is_missing() {
        for way in WAYS {
            for full in [false, true] {
                let left_out = way.left_out(full);
                let tests = tests(&left_out).expect("the files of native-tests");
                assert!(tests.contains(&"--test=conformance".to_string()));
                assert!(!tests.contains(&"--test=common".to_string()));
                let files = test_files().expect("the files of native-tests");
                // `--lib` stands beside them.
                assert_eq!(
                    tests.len() + left_out.len(),
                    files.len() + 1,
                    "{}",
                    way.name
                );
            }
        }
    }

    #[test]
    fn what_takes_long_is_for_a_run_in_full() {
        let kqueue = WAYS.iter().find(|way| way.folder == "kqueue");
        let kqueue = kqueue.expect("a way over kqueue");
        let names = |full| -> Vec<&str> {
            let left_out = kqueue.left_out(full);
            left_out.iter().map(|left| left.test).collect()
        };
        assert!(names(false).contains(&"runtime"));
        assert!(!names(true).contains(&"runtime"));
        assert!(names(true).contains(&"instructions"));
    }

    #[test]
    fn an_unknown_test_cannot_be_left_out() {
        let gone = LeftOut {
            test: "gone",
            why: "it was renamed",
            in_full: false,
        };
        assert!(tests(&[&gone]).is_err());
    }

    #[test]
    fn a_queue_that_is_not_there_is_not_tested() {
        let check = |needs| {
            Way {
                needs,
                ..list::PLAIN
            }
            .check_tree()
        };
        assert!(check(None).is_ok());
        assert!(check(Some(("src/sys/unix/mod.rs", "mod queue"))).is_ok());
        let error = check(Some(("src/sys/unix/mod.rs", "abacus")));
        let text = error.expect_err("no abacus").to_string();
        assert!(text.contains("does not name abacus"), "{text}");
        assert!(check(Some(("src/gone.rs", "a"))).is_err());
    }
}
