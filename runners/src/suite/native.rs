//! The workspace's own tests, by `cargo test`, one package after another: one that does not build
//! fails alone.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;

use super::excerpt;
use super::libtest::{self, Binary};
use super::only::Only;
use super::report::{Outcome, Report, Row};
use crate::progress::Step;
use crate::{embedded, process, project};

const PACKAGES: [&str; 5] = [
    "mio_wasi",
    "native-tests",
    "upstream-parity",
    "runners",
    EMBEDDED,
];
/// A workspace of its own, whose dependencies are built already when the host is.
const EMBEDDED: &str = "embedded";
/// The packages that run the guests' cases natively, in a test of this name.
const CONFORMANCE: [&str; 2] = ["native-tests", "upstream-parity"];
pub const CONFORMANCE_TEST: &str = "conformance";
/// Building included. Only a test that hangs takes longer.
const LIMIT: Duration = Duration::from_secs(900);

/// How many of the suite's cases a package ran; none if it has no test for them.
#[derive(Debug)]
pub struct Count {
    pub package: String,
    pub cases: Option<usize>,
}

/// The names of all rows.
pub fn rows() -> impl Iterator<Item = String> {
    PACKAGES.iter().map(|package| format!("native, {package}"))
}

pub fn run(folder: &Path, only: &Only, report: &mut Report) -> Vec<Count> {
    let mut counts = Vec::new();
    for (package, name) in PACKAGES.into_iter().zip(rows()) {
        if !only.takes(&name) {
            continue;
        }
        let (row, binaries) = match test(package, folder) {
            Ok((status, log)) => {
                let text = fs::read(&log).unwrap_or_default();
                let binaries = libtest::parse(&String::from_utf8_lossy(&text));
                let mut row = Row::new(&name);
                judge(&mut row, status, &binaries, &log, LIMIT);
                (row, binaries)
            }
            Err(error) => (Row::failed(&name, "cargo test", &error), Vec::new()),
        };
        report.push(row);
        if CONFORMANCE.contains(&package) {
            counts.push(Count {
                package: name,
                cases: conformance(&binaries),
            });
        }
    }
    counts
}

/// Runs one package's tests; no status if they had to be killed.
fn test(package: &str, folder: &Path) -> Result<(Option<ExitStatus>, std::path::PathBuf)> {
    let log = folder.join(format!("{package}.log"));
    let mut cargo = project::cargo();
    cargo
        .current_dir(project::root())
        .env("CARGO_TERM_COLOR", "never");
    cargo.args(["test", "--no-fail-fast", "--package", package]);
    if package == EMBEDDED {
        cargo.arg("--release");
        embedded::place(&mut cargo);
    }
    let title = format!("cargo test --package {package}");
    Ok((logged(&title, &mut cargo, &log, LIMIT)?, log))
}

/// Runs a command whose output goes to `log`; no status if it had to be killed.
pub fn logged(
    title: &str,
    command: &mut Command,
    log: &Path,
    limit: Duration,
) -> Result<Option<ExitStatus>> {
    let step = Step::start(title);
    let ran = process::spawn_logged(command, log)
        .and_then(|mut child| process::wait(&mut child, limit, || {}));
    match &ran {
        Ok(Some(status)) if status.success() => step.done("done"),
        Ok(Some(status)) => step.done(&format!("failed ({status})")),
        Ok(None) => step.done("killed"),
        Err(_) => step.give_up(),
    }
    ran
}

/// Adds what the binaries of one `cargo test` did.
pub fn judge(
    row: &mut Row,
    status: Option<ExitStatus>,
    binaries: &[Binary],
    log: &Path,
    limit: Duration,
) {
    let before = row.tally.failed;
    for binary in binaries {
        row.add_passed(binary.passed);
        for (test, why) in &binary.skipped {
            row.add(test, Outcome::Skipped(why.clone()));
        }
    }
    for binary in binaries {
        for (test, output) in &binary.failures {
            row.add(test, Outcome::Failed(output.trim_end().into()));
        }
        // A test that ends the process has neither output nor closing line.
        for _ in binary.failures.len()..binary.failed {
            row.add(&binary.name, Outcome::Failed(excerpt(log)));
        }
        if !binary.ended {
            let text = format!("it did not reach its end:\n{}", excerpt(log));
            row.add(&binary.name, Outcome::Failed(text));
        }
    }
    let well = status.is_some_and(|status| status.success());
    if !well && row.tally.failed == before {
        let how = match status {
            Some(status) => status.to_string(),
            None => format!("killed after {} s", limit.as_secs()),
        };
        row.add(
            "cargo test",
            Outcome::Failed(format!("{how}\n{}", excerpt(log))),
        );
    }
}

/// How many of the suite's cases are among them, whatever became of each.
pub fn conformance(binaries: &[Binary]) -> Option<usize> {
    let is_it = |binary: &&Binary| {
        let path = Path::new(&binary.name);
        path.file_stem()
            .is_some_and(|stem| stem == CONFORMANCE_TEST)
            || path
                .components()
                .any(|part| part.as_os_str() == CONFORMANCE_TEST)
    };
    let binary = binaries.iter().find(is_it)?;
    Some(binary.passed + binary.failed + binary.skipped.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(name: &str, passed: usize) -> Binary {
        Binary {
            name: name.into(),
            passed,
            ended: true,
            ..Binary::default()
        }
    }

    #[test]
    fn the_conformance_test_is_found_as_file_and_as_folder() {
        let other = binary("tests/threads.rs", 3);
        assert_eq!(conformance(std::slice::from_ref(&other)), None);
        assert_eq!(
            conformance(&[other.clone(), binary("tests/conformance.rs", 60)]),
            Some(60)
        );
        assert_eq!(
            conformance(&[other, binary("tests/conformance/main.rs", 61)]),
            Some(61)
        );
    }

    fn judged(binaries: &[Binary]) -> (usize, usize) {
        let mut row = Row::new("x");
        judge(&mut row, None, binaries, Path::new("no such log"), LIMIT);
        (row.tally.passed, row.tally.failed)
    }

    #[test]
    fn a_step_that_does_not_build_is_one_failure() {
        assert_eq!(judged(&[]), (0, 1));
    }

    #[test]
    fn a_binary_without_an_end_is_a_failure() {
        let crashed = Binary {
            ended: false,
            ..binary("tests/crash.rs", 0)
        };
        assert_eq!(judged(&[binary("a", 5), crashed]), (5, 1));
    }

    #[test]
    fn a_row_of_two_packages_tells_of_both() {
        let mut row = Row::new("x");
        for _ in 0..2 {
            judge(&mut row, None, &[], Path::new("no such log"), LIMIT);
        }
        assert_eq!(row.tally.failed, 2);
    }
}
