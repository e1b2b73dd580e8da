//! `cargo runners typecheck`: the library for systems that are not at hand, as far as a compiler
//! goes without code and a linker. Each gets a std of that kind; the library must pass clippy,
//! which is cargo's check and more, with few and with all of its features; and where there is a
//! list of Mio's items there, each of them must be here. A target that is not supported must be
//! refused by the sentence that tells which are. In a run in full, the tests that the public
//! workflow runs on the system itself must compile as well.

mod api;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::explain::explain;
use crate::prepare::{Toolchain, checked};
use crate::progress::Step;
use crate::{process, project};

/// What is to be checked.
#[derive(Debug, Args)]
pub struct Options {
    /// Every target, where otherwise the few that matter most are checked; and the tests that run
    /// on some of them.
    #[arg(long)]
    full: bool,
    /// These alone.
    #[arg(value_parser = PossibleValuesParser::new(TARGETS.iter().map(|target| target.name)))]
    targets: Vec<String>,
}

/// A target, and what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub name: &'static str,
    /// Whether it is checked in each run, not only in a run in full.
    always: bool,
    asked: Asked,
    /// The files of `native-tests` that the workflow runs there.
    pub tests: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The library passes.
    Library,
    /// That, and the API is Mio's, whose list would be wrong with these lines more.
    Api(&'static str),
    /// The library says that it does not run there.
    Refusal,
}

const UNIX: Asked = Asked::Api(
    "impl mio::unix::pipe::Sender\npub fn mio::unix::pipe::Sender::planted(&self) -> usize\n",
);
const WINDOWS: Asked = Asked::Api(
    "impl mio::windows::NamedPipe\npub fn mio::windows::NamedPipe::planted(&self) -> usize\n",
);

const ON_UNIX: &[&str] = &[
    "api",
    "conformance",
    "options",
    "queue",
    "runtime",
    "threads",
    "unix",
    "upgrade",
    "wasi_wait",
    "zero_alloc",
];
const ON_WINDOWS: &[&str] = &[
    "api",
    "conformance",
    "named_pipe",
    "named_pipe_tokio",
    "options",
    "runtime",
    "threads",
    "wasi_wait",
    "windows",
    "zero_alloc",
];

const TARGETS: &[Target] = &[
    Target {
        tests: ON_UNIX,
        ..target("x86_64-apple-darwin", true, UNIX)
    },
    Target {
        tests: ON_UNIX,
        ..target("x86_64-unknown-freebsd", true, UNIX)
    },
    Target {
        tests: ON_WINDOWS,
        ..target("x86_64-pc-windows-msvc", true, WINDOWS)
    },
    target("wasm32-unknown-unknown", true, Asked::Refusal),
    target("aarch64-apple-ios", false, UNIX),
    target("x86_64-unknown-netbsd", false, Asked::Library),
    target("x86_64-unknown-openbsd", false, Asked::Library),
    target("x86_64-unknown-dragonfly", false, UNIX),
    target("x86_64-unknown-illumos", false, Asked::Library),
    target("x86_64-pc-solaris", false, Asked::Library),
    target("aarch64-linux-android", false, UNIX),
    target("x86_64-unknown-haiku", false, Asked::Library),
    target("x86_64-unknown-hurd-gnu", false, Asked::Library),
    target("x86_64-unknown-hermit", false, Asked::Refusal),
];

const fn target(name: &'static str, always: bool, asked: Asked) -> Target {
    Target {
        name,
        always,
        asked,
        tests: &[],
    }
}

const FEATURES: [(&str, &[&str]); 4] = [
    ("no features", &["--no-default-features"]),
    ("os-poll", &["--no-default-features", "--features=os-poll"]),
    ("net", &["--no-default-features", "--features=net"]),
    ("all features", &["--all-features"]),
];

/// What the sentence of a refusal holds: whose it is, a system for each of the native queues but
/// the last resort, and where there is more.
const REFUSAL: [&str; 5] = ["mio_wasi", "Linux", "FreeBSD", "Windows", "README"];

/// The targets of a run in full, or of a short one.
pub fn targets(full: bool) -> impl Iterator<Item = Target> {
    let asked = move |target: &Target| full || target.always;
    TARGETS.iter().copied().filter(asked)
}

