//! What a guest needs, found or fetched: a toolchain for wasm32-wasip1 and a WasmEdge.
//!
//! What is installed comes first; then `rustup target add` for the target; then Debian's packages,
//! unpacked under `target/prepared`. Nothing is installed outside this project's folder but by
//! rustup. `MIO_WASI_PREPARE=debian` leaves rustup out. One process prepares at a time, and a
//! folder counts only when its last step has left a mark in it.
//!
//! What only the suite needs is there too, fetched by the row that asks for it: the programs of
//! others, and the machines and systems that its tests can be built for and run on.

mod apt;
pub mod checked;
mod compiler;
#[cfg(target_os = "linux")]
pub mod crun;
mod debian;
#[cfg(target_os = "linux")]
pub mod machine;
mod mark;
#[cfg(target_os = "linux")]
mod packages;
pub mod python;
mod rustc;
mod source;
mod standard;
mod toolchain;
#[cfg(target_os = "linux")]
pub mod tools;
mod wasmedge;
#[cfg(target_os = "linux")]
pub mod wine;

use std::process::ExitCode;

use anyhow::{Error, Result, anyhow};

pub use toolchain::Toolchain;
pub use wasmedge::Wanted;

use crate::explain::explain;
use crate::host::{Host, Kind};
use crate::project;

/// The name that means: whichever WasmEdge can be found or had.
pub const ANY_HOST: &str = "wasmedge";

/// The toolchain that builds guests.
pub fn toolchain() -> Result<Toolchain> {
    toolchain::find_or_make(project::TARGET)
}

/// The toolchain that builds components.
pub fn component_toolchain() -> Result<Toolchain> {
    toolchain::find_or_make(project::COMPONENTS)
}

/// The host called `name`: a path, `wasmedge`, `wasmtime` or `hostile`.
pub fn host(name: &str) -> Result<Host> {
    match Kind::embedded(name) {
        Some(kind) => Host::embedded(kind),
        None => wasmedge::find_or_fetch(name),
    }
}

/// Every host that the suite is to run on.
pub fn hosts(name: &str) -> Vec<Wanted> {
    if Kind::embedded(name).is_none() {
        return wasmedge::all(name);
    }
    vec![Wanted {
        name: name.into(),
        host: host(name),
    }]
}

/// Both; when both fail, one error tells of both.
pub fn both(name: &str) -> Result<(Toolchain, Host)> {
    match (toolchain(), host(name)) {
        (Ok(toolchain), Ok(host)) => Ok((toolchain, host)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        (Err(toolchain), Err(host)) => Err(two_missing(&toolchain, &host)),
    }
}

fn two_missing(first: &Error, second: &Error) -> Error {
    anyhow!(
        "two things are missing.\n\n1. {}\n\n2. {}",
        explain(first),
        explain(second)
    )
}

/// `runners prepare`: says what there is.
pub fn report(name: &str) -> Result<ExitCode> {
    let (toolchain, host) = both(name)?;
    println!("target   {} by {toolchain}", project::TARGET);
    println!("host     {host} at {}", host.program.display());
    Ok(ExitCode::SUCCESS)
}

/// What was tried in vain, and what the user can do: the shape of every error of this module.
#[derive(Debug)]
struct Missing {
    thing: String,
    tried: Vec<(String, Error)>,
    remedy: String,
}

impl Missing {
    fn reasons(&self) -> Vec<(String, String)> {
        let reason = |error| shorten(&explain(error));
        self.tried
            .iter()
            .map(|(way, error)| (way.clone(), reason(error)))
            .collect()
    }

    fn into_error(self) -> Error {
        let mut text = format!("{} is missing.", self.thing);
        // Two ways that fail alike are told of once.
        for group in self.reasons().chunk_by(|a, b| a.1 == b.1) {
            let ways: Vec<&str> = group.iter().map(|(way, _)| way.as_str()).collect();
            let reason = group[0].1.replace('\n', "\n      ");
            text.push_str(&format!("\n   tried {}:\n      {reason}", ways.join("; ")));
        }
        text.push_str("\n   To get it: ");
        text.push_str(&self.remedy.replace('\n', "\n   "));
        anyhow!(text)
    }
}

/// The first and the last lines: what failed, and what caused it in the end.
fn shorten(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    match lines.len() {
        0..=6 => lines.join("\n"),
        count => [&lines[..3], &["  ..."], &lines[count - 2..]]
            .concat()
            .join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_thing_says_what_was_tried_and_what_to_do() {
        let missing = Missing {
            thing: "The moon".into(),
            tried: vec![(
                "a ladder".into(),
                anyhow!("too short").context("climbing failed"),
            )],
            remedy: "build a rocket.".into(),
        };
        let text = missing.into_error().to_string();
        assert!(text.starts_with("The moon is missing."), "{text}");
        assert!(
            text.contains("tried a ladder:\n      climbing failed\n        because: too short"),
            "{text}"
        );
        assert!(text.ends_with("To get it: build a rocket."), "{text}");
    }

    #[test]
    fn equal_reasons_are_told_once_and_long_ones_are_cut() {
        let reason = || anyhow!("no net\n1\n2\n3\n4\n5\nbecause");
        let missing = Missing {
            thing: "The moon".into(),
            tried: vec![("a ladder".into(), reason()), ("a rope".into(), reason())],
            remedy: "wait.".into(),
        };
        let text = missing.into_error().to_string();
        assert!(
            text.contains("tried a ladder; a rope:\n      no net\n"),
            "{text}"
        );
        assert_eq!(text.matches("because").count(), 1, "{text}");
        assert!(
            text.contains("...") && !text.contains("\n      3"),
            "{text}"
        );
    }

    #[test]
    fn two_missing_things_are_told_together() {
        let text = two_missing(&anyhow!("no target"), &anyhow!("no host")).to_string();
        assert!(
            text.contains("1. no target") && text.contains("2. no host"),
            "{text}"
        );
    }
}
