//! The native tests under AddressSanitizer, in a run in full. Memory that is lost at the end of a
//! test's process is a failure too: the sanitizer ends the process with an error then.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::report::{Outcome, Row};
use super::{libtest, native};
use crate::project;

const NAME: &str = "AddressSanitizer";
const TARGET: &str = "x86_64-unknown-linux-gnu";
const FLAG: &str = "-Zsanitizer=address";
/// Building included: everything is built anew.
const LIMIT: Duration = Duration::from_secs(1800);

/// Test files that mean nothing there, and why.
const LEFT_OUT: &[(&str, &str)] = &[(
    "instructions",
    "it counts instructions, and a sanitizer's would be counted along",
)];

/// One row for all packages.
pub fn run(folder: &Path) -> Row {
    let mut row = Row::new(NAME);
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let why = "the sanitizer is tried on Linux on x86-64 alone";
        row.add("every test", Outcome::Skipped(why.into()));
        return row;
    }
    for (test, why) in LEFT_OUT {
        row.add(test, Outcome::Skipped((*why).into()));
    }
    let tests = match tests() {
        Ok(tests) => tests,
        Err(error) => return Row::failed(NAME, "list", &error),
    };
    for (package, tests) in [("mio_wasi", Vec::new()), ("native-tests", tests)] {
        let log = folder.join(format!("sanitized-{package}.log"));
        let title = format!("{package} under {NAME}");
        match native::logged(&title, cargo(package).args(tests), &log, LIMIT) {
            Ok(status) => {
                let text = fs::read(&log).unwrap_or_default();
                let binaries = libtest::parse(&String::from_utf8_lossy(&text));
                native::judge(&mut row, status, &binaries, &log, LIMIT);
            }
            Err(error) => row.add(package, Outcome::Failed(format!("{error:#}"))),
        }
    }
    row
}

/// The arguments that name each test file of `native-tests` that has a meaning here.
fn tests() -> Result<Vec<String>> {
    let folder = project::root().join("native-tests/tests");
    let mut args = vec!["--lib".to_string()];
    let entries = fs::read_dir(&folder);
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path: PathBuf = entry.context("an unreadable entry")?.path();
        let is_test = path.join("main.rs").exists() || path.is_file();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if is_test && LEFT_OUT.iter().all(|(other, _)| *other != name) {
            args.push(format!("--test={name}"));
        }
    }
    args.sort();
    let left_out = LEFT_OUT
        .iter()
        .map(|(test, _)| folder.join(test).with_extension("rs"));
    for file in left_out {
        ensure!(
            file.exists(),
            "{} is left out, and is not there",
            file.display()
        );
    }
    Ok(args)
}

/// With a target given the flags are not for build scripts, which may run without the sanitizer.
fn cargo(package: &str) -> Command {
    let mut cargo = project::cargo();
    cargo.current_dir(project::root());
    cargo.args(["test", "--no-fail-fast", "--target", TARGET]);
    cargo.args(["--package", package, "--target-dir"]);
    cargo.arg(project::root().join("target/sanitized"));
    cargo.env("CARGO_TERM_COLOR", "never");
    // A stable compiler has the sanitizer, and asks for this.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo.env("RUSTFLAGS", FLAG).env("RUSTDOCFLAGS", FLAG);
    cargo
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn what_counts_instructions_is_left_out_and_nothing_else() {
        let tests = tests().expect("the files of native-tests");
        assert!(tests.contains(&"--test=conformance".to_string()));
        assert!(tests.contains(&"--test=wasi_wait".to_string()));
        for absent in ["--test=instructions", "--test=common"] {
            assert!(!tests.contains(&absent.to_string()), "{absent}");
        }
    }
}
