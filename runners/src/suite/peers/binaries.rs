//! The test binaries of a peer over one Mio, and what a run of one says about its tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::super::{excerpt, libtest};
use super::Peer;
use super::sources::Side;
use crate::progress::Step;
use crate::{process, project};

/// The slowest binary takes half a minute on two cores.
const LIMIT: Duration = Duration::from_secs(180);
/// For one test alone.
const LIMIT_ALONE: Duration = Duration::from_secs(60);
/// So many tests of a binary may hang, each alone, before the others are not even tried.
const HANGING: usize = 3;

#[derive(Debug)]
pub struct Binary {
    /// `tcp_accept`, or `unit tests`.
    pub name: String,
    /// The name of its Mio.
    pub side: String,
    file: PathBuf,
    /// Its package's, in which cargo runs tests.
    folder: PathBuf,
    log: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// With what it printed.
    Failed(String),
    /// As `Failed`; it had to be killed.
    Hung(String),
    /// With the reason.
    Ignored(String),
}

impl Verdict {
    /// What a test that did not pass printed.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Verdict::Failed(output) | Verdict::Hung(output) => Some(output),
            Verdict::Passed | Verdict::Ignored(_) => None,
        }
    }
}

/// A binary's tests, all run.
#[derive(Debug)]
pub struct Ran {
    pub verdicts: BTreeMap<String, Verdict>,
    /// How it ended, if not by telling of every test. The verdicts are then from runs of each
    /// test alone.
    pub broken: Option<String>,
}

/// One message of cargo's JSON, as far as it is of interest.
#[derive(Debug, Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds them, in the order of their names.
pub fn build(side: &Side, peer: &Peer, title: &str) -> Result<Vec<Binary>> {
    let step = Step::start(format!("building {title}, over {}", side.name));
    let built = cargo(side, peer).and_then(|messages| binaries(side, title, &messages));
    match &built {
        Ok(binaries) => step.done(&format!("{} test binaries", binaries.len())),
        Err(_) => step.give_up(),
    }
    built
}

