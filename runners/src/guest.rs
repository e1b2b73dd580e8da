//! `cargo guest`: cargo for wasm32-wasip1, and the guests that this program builds for itself.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::prepare::{self, ANY_HOST, Toolchain};
use crate::project;
use crate::{imports, process};

const RUNNER: &str = "CARGO_TARGET_WASM32_WASIP1_RUNNER";
/// Diagnostics are printed as always; what was built is told in JSON on standard output.
const JSON: &str = "--message-format=json-render-diagnostics";

/// What kind of job cargo was given, as far as this program cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    /// Leaves modules behind: their imports are checked afterwards.
    Builds,
    /// Starts modules through the runner, which checks each one first.
    Runs,
    Other,
}

/// `cargo guest ARGS`.
pub fn main(host: &str, args: &[OsString]) -> Result<ExitCode> {
    let job = job(args);
    let toolchain = match job {
        Job::Runs => prepare::both(host)?.0,
        Job::Builds | Job::Other => prepare::toolchain()?,
    };
    if toolchain.foreign && command(args).as_deref() == Some("clippy") {
        bail!(
            "clippy cannot read the std of {toolchain}.\n\
             It needs the target for your own rustc: `rustup target add {}`.",
            project::TARGET
        );
    }
    let mut cargo = cargo(&toolchain)?;
    if host != ANY_HOST {
        // Cargo may start the guest in another folder.
        let host = fs::canonicalize(host).unwrap_or_else(|_| host.into());
        cargo.env("MIO_WASI_HOST", host);
    }
    if job == Job::Builds && !says(args, "--message-format") {
        return Ok(if build(cargo, args)?.is_some() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    process::replace(cargo.args(args))
}

/// Builds guests for this program's own use, quietly; the answer is their modules.
pub fn build_quietly(toolchain: &Toolchain, args: &[&str]) -> Result<Vec<PathBuf>> {
    quietly(toolchain, &["build"], args)
}

/// As [`build_quietly`], of components, whose imports are the C library's business.
pub fn build_components_quietly(toolchain: &Toolchain, args: &[&str]) -> Result<Vec<PathBuf>> {
    let mut cargo = project::cargo();
    toolchain.apply(&mut cargo);
    cargo.current_dir(project::root()).arg("build");
    let output = process::quiet(cargo.args(args).arg(JSON));
    let output = output.context("the component does not build")?;
    Ok(output.lines().flat_map(modules_of).collect())
}

/// As [`build_quietly`], of tests: the harness is a guest too.
pub fn build_tests_quietly(toolchain: &Toolchain, args: &[&str]) -> Result<Vec<PathBuf>> {
    quietly(toolchain, &["test", "--no-run"], args)
}

fn quietly(toolchain: &Toolchain, job: &[&str], args: &[&str]) -> Result<Vec<PathBuf>> {
    let mut cargo = cargo(toolchain)?;
    cargo
        .current_dir(project::root())
        .args(job)
        .args(args)
        .arg(JSON);
    let output = process::quiet(&mut cargo).context("the guest does not build")?;
    let modules: Vec<PathBuf> = output.lines().flat_map(modules_of).collect();
    for module in &modules {
        imports::check_file(module)?;
    }
    Ok(modules)
}

/// Cargo that builds with `toolchain` and runs guests by this program.
pub fn cargo(toolchain: &Toolchain) -> Result<Command> {
    let mut cargo = project::cargo();
    toolchain.apply(&mut cargo);
    // Named by its full path: a guest may be built in any other folder.
    let this = env::current_exe().context("cannot find this program's own path")?;
    if this.to_string_lossy().contains(char::is_whitespace) {
        // The variable is split at blanks; only the configuration takes a list.
        let this = this
            .to_string_lossy()
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        let runner = format!("target.{}.runner=[\"{this}\", \"run\"]", project::TARGET);
        cargo.env_remove(RUNNER).args(["--config", &runner]);
    } else {
        let mut runner = this.into_os_string();
        runner.push(" run");
        cargo.env(RUNNER, runner);
    }
    Ok(cargo)
}

/// Runs a building cargo and checks the modules it reports; `None` if cargo failed, which has told
/// the reason.
fn build(mut cargo: Command, args: &[OsString]) -> Result<Option<Vec<PathBuf>>> {
    let (ours, theirs) = args.split_at(end_of_cargo_s(args));
    cargo
        .args(ours)
        .arg(JSON)
        .args(theirs)
        .stdout(Stdio::piped());
    let mut child = cargo.spawn().context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no output")?;
    let mut modules = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what cargo says")?;
        if !line.starts_with('{') {
            println!("{line}");
        }
        modules.extend(modules_of(&line));
    }
    if !child.wait().context("cannot wait for cargo")?.success() {
        return Ok(None);
    }
    for module in &modules {
        imports::check_file(module)?;
    }
    Ok(Some(modules))
}

/// The module called `name` among those that were built.
pub fn module<'a>(modules: &'a [PathBuf], name: &str) -> Result<&'a Path> {
    let file = format!("{name}.wasm");
    let found = modules
        .iter()
        .find(|path| path.file_name() == Some(OsStr::new(&file)));
    match found {
        Some(path) => Ok(path),
        None => bail!("cargo reports success, but no {file} was built"),
    }
}

