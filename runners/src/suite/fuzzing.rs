//! Fuzzing, in a run in full: each target of `native-tests/fuzz` for a minute, by cargo-fuzz, which
//! is installed below `target/prepared` where there is none. It starts from the corpus that is
//! kept in the project; what it finds besides stays below `target`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::excerpt;
use super::report::{Outcome, Row};
use crate::explain::explain;
use crate::progress::Step;
use crate::{process, project};

pub const NAME: &str = "fuzzing";
const SECONDS: u64 = 60;
/// The longest input: longer ones find the same, and later.
const LENGTH: usize = 600;
/// Building included, which takes some minutes the first time.
const LIMIT: Duration = Duration::from_secs(900);

/// One row; a target is a case of it.
pub fn run(folder: &Path) -> Row {
    let mut row = Row::new(NAME);
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let why = "libFuzzer is tried on Linux on x86-64 alone";
        row.add("every target", Outcome::Skipped(why.into()));
        return row;
    }
    let targets = match targets() {
        Ok(targets) => targets,
        Err(error) => return Row::failed(NAME, "prepare", &error),
    };
    for target in targets {
        let failed = |error| Outcome::Failed(explain(&error));
        let outcome = fuzz(&target, folder);
        row.add(&target, outcome.map_or_else(failed, |()| Outcome::Passed));
    }
    row
}

fn targets() -> Result<Vec<String>> {
    let mut list = cargo_fuzz("list")?;
    let list = process::quiet(&mut list)?;
    let targets: Vec<String> = list.lines().map(str::to_string).collect();
    ensure!(!targets.is_empty(), "there is no fuzz target");
    Ok(targets)
}

fn fuzz(target: &str, folder: &Path) -> Result<()> {
    let log = folder.join(format!("fuzzing-{target}.log"));
    let found = project::root().join("target/fuzzing/corpus").join(target);
    fs::create_dir_all(&found).with_context(|| format!("cannot create {}", found.display()))?;
    let step = Step::start(format!("fuzzing {target} for {SECONDS} s"));
    let mut cargo = cargo_fuzz("run")?;
    cargo.arg("--target-dir");
    cargo.arg(project::root().join("target/fuzzing"));
    // The first corpus is where new inputs go.
    cargo.args([target.as_ref(), found.as_os_str()]);
    cargo.arg(package().join("corpus").join(target));
    cargo.arg("--");
    cargo.arg(format!("-max_total_time={SECONDS}"));
    cargo.arg(format!("-max_len={LENGTH}"));
    cargo.arg(format!("-artifact_prefix={}/{target}-", folder.display()));
    cargo.arg("-print_final_stats=1");
    let ran = process::spawn_logged(&mut cargo, &log)
        .and_then(|mut child| process::wait(&mut child, LIMIT, || {}));
    let inputs = inputs(&fs::read(&log).unwrap_or_default());
    step.done(&format!("{inputs} inputs"));
    match ran? {
        Some(status) if status.success() => {}
        Some(status) => bail!("{status}\n{}", excerpt(&log)),
        None => bail!("killed after {} s\n{}", LIMIT.as_secs(), excerpt(&log)),
    }
    ensure!(inputs > 0, "it tried no input\n{}", excerpt(&log));
    Ok(())
}

/// How many inputs libFuzzer tried, by its closing figures.
fn inputs(log: &[u8]) -> u64 {
    let log = String::from_utf8_lossy(log);
    let figure = |line: &str| {
        let figure = line.strip_prefix("stat::number_of_executed_units:")?;
        figure.trim().parse().ok()
    };
    log.lines().find_map(figure).unwrap_or(0)
}

fn package() -> PathBuf {
    project::root().join("native-tests/fuzz")
}

/// A command of cargo-fuzz, with what a stable compiler needs to build with its runtime.
fn cargo_fuzz(command: &str) -> Result<Command> {
    let mut cargo = project::cargo();
    let known = process::quiet(project::cargo().args(["fuzz", "--version"])).is_ok();
    if !known {
        let program = install()?;
        let own = cargo.get_program().to_owned();
        cargo = Command::new(program);
        cargo.env("CARGO", own);
    }
    cargo.args(["fuzz", command, "--fuzz-dir"]).arg(package());
    cargo.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTFLAGS");
    cargo.current_dir(project::root());
    Ok(cargo)
}

/// cargo-fuzz, installed below `target/prepared`.
fn install() -> Result<PathBuf> {
    let root = project::prepared().join("cargo-fuzz");
    let program = root.join("bin/cargo-fuzz");
    if !program.exists() {
        let step = Step::start("installing cargo-fuzz");
        let mut cargo = project::cargo();
        cargo.args(["install", "--quiet", "--locked", "cargo-fuzz", "--root"]);
        let installed = process::quiet(cargo.arg(&root).current_dir(project::root()));
        match &installed {
            Ok(_) => step.done("done"),
            Err(_) => step.give_up(),
        }
        installed?;
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_counted_by_the_closing_figures() {
        let log = b"#2 INITED\nDone 7 runs\nstat::number_of_executed_units: 1704\nstat::x: 3\n";
        assert_eq!(inputs(log), 1704);
        assert_eq!(inputs(b"#9 NEW cov: 12"), 0);
    }
}
