//! Tests of `native-tests` that run as guests as well, built for wasm32-wasip1, inside each
//! WasmEdge:
//!
//! - those of the library's own table and wait, over a simulated host, since what they test is
//!   compiled for a guest there, with its pointers and its allocator;
//! - those of tokio and hyper over the library.
//!
//! Each test has a process of its own, since a panic ends the process there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::only::Only;
use super::report::{Outcome, Row};
use super::{Setting, excerpt};
use crate::explain::explain;
use crate::host::{Host, Rights};
use crate::{guest, process, project};

/// One file or folder of tests.
struct Tests {
    name: &'static str,
    /// What the rows of the table call it.
    title: &'static str,
    /// To compile it takes a host longer than to interpret it, which is for a run in full.
    large: bool,
}

const ALL: [Tests; 2] = [
    Tests {
        name: "wasi_wait",
        title: "simulated host",
        large: false,
    },
    Tests {
        name: "runtime",
        title: "tokio and hyper",
        large: true,
    },
];

/// A test takes some seconds at most.
const LIMIT: Duration = Duration::from_secs(60);

/// What the rows are called, whatever the host.
pub fn rows() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|tests| tests.title)
}

/// Runs the tests that are wanted; one row for each of them and each host.
pub fn run(setting: &Setting, only: &Only) -> Vec<Row> {
    ALL.iter()
        .filter(|tests| only.takes(tests.title))
        .flat_map(|tests| run_in_all(setting, tests))
        .collect()
}

fn run_in_all(setting: &Setting, tests: &Tests) -> Vec<Row> {
    let wasm = build(setting, tests.name);
    let compiled = setting.full || !tests.large;
    let hosts = setting.hosts.iter().map(|host| {
        let name = format!("{} in {host}", tests.title);
        let row = match &wasm {
            Ok(wasm) => on(host, wasm, compiled, &name),
            Err(error) => return Row::failed(&name, "build", error),
        };
        row.unwrap_or_else(|error| Row::failed(&name, "start", &error))
    });
    hosts.collect()
}

fn build(setting: &Setting, test: &str) -> Result<PathBuf> {
    let mut args = vec!["--release", "--package", "native-tests", "--test", test];
    // What else that package has is for Linux.
    args.push("--no-default-features");
    let modules = guest::build_tests_quietly(&setting.toolchain, &args)?;
    // Cargo adds a number to the name of a test.
    let is_it = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{test}-"))
    };
    let module = modules.iter().find(is_it);
    Ok(module.context("cargo built no such test")?.clone())
}

/// Unix sockets, and the folder where the tests that want some keep them.
fn rights() -> Rights {
    Rights {
        af_unix: true,
        dirs: vec!["/tmp:/tmp".into()],
        ..Rights::default()
    }
}

fn on(host: &Host, wasm: &Path, compiled: bool, name: &str) -> Result<Row> {
    let start = Instant::now();
    let guest = if compiled {
        host.compiled(wasm)?
    } else {
        wasm.to_path_buf()
    };
    let mut ask = host.command(&guest, &rights());
    let tests = names(&process::quiet(ask.arg("--list"))?);
    ensure!(!tests.is_empty(), "the guest lists no test");
    let folder = project::suite_folder().join(name.replace(' ', "-"));
    fs::create_dir_all(&folder).context("cannot create a folder for the logs")?;
    let mut row = Row::new(name);
    for test in &tests {
        let log = folder.join(format!("{}.log", test.replace("::", "-")));
        let outcome = run_test(host, &guest, test, &log);
        let failed = |error| Outcome::Failed(explain(&error));
        row.add(test, outcome.unwrap_or_else(failed));
    }
    let (count, failed) = (tests.len(), row.tally.failed);
    let seconds = start.elapsed().as_secs_f64();
    eprintln!("  {name}: {count} tests, {failed} failed, {seconds:.1} s");
    Ok(row)
}

fn run_test(host: &Host, guest: &Path, test: &str, log: &Path) -> Result<Outcome> {
    let mut command = host.command(guest, &rights());
    // What a panic says would be kept by the harness, and lost with the process.
    command.args(["--exact", test, "--nocapture"]);
    let mut child = process::spawn_logged(&mut command, log)?;
    let status = process::wait(&mut child, LIMIT, || {})?;
    let printed = fs::read(log).context("its output cannot be read")?;
    let printed = String::from_utf8_lossy(&printed);
    Ok(match status {
        None => Outcome::Failed(format!("killed after {LIMIT:?}\n{}", excerpt(log))),
        // With a name that it does not know it would succeed too, having run nothing.
        Some(status) if status.success() && has_passed(&printed, test) => Outcome::Passed,
        Some(status) => Outcome::Failed(format!("{status}\n{}", excerpt(log))),
    })
}

/// The tests in what `--list` prints: `name: test`, one per line.
fn names(list: &str) -> Vec<String> {
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    names.map(String::from).collect()
}

fn has_passed(printed: &str, test: &str) -> bool {
    let verdict = format!("test {test} ... ok");
    printed.lines().any(|line| line == verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_listed_by_name() {
        let list = "order::one: test\nfaults::two: test\nspeed: benchmark\n\n2 tests\n";
        assert_eq!(names(list), ["order::one", "faults::two"]);
    }

    #[test]
    fn only_the_test_s_own_verdict_counts() {
        assert!(has_passed("running 1 test\ntest a::b ... ok\n", "a::b"));
        assert!(!has_passed("running 0 tests\n", "a::b"));
        assert!(!has_passed("test a::b ... ignored, slow\n", "a::b"));
        assert!(!has_passed("test a::bc ... ok\n", "a::b"));
    }
}