/// The modules that one line of cargo's JSON reports.
fn modules_of(line: &str) -> Vec<PathBuf> {
    let Ok(message) = serde_json::from_str::<Value>(line) else {
        return Vec::new();
    };
    if message["reason"] != "compiler-artifact" {
        return Vec::new();
    }
    let files = message["filenames"].as_array().into_iter().flatten();
    let files = files
        .filter_map(Value::as_str)
        .filter(|file| file.ends_with(".wasm"));
    files.map(PathBuf::from).collect()
}

/// Cargo's subcommand: the first word that is neither an option nor a toolchain.
fn command(args: &[OsString]) -> Option<String> {
    let mut words = args.iter().map(|word| word.to_string_lossy());
    words
        .find(|word| !word.starts_with(['-', '+']))
        .map(String::from)
}

fn job(args: &[OsString]) -> Job {
    match command(args).as_deref().unwrap_or_default() {
        "build" | "b" | "rustc" => Job::Builds,
        "test" | "t" | "bench" if says(args, "--no-run") => Job::Builds,
        "run" | "r" | "test" | "t" | "bench" => Job::Runs,
        _ => Job::Other,
    }
}

/// Whether one of cargo's own arguments is `option`, or begins with `option=`.
fn says(args: &[OsString], option: &str) -> bool {
    args[..end_of_cargo_s(args)].iter().any(|word| {
        let word = word.to_string_lossy();
        word.strip_prefix(option)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// What follows `--` is the guest's or rustc's.
fn end_of_cargo_s(args: &[OsString]) -> usize {
    args.iter()
        .position(|word| word == "--")
        .unwrap_or(args.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn jobs_are_told_apart() {
        assert_eq!(job(&words("build --release")), Job::Builds);
        assert_eq!(job(&words("-v run --example echo")), Job::Runs);
        assert_eq!(job(&words("test --no-run")), Job::Builds);
        assert_eq!(job(&words("test -- --no-run")), Job::Runs);
        assert_eq!(job(&words("clippy")), Job::Other);
        assert_eq!(job(&words("--version")), Job::Other);
    }

    #[test]
    fn only_cargo_s_own_arguments_count() {
        assert!(says(
            &words("build --message-format=json"),
            "--message-format"
        ));
        assert!(says(
            &words("build --message-format short"),
            "--message-format"
        ));
        assert!(!says(&words("run -- --message-format"), "--message-format"));
        assert!(!says(
            &words("build --message-formatter"),
            "--message-format"
        ));
    }

    #[test]
    fn modules_are_read_from_cargo_s_messages() {
        let line =
            r#"{"reason":"compiler-artifact","filenames":["/t/libmio.rlib","/t/echo.wasm"]}"#;
        assert_eq!(modules_of(line), [PathBuf::from("/t/echo.wasm")]);
        assert!(modules_of(r#"{"reason":"build-finished","filenames":["/t/a.wasm"]}"#).is_empty());
        assert!(modules_of("running 3 tests").is_empty());
        let modules = modules_of(line);
        assert_eq!(module(&modules, "echo").unwrap(), Path::new("/t/echo.wasm"));
        assert!(module(&modules, "ech").is_err());
    }
}
