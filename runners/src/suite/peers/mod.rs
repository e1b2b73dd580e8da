//! The tests of those who build on Mio: tokio's, hyper-util's and axum's own, unmodified, run
//! natively over this library and over the published Mio. What passes there must pass here.
//!
//! Their sources come from the registry, by cargo, and nothing of them is kept in this project;
//! `target/peers` is where they are built. `docs/peers.md` tells what came of it.

mod binaries;
mod compare;
mod sources;
mod table;

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};

use super::report::{Outcome, Report, Row};
use crate::{progress, project};
use compare::Compared;
use sources::Sides;

/// What all rows together are called.
pub const NAME: &str = "peers' tests";

/// Tests that a package carries, as cargo is asked for them.
#[derive(Debug)]
pub struct Peer {
    package: &'static str,
    what: &'static str,
    args: &'static [&'static str],
    /// Needs a folder of its own, lest cargo forget what it has built without them.
    rustflags: Option<&'static str>,
    /// Whether it belongs to `--full`, and not to every run.
    full: bool,
}

const PEERS: &[Peer] = &[
    Peer {
        package: "tokio",
        what: "I/O tests",
        args: &[
            "--features=full,test-util",
            "--test=tcp_*",
            "--test=udp*",
            "--test=uds_*",
            "--test=net_*",
            "--test=unix_*",
            "--test=io_driver*",
            "--test=io_async_fd",
        ],
        rustflags: None,
        full: false,
    },
    Peer {
        package: "tokio",
        what: "every test",
        args: &["--features=full,test-util", "--tests"],
        rustflags: None,
        full: true,
    },
    // io_uring's completions come to the poller as well, by `SourceFd`.
    Peer {
        package: "tokio",
        what: "every test, with its unstable features",
        args: &["--all-features", "--tests"],
        rustflags: Some("--cfg tokio_unstable"),
        full: true,
    },
    Peer {
        package: "hyper-util",
        what: "every test",
        args: &["--all-features", "--tests"],
        rustflags: None,
        full: true,
    },
    Peer {
        package: "axum",
        what: "every test",
        // In axum's own repository a dependency without a version asks for the last one.
        args: &[
            "--all-features",
            "--tests",
            "--features=axum-macros/__private",
        ],
        rustflags: None,
        full: true,
    },
];

/// Runs them, one row for each peer. The table also goes to `target/peers/table.md`.
pub fn run(full: bool, report: &mut Report) {
    let sides = match sources::prepare() {
        Ok(sides) => sides,
        Err(error) => return report.push(Row::failed(NAME, "prepare", &error)),
    };
    let mut text = String::new();
    for peer in PEERS.iter().filter(|peer| peer.full == full) {
        let title = format!("{}: {}", sides.title(peer.package), peer.what);
        match test(peer, &title, &sides) {
            Ok(compared) => {
                report.push(row(&title, &compared));
                let tables = table::of(&title, &sides, &compared);
                eprintln!("\n{}", tables.families);
                let _ = writeln!(text, "{}\n{}", tables.families, tables.binaries);
                for told in compared.iter().flat_map(|compared| &compared.told) {
                    report.note(&format!("{title}: {told}"));
                    let _ = writeln!(text, "{told}");
                }
            }
            Err(error) => report.push(Row::failed(&title, "build and run", &error)),
        }
    }
    let file = project::root().join("target/peers/table.md");
    match fs::write(&file, text) {
        Ok(()) => eprintln!("  each test binary: {}", file.display()),
        Err(error) => report.note(&format!("{} is not written: {error}", file.display())),
    }
}

fn test(peer: &Peer, title: &str, sides: &Sides) -> Result<Vec<Compared>> {
    let here = binaries::build(&sides.here, peer, title)?;
    let there = binaries::build(&sides.there, peer, title)?;
    let names = |list: &[binaries::Binary]| -> Vec<String> {
        list.iter().map(|binary| binary.name.clone()).collect()
    };
    ensure!(!here.is_empty(), "cargo built no test");
    ensure!(
        names(&here) == names(&there),
        "cargo built other tests over {} than over {}",
        sides.here.name,
        sides.there.name
    );
    let bar = progress::bar(here.len(), title);
    let mut all = Vec::new();
    let mut failures = 0;
    for (here, there) in here.iter().zip(&there) {
        bar.set_message(here.name.clone());
        let compared = if failures < compare::ENOUGH {
            compare::run(here, there).with_context(|| format!("in {}", here.name))?
        } else {
            Compared::not_run(&here.name)
        };
        failures += compared.failures.len();
        all.push(compared);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(all)
}

fn row(title: &str, compared: &[Compared]) -> Row {
    let mut row = Row::new(title);
    for binary in compared {
        let named = |test: &str| format!("{}: {test}", binary.name);
        row.add_passed(binary.passed);
        for (test, why) in binary.ignored.iter().chain(&binary.failed_both) {
            row.add(&named(test), Outcome::Skipped(why.clone()));
        }
        for (test, output) in &binary.failures {
            row.add(&named(test), Outcome::Failed(output.clone()));
        }
    }
    row
}
