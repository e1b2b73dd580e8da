//! The adapter of the queue takes no more instructions than mio's own, be it epoll or, under the
//! cfg that both obey, poll(2): the same loops, built with the same settings over both libraries,
//! counted by valgrind. A loop's cost per round is what `2n` rounds take over `n`, so neither start
//! nor end of the program counts.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How much more than mio's instructions a loop may take.
const LIMIT: f64 = 1.05;
const ROUNDS: u64 = 500;

/// Builds the loops over one library, in a folder of their own: cargo holds the usual one.
fn build(package: &str, program: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--package",
            package,
            "--bin",
            program,
        ])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs this test");
    assert!(status.success(), "{package} does not build");
    target.join("release").join(program)
}

/// The instructions of one whole run.
fn count(program: &Path, name: &str, rounds: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &rounds.to_string()])
        .output()
        .expect("valgrind ran a moment ago");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {report}");
    let total = report
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, total) = total.unwrap_or_else(|| panic!("no count in {report}"));
    total.trim().parse().expect("a number of instructions")
}

fn per_round(program: &Path, name: &str) -> f64 {
    let (once, twice) = (
        count(program, name, ROUNDS),
        count(program, name, 2 * ROUNDS),
    );
    twice
        .checked_sub(once)
        .expect("more rounds, more instructions") as f64
        / ROUNDS as f64
}

#[test]
fn no_loop_takes_more_instructions_than_over_mio() {
    if cfg!(mio_kqueue_model) {
        return println!("skipped: it would count the instructions of the model of kevent");
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return println!("skipped: valgrind, which counts the instructions, is not installed");
    }
    let programs = [
        build("native-tests", "loops"),
        build("upstream-parity", "upstream-loops"),
    ];
    let names = Command::new(&programs[0])
        .output()
        .expect("the program that was built")
        .stdout;
    let names = String::from_utf8(names).expect("names");
    let (base, names) = names.split_once('\n').expect("a name per line");
    let bases = programs.each_ref().map(|program| per_round(program, base));

    println!(
        "{:36} {:>10} {:>10} {:>6}",
        "instructions per round", "here", "mio", "ratio"
    );
    let mut slower = Vec::new();
    for name in names.lines() {
        let [mut ours, mut theirs] = programs.each_ref().map(|program| per_round(program, name));
        if name.starts_with("poll") {
            ours -= bases[0];
            theirs -= bases[1];
        }
        let ratio = ours / theirs;
        println!("{name:36} {ours:10.1} {theirs:10.1} {ratio:6.3}");
        if ratio.is_nan() || ratio > LIMIT {
            slower.push(name);
        }
    }
    assert!(!names.is_empty());
    assert!(
        slower.is_empty(),
        "more than {LIMIT} times mio's instructions: {slower:?}"
    );
}
