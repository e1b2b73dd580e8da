//! `runners features`: every combination of the library's features must build without a warning,
//! natively and for wasm32-wasip1.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{guest, prepare, process, progress, project};

const FEATURES: [&str; 5] = ["os-poll", "os-ext", "net", "wasmedge", "log"];

pub fn main() -> Result<ExitCode> {
    let toolchain = prepare::toolchain()?;
    let mut failed = 0;
    for target in ["native", project::TARGET] {
        let bar = progress::bar(1 << FEATURES.len(), target);
        for set in combinations() {
            bar.set_message(set.clone());
            let mut cargo = match target {
                "native" => project::cargo(),
                _ => guest::cargo(&toolchain)?,
            };
            if let Err(error) = process::quiet(check(&mut cargo, &set)) {
                bar.suspend(|| eprintln!("{target} with features \"{set}\":\n{error:#}"));
                failed += 1;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
    }
    let total = 2 << FEATURES.len();
    println!(
        "{} combinations of features built, {failed} failed",
        total - failed
    );
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn check<'a>(cargo: &'a mut Command, set: &str) -> &'a mut Command {
    // A folder of its own: the flag would make cargo forget what it has built without it.
    let folder = project::root().join("target").join("features");
    cargo
        .current_dir(project::root())
        .env("CARGO_TARGET_DIR", folder);
    cargo.env("RUSTFLAGS", "-Dwarnings");
    cargo.args([
        "check",
        "--quiet",
        "--package",
        "mio_wasi",
        "--lib",
        "--no-default-features",
    ]);
    cargo.args(["--features", set])
}

/// Every subset, as cargo takes it.
fn combinations() -> impl Iterator<Item = String> {
    (0..1_u32 << FEATURES.len()).map(|bits| {
        let chosen = FEATURES
            .iter()
            .enumerate()
            .filter(|(bit, _)| bits >> bit & 1 == 1);
        chosen.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_subset_comes_once() {
        let all: Vec<String> = combinations().collect();
        assert_eq!(all.len(), 32);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 32);
        assert_eq!(all[0], "");
        assert_eq!(all[31], FEATURES.join(","));
    }
}
