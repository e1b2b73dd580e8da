//! The embedded host (`runners/embedded`): Wasmtime, built on demand, since nobody should compile
//! it who does not use it.

use std::collections::VecDeque;
use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::progress::Step;
use crate::{process, project};

/// Names a host that is built already.
const READY_MADE: &str = "MIO_WASI_EMBEDDED";
/// So many lines of a failed build are quoted.
const SHOWN: usize = 30;

/// The host's program, as new as its source. Cargo knows whether there is anything to do, and lets
/// one process build at a time; nothing is printed when there is nothing to do.
pub fn program() -> Result<PathBuf> {
    if let Some(program) = env::var_os(READY_MADE).map(PathBuf::from) {
        let meta = program.metadata();
        meta.with_context(|| format!("{READY_MADE} names {}", program.display()))?;
        return Ok(program);
    }
    let mut build = project::cargo();
    build.args(["build", "--release"]);
    place(&mut build)
        // What is built is told in JSON on standard output.
        .args(["--message-format=json-render-diagnostics", "--color=never"]);
    // This program may itself be run while cargo builds for another target.
    build.env_remove("CARGO_BUILD_TARGET");
    let built = run(&mut build).with_context(|| {
        format!(
            "the embedded host does not build. It needs a recent Rust and, the first time, the \
             network; {READY_MADE} may name one that is built already"
        )
    });
    built?.context("cargo reports success, but no host was built")
}

/// Where cargo finds the host's source, and puts what it makes of it.
pub fn place(cargo: &mut Command) -> &mut Command {
    cargo
        .arg("--manifest-path")
        .arg(project::root().join("runners/embedded/Cargo.toml"))
        .arg("--target-dir")
        .arg(project::root().join("target/embedded"))
}

/// Runs cargo, and tells what it built. What it says is shown as the progress of a step.
fn run(build: &mut Command) -> Result<Option<PathBuf>> {
    build
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = build.spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let stderr = child.stderr.take().context("cargo has no output")?;
    let (built, (step, said)) = thread::scope(|scope| {
        let built = scope.spawn(|| {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.filter_map(|line| executable(&line)).last()
        });
        let said = show(stderr);
        (built.join().unwrap_or_default(), said)
    });
    let status = child.wait().context("cannot wait for cargo")?;
    if status.success() {
        if let Some(step) = step {
            step.done("done");
        }
        return Ok(built);
    }
    if let Some(step) = step {
        step.give_up();
    }
    let said = Vec::from(said).join("\n");
    bail!(
        "`cargo build` failed ({status}):\n{}",
        process::indent(&said)
    )
}

/// Begins a step with the first word of work, and keeps the last lines.
fn show(stderr: impl Read) -> (Option<Step>, VecDeque<String>) {
    let mut step = None;
    let mut said = VecDeque::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if is_work(&line) {
            let step = step.get_or_insert_with(|| {
                Step::start("building the embedded host (Wasmtime: minutes the first time)")
            });
            step.detail(line.trim());
        }
        if said.len() == SHOWN {
            said.pop_front();
        }
        said.push_back(line);
    }
    (step, said)
}

/// Whether cargo says in this line that something takes time.
fn is_work(line: &str) -> bool {
    let work = ["Blocking", "Compiling", "Downloading", "Updating"];
    let word = line.split_whitespace().next();
    word.is_some_and(|word| work.contains(&word))
}

/// The program that one line of cargo's JSON reports.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["target"]["name"] != "embedded" {
        return None;
    }
    message["executable"].as_str().map(PathBuf::from)
}

/// `runners trace ARGS`: the embedded host's own command, in this process's place.
pub fn trace(args: &[OsString]) -> Result<ExitCode> {
    process::replace(tracing(&program()?).args(args))
}

/// The command that traces a guest; its options and the guest are still to be added.
pub fn tracing(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("trace");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_host_is_no_work() {
        assert!(!is_work(
            "    Finished `release` profile [optimized] target(s) in 0.12s"
        ));
        assert!(!is_work(""));
        assert!(is_work("   Compiling wasmtime v48.0.1"));
        assert!(is_work(
            "    Blocking waiting for file lock on build directory"
        ));
    }

    #[test]
    fn the_program_is_read_from_cargo_s_messages() {
        let line = r#"{"target":{"name":"embedded"},"executable":"/t/release/embedded"}"#;
        assert_eq!(executable(line), Some("/t/release/embedded".into()));
        let other = line.replace("{\"name\":\"embedded\"}", "{\"name\":\"build-script\"}");
        assert_eq!(executable(&other), None);
        assert_eq!(
            executable(&line.replace("\"/t/release/embedded\"", "null")),
            None
        );
        assert_eq!(executable("Compiling"), None);
    }

    #[test]
    fn a_failed_build_tells_what_cargo_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'error: no such package' >&2; exit 101"]);
        let error = format!("{:#}", run(&mut command).unwrap_err());
        assert!(error.contains("error: no such package"), "{error}");
        assert!(error.contains("101"), "{error}");
    }
}