pub fn main(options: &Options) -> Result<ExitCode> {
    let named = |target: &Target| options.targets.iter().any(|name| name == target.name);
    let chosen: Vec<Target> = match options.targets.is_empty() {
        true => targets(options.full).collect(),
        false => TARGETS.iter().copied().filter(named).collect(),
    };
    let (mut well, mut failed) = (0, 0);
    for target in chosen {
        for (check, result) in target.check(options.full) {
            match result {
                Ok(()) => well += 1,
                Err(error) => {
                    failed += 1;
                    let text = process::indent(&explain(&error));
                    eprintln!("FAILED  {}: {check}\n{text}", target.name);
                }
            }
        }
    }
    println!("{well} checks of types passed, {failed} failed");
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

impl Target {
    /// Every check of this target by name, in order.
    pub fn check(self, full: bool) -> Vec<(String, Result<()>)> {
        let toolchain = match checked::toolchain(self.name) {
            Ok(toolchain) => toolchain,
            Err(error) => return vec![("std".into(), Err(error))],
        };
        let step = Step::start(format!("checking types for {}", self.name));
        let mut results = Vec::new();
        let mut add = |name: &str, result| {
            step.detail(name);
            results.push((name.to_owned(), result));
        };
        if self.asked == Asked::Refusal {
            add("refused", is_refused(&toolchain));
        } else {
            for (name, features) in FEATURES {
                add(name, passes(&mut clippy(&toolchain, features)));
            }
        }
        if let Asked::Api(planted) = self.asked {
            add("the API", api::has_every_item(&toolchain));
            add("Mio's own API", api::mio_has_every_item(&toolchain));
            add("an item more", api::finds(&toolchain, planted));
        }
        if full && !self.tests.is_empty() {
            add("native tests", passes(&mut tests(&toolchain, self.tests)));
        }
        let failed = results.iter().filter(|(_, result)| result.is_err()).count();
        step.done(&format!("{} checks, {failed} failed", results.len()));
        results
    }
}

/// cargo for a target of `toolchain`, without a word if all is well.
fn cargo(toolchain: &Toolchain, command: &str) -> Command {
    let mut cargo = project::cargo();
    toolchain.apply(&mut cargo);
    // The flag of warnings in the variable would replace what is given here.
    cargo.env_remove("RUSTFLAGS");
    cargo.current_dir(project::root());
    cargo.args([command, "--quiet", "--target-dir"]);
    cargo.arg(project::root().join("target/typecheck"));
    cargo
}

fn clippy(toolchain: &Toolchain, features: &[&str]) -> Command {
    let mut cargo = cargo(toolchain, "clippy");
    cargo
        .args(["--package", "mio_wasi", "--lib"])
        .args(features);
    cargo.args(["--", "-Dwarnings"]);
    cargo
}

fn tests(toolchain: &Toolchain, tests: &[&str]) -> Command {
    let mut cargo = cargo(toolchain, "check");
    cargo.args(["--package", "native-tests", "--no-default-features"]);
    cargo.args(tests.iter().flat_map(|test| ["--test", test]));
    cargo
}

fn passes(cargo: &mut Command) -> Result<()> {
    process::quiet(cargo).map(drop)
}

/// What `cargo`, which must fail, says.
fn complaint(cargo: &mut Command) -> Result<String> {
    let output = cargo.output().context("cannot start cargo")?;
    ensure!(!output.status.success(), "it passes, and should not");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn is_refused(toolchain: &Toolchain) -> Result<()> {
    let mut cargo = cargo(toolchain, "check");
    let said = complaint(cargo.args(["--package", "mio_wasi", "--lib"]))?;
    ensure!(
        tells_what_runs(&said),
        "its first error does not name each of {REFUSAL:?}:\n{said}"
    );
    Ok(())
}

/// Whether the first of the compiler's errors is the sentence.
fn tells_what_runs(said: &str) -> bool {
    let mut errors = said.lines().filter(|line| line.starts_with("error"));
    let first = errors.next().unwrap_or_default();
    REFUSAL.iter().all(|part| first.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_target_is_there_once_and_the_few_are_of_all() {
        let all: Vec<&str> = targets(true).map(|target| target.name).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        let few: Vec<&str> = targets(false).map(|target| target.name).collect();
        assert!(few.len() < all.len() && few.iter().all(|name| all.contains(name)));
        assert!(few.contains(&"x86_64-pc-windows-msvc"));
    }

    #[test]
    fn a_refusal_comes_first_and_says_where_to_look() {
        let sentence = "mio_wasi runs on Linux, FreeBSD and Windows; see the README";
        assert!(tells_what_runs(&format!(
            "error: {sentence}\n --> x\n\nerror: more\n"
        )));
        assert!(!tells_what_runs(&format!(
            "error[E0463]: no std\nerror: {sentence}\n"
        )));
        assert!(!tells_what_runs(
            "error: mio_wasi runs on Linux; see the README\n"
        ));
        assert!(!tells_what_runs(""));
    }
}