fn cargo(side: &Side, peer: &Peer) -> Result<String> {
    let peers = project::root().join("target").join("peers");
    let mut cargo = project::cargo();
    cargo.current_dir(&side.folder);
    // Both sides share what does not depend on Mio.
    match peer.rustflags {
        Some(flags) => cargo
            .env("RUSTFLAGS", flags)
            .env("CARGO_TARGET_DIR", peers.join("built-unstable")),
        None => cargo.env("CARGO_TARGET_DIR", peers.join("built")),
    };
    cargo.args([
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    cargo.arg("--package").arg(peer.package).args(peer.args);
    process::quiet(&mut cargo).with_context(|| format!("it does not build over {}", side.name))
}

fn binaries(side: &Side, title: &str, messages: &str) -> Result<Vec<Binary>> {
    let file_name = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let logs = title.chars().map(file_name).collect::<String>();
    let logs = project::suite_folder().join("peers").join(logs);
    fs::create_dir_all(&logs).context("cannot create a folder for the logs")?;
    let mut binaries = Vec::new();
    for artifact in messages.lines().filter_map(artifact) {
        let name = match &*artifact.target.kind[0] {
            "test" => artifact.target.name,
            _ => "unit tests".into(),
        };
        let log = logs.join(format!("{name}.{}.log", side.key));
        let folder = artifact.manifest_path.parent();
        binaries.push(Binary {
            name,
            side: side.name.clone(),
            file: artifact.executable.unwrap_or_default(),
            folder: folder.unwrap_or(Path::new("")).to_path_buf(),
            log,
        });
    }
    binaries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(binaries)
}

/// Only of what can be run; other messages have other fields.
fn artifact(line: &str) -> Option<Artifact> {
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    (artifact.executable.is_some() && !artifact.target.kind.is_empty()).then_some(artifact)
}

impl Binary {
    pub fn tests(&self) -> Result<Vec<String>> {
        let list = process::quiet(self.command().arg("--list"))?;
        let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(String::from).collect())
    }

    /// Runs them all in one process. If that says too little, each gets one of its own.
    pub fn run(&self, tests: &[String]) -> Result<Ran> {
        let (how, output) = self.start(&mut self.command(), LIMIT, &self.log)?;
        if let Some(verdicts) = verdicts(tests, &output) {
            let broken = None;
            return Ok(Ran { verdicts, broken });
        }
        let mut verdicts = BTreeMap::new();
        let mut hung = 0;
        for test in tests {
            let verdict = if hung < HANGING {
                self.alone(Some(test))?
            } else {
                Verdict::Failed(format!("not run, since {hung} others hang"))
            };
            hung += usize::from(matches!(verdict, Verdict::Hung(_)));
            verdicts.insert(test.clone(), verdict);
        }
        let broken = Some(format!("{}\n{}", how.text(), excerpt(&self.log)));
        Ok(Ran { verdicts, broken })
    }

    /// Runs one test in a process of its own; or all in one, which only has to reach its end.
    pub fn alone(&self, test: Option<&str>) -> Result<Verdict> {
        let log = self.log.with_extension("alone.log");
        let _ = fs::remove_file(&log);
        let mut command = self.command();
        let limit = match test {
            Some(_) => LIMIT_ALONE,
            None => LIMIT,
        };
        command.args(test.iter().flat_map(|test| ["--exact", test]));
        let (how, output) = self.start(&mut command, limit, &log)?;
        let says = |figures: &str| output.contains(&format!("test result: ok. {figures};"));
        let passed = match test {
            Some(_) => says("1 passed"),
            None => parsed(&output).is_some_and(|binary| binary.ended),
        };
        let text = || format!("{}\n{}", how.text(), excerpt(&log));
        Ok(match how {
            _ if passed => Verdict::Passed,
            How::Ended(_) if says("0 passed; 0 failed; 1 ignored") => {
                Verdict::Ignored("ignored".into())
            }
            How::Ended(_) => Verdict::Failed(text()),
            How::Killed(_) => Verdict::Hung(text()),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command.current_dir(&self.folder);
        command
    }

    /// How it ended, and what it printed.
    fn start(&self, command: &mut Command, limit: Duration, log: &Path) -> Result<(How, String)> {
        let mut child = process::spawn_logged(command, log)?;
        let how = match process::wait(&mut child, limit, || {})? {
            Some(status) => How::Ended(status),
            None => How::Killed(limit),
        };
        let output = fs::read(log).context("its output cannot be read")?;
        Ok((how, String::from_utf8_lossy(&output).into_owned()))
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
enum How {
    Ended(ExitStatus),
    Killed(Duration),
}

impl How {
    fn text(self) -> String {
        match self {
            How::Ended(status) => format!("it ended with {status}"),
            How::Killed(limit) => format!("it hung, and was killed after {} s", limit.as_secs()),
        }
    }
}

/// What each test came to; `None` if the output does not tell of all.
fn verdicts(tests: &[String], output: &str) -> Option<BTreeMap<String, Verdict>> {
    let binary = parsed(output).filter(|binary| binary.ended)?;
    let told = binary.failures.into_iter();
    let mut others: BTreeMap<String, Verdict> = told
        .map(|(name, text)| (name, Verdict::Failed(text)))
        .collect();
    if others.len() != binary.failed {
        return None;
    }
    for (name, why) in binary.skipped {
        let name = name.strip_suffix(" - should panic").unwrap_or(&name);
        others.insert(name.into(), Verdict::Ignored(why));
    }
    let mut verdict = |test: &String| others.remove(test).unwrap_or(Verdict::Passed);
    let verdicts: BTreeMap<_, _> = tests
        .iter()
        .map(|test| (test.clone(), verdict(test)))
        .collect();
    let passed = verdicts
        .values()
        .filter(|verdict| **verdict == Verdict::Passed);
    (others.is_empty() && passed.count() == binary.passed).then_some(verdicts)
}

/// The output of one binary, whose name cargo would print above it.
fn parsed(output: &str) -> Option<libtest::Binary> {
    libtest::parse(&format!("Running it (it)\n{output}")).pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: [&str; 4] = ["a::fine", "b", "c", "d"];
    const OUTPUT: &str = "
running 4 tests
test a::fine ... ok
test d - should panic ... ignored, slow
test b ... FAILED
test c ... ok

failures:

---- b stdout ----

thread 'b' (12) panicked at tests/x.rs:7:9:
no

failures:
    b

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    fn read(output: &str) -> Option<BTreeMap<String, Verdict>> {
        verdicts(&TESTS.map(String::from), output)
    }

    #[test]
    fn every_test_gets_its_verdict() {
        let verdicts = read(OUTPUT).unwrap();
        assert_eq!(verdicts["a::fine"], Verdict::Passed);
        assert_eq!(verdicts["c"], Verdict::Passed);
        assert_eq!(verdicts["d"], Verdict::Ignored("slow".into()));
        let Verdict::Failed(output) = &verdicts["b"] else {
            panic!("{verdicts:?}");
        };
        assert!(
            output.contains("panicked at tests/x.rs:7:9:\nno"),
            "{output}"
        );
    }

    #[test]
    fn an_output_that_does_not_tell_all_is_none() {
        let (crashed, _) = OUTPUT.split_once("test result").unwrap();
        assert_eq!(read(crashed), None);
        assert_eq!(read(""), None);
        assert_eq!(read(&OUTPUT.replace("---- b stdout ----", "")), None);
        assert_eq!(read(&OUTPUT.replace("2 passed", "1 passed")), None);
        assert_eq!(read(&OUTPUT.replace("test d -", "test e -")), None);
    }

    #[test]
    fn only_what_can_be_run_is_a_binary() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/p/tokio/Cargo.toml",
            "target":{"name":"udp","kind":["test"]},"executable":"/t/udp-1"}"#;
        let found = artifact(line).unwrap();
        assert_eq!(
            (&*found.target.name, &*found.target.kind[0]),
            ("udp", "test")
        );
        assert!(artifact(&line.replace("\"/t/udp-1\"", "null")).is_none());
        assert!(artifact(r#"{"reason":"build-finished","success":true}"#).is_none());
    }
}
