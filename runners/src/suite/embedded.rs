//! The cases on the embedded host: without faults, with WasmEdge's, and against an adversary's
//! seeds. One process runs them all; what it says of each is a line of JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::report::{Outcome, Report, Row};
use crate::progress::Step;
use crate::{embedded, process, project};

/// In every run; and with `--full`.
const SEEDS: u64 = 20;
const SEEDS_IN_FULL: u64 = 500;

/// Faults that the library has failed at, and that no seed need choose: a first poll that is
/// interrupted, and events of what was not handed over.
const FOUND: &[&str] = &["--seeds", "0..2", "--fault", "poison@1,stale=0.3"];

/// What the host says of one case.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    pub case: String,
    seed: Option<u64>,
    pub outcome: Judged,
    pub text: String,
    faults: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    Passed,
    Skipped,
    /// It ended with an error that a fault explains.
    Explained,
    Failed,
}

/// The rows of the embedded host, each with the names of the cases that it ran.
pub fn run(wasm: &Path, full: bool, report: &mut Report) -> Vec<(String, Vec<String>)> {
    let seeds = if full { SEEDS_IN_FULL } else { SEEDS };
    let range = format!("0..{seeds}");
    let rows: [(String, &[&str]); 4] = [
        ("Wasmtime".into(), &[]),
        (
            "Wasmtime, as WasmEdge 0.14".into(),
            &["--as", "wasmedge-0.14"],
        ),
        ("hostile, what it has found".into(), FOUND),
        (format!("hostile, {seeds} seeds"), &["--seeds", &range]),
    ];
    let mut lists = Vec::new();
    let program = match embedded::program() {
        Ok(program) => program,
        Err(error) => {
            report.push(Row::failed("Wasmtime", "build", &error));
            return lists;
        }
    };
    for (name, options) in rows {
        match ask(&program, wasm, &name, options) {
            Ok(verdicts) => {
                if verdicts.iter().any(|verdict| verdict.seed.is_some()) {
                    report.note(&summary(&name, &verdicts));
                }
                let (row, cases) = judge(&name, &verdicts);
                report.push(row);
                lists.push((name, cases));
            }
            Err(error) => report.push(Row::failed(&name, "start", &error)),
        }
    }
    lists
}

/// What the host says of the cases, with these options.
pub fn ask(program: &Path, wasm: &Path, name: &str, options: &[&str]) -> Result<Vec<Verdict>> {
    let step = Step::start(format!("the cases in {name}"));
    let folder = project::suite_folder().join("embedded");
    fs::create_dir_all(&folder).context("cannot create a folder for the cases")?;
    let mut command = Command::new(program);
    command
        .args(["suite", "--allow-net", "--dir", "/tmp:/tmp"])
        .args(options)
        .arg(wasm)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output().context("the embedded host does not run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let verdicts: Result<Vec<Verdict>, _> = text.lines().map(serde_json::from_str).collect();
    let verdicts = verdicts.context("the embedded host says what is no verdict");
    match &verdicts {
        Ok(verdicts) => step.done(&format!("{} runs", verdicts.len())),
        Err(_) => step.give_up(),
    }
    let verdicts = verdicts?;
    let failed = verdicts.iter().any(|one| one.outcome == Judged::Failed);
    // A host that ends early has told less than there was to tell.
    let expected = output.status.success() || (output.status.code() == Some(1) && failed);
    ensure!(expected, "the embedded host ended by {}", output.status);
    Ok(verdicts)
}

/// A case is one entry of the row, however many seeds it met.
fn judge(name: &str, verdicts: &[Verdict]) -> (Row, Vec<String>) {
    let mut cases: BTreeMap<&str, Vec<&Verdict>> = BTreeMap::new();
    for verdict in verdicts {
        cases.entry(&verdict.case).or_default().push(verdict);
    }
    let mut row = Row::new(name);
    for (case, verdicts) in &cases {
        let is = |judged| move |verdict: &&&Verdict| verdict.outcome == judged;
        let failed = verdicts.iter().filter(is(Judged::Failed));
        let failed: Vec<String> = failed.map(|verdict| tell(verdict)).collect();
        let skipped = verdicts.iter().filter(is(Judged::Skipped)).count();
        let outcome = match verdicts.first() {
            _ if !failed.is_empty() => Outcome::Failed(failed.join("\n")),
            Some(first) if skipped == verdicts.len() => Outcome::Skipped(reason(&first.text)),
            _ => Outcome::Passed,
        };
        row.add(case, outcome);
    }
    (row, cases.keys().map(|case| (*case).into()).collect())
}

fn tell(verdict: &Verdict) -> String {
    let text = process::tail(&verdict.text, 30);
    match verdict.seed {
        None => text,
        Some(seed) => format!(
            "seed {seed}; exactly these faults: --fault {}\n{text}",
            verdict.faults.join(",")
        ),
    }
}

fn reason(text: &str) -> String {
    let mut lines = text.lines().rev();
    let why = lines.find_map(|line| line.strip_prefix("skipped: "));
    why.unwrap_or("it does not say why").into()
}

fn summary(name: &str, verdicts: &[Verdict]) -> String {
    let count = |judged| {
        let these = verdicts.iter().filter(|verdict| verdict.outcome == judged);
        these.count()
    };
    let faults: usize = verdicts.iter().map(|verdict| verdict.faults.len()).sum();
    format!(
        "{name}: {} runs met {faults} faults: {} passed, {} ended with an error that a fault \
         explains, {} failed",
        verdicts.len(),
        count(Judged::Passed) + count(Judged::Skipped),
        count(Judged::Explained),
        count(Judged::Failed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(case: &str, seed: u64, outcome: Judged) -> Verdict {
        Verdict {
            case: case.into(),
            seed: Some(seed),
            outcome,
            text: "skipped: no such thing".into(),
            faults: vec!["zero@1".into()],
        }
    }

    #[test]
    fn a_case_fails_if_it_does_with_one_seed() {
        let verdicts = [
            verdict("a", 0, Judged::Passed),
            verdict("a", 1, Judged::Failed),
            verdict("b", 0, Judged::Explained),
            verdict("b", 1, Judged::Skipped),
            verdict("c", 0, Judged::Skipped),
            verdict("c", 1, Judged::Skipped),
        ];
        let (row, cases) = judge("x", &verdicts);
        let tally = row.tally;
        assert_eq!((tally.passed, tally.failed, tally.skipped), (1, 1, 1));
        assert_eq!(cases, ["a", "b", "c"]);
        assert!(tell(&verdicts[1]).contains("seed 1; exactly these faults: --fault zero@1"));
        let text = summary("x", &verdicts);
        assert!(
            text.contains("6 runs met 6 faults: 4 passed, 1 ended"),
            "{text}"
        );
    }
}
