//! What the measurements were made on and with.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::cores::{self, Cores};
use super::plan::{PUBLISHED, UPSTREAM};
use crate::host::Host;
use crate::prepare::Toolchain;
use crate::{process, project};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    /// How many processors this program may use.
    pub processors: usize,
    pub kernel: String,
    pub pinning: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versions {
    /// With the commit, where git knows it.
    pub mio_wasi: String,
    pub published: String,
    pub mio: String,
    pub wasmedge: String,
    pub rustc: String,
    /// What the guests were built by.
    pub guests: String,
    /// What serves HTTP, and what loads it.
    #[serde(default)]
    pub http: Vec<String>,
}

/// What serves HTTP, of its workspace's lock file.
const HTTP: [&str; 4] = ["hyper", "tokio", "hyper_wasi", "tokio_wasi"];

impl Machine {
    pub fn describe(pinned: Option<Cores>) -> Machine {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Machine {
            processor: processor(&read("/proc/cpuinfo")),
            processors: cores::allowed().len(),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            pinning: Cores::describe(pinned),
        }
    }
}

impl Versions {
    pub fn describe(host: &Host, toolchain: &Toolchain) -> Versions {
        let says = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            let said = process::quiet(command.args(args).current_dir(project::root()));
            said.ok().map(|said| said.trim().to_string())
        };
        let own = env!("CARGO_PKG_VERSION");
        let commit = says("git", &["describe", "--always", "--dirty", "--exclude=*"]);
        Versions {
            mio_wasi: commit.map_or(own.into(), |commit| format!("{own} ({commit})")),
            published: PUBLISHED.into(),
            mio: UPSTREAM.into(),
            wasmedge: host.version.to_string(),
            rustc: says("rustc", &["--version"]).unwrap_or_default(),
            guests: toolchain.to_string(),
            http: http(),
        }
    }
}

fn http() -> Vec<String> {
    let lock = lock("runners/compare");
    let named = |name: &&str| {
        versions(&lock, name)
            .next()
            .map(|it| format!("{name} {it}"))
    };
    HTTP.iter().filter_map(named).collect()
}

/// The lock file of a workspace; nothing if it cannot be read.
fn lock(folder: &str) -> String {
    let file = project::root().join(folder).join("Cargo.lock");
    fs::read_to_string(file).unwrap_or_default()
}

/// The versions of a package in a lock file.
fn versions<'a>(lock: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let found = lock.match_indices(&entry).collect::<Vec<_>>().into_iter();
    let length = entry.len();
    found.filter_map(move |(at, _)| lock[at + length..].split('"').next())
}

/// The processor's name as the kernel tells it; not every architecture has one.
fn processor(cpuinfo: &str) -> String {
    let named = cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_string())
    });
    named.unwrap_or_else(|| format!("a processor of {}", std::env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_that_are_built() {
        let lock = lock("runners/compare");
        for (name, version) in [("mio_wasi", PUBLISHED), ("mio", UPSTREAM)] {
            let mut found = versions(&lock, name);
            assert!(found.any(|it| it == version), "{name} is not {version}");
        }
        assert_eq!(http().len(), HTTP.len());
    }

    /// What is compared differs in this library, and in nothing below or above it.
    #[test]
    fn programs_of_other_workspaces_are_of_the_same_versions() {
        let compared = lock("runners/compare");
        let hyper = ["hyper", "hyper-util", "http-body-util", "tokio"];
        let old = ["hyper_wasi", "tokio_wasi", "wasmedge_wasi_socket"];
        let both = ["bytes", "http", "http-body", "httparse", "httpdate"];
        let pairs = [("", &hyper[..]), ("examples/hyper_wasi", &old)];
        for (folder, names) in pairs {
            let other = lock(folder);
            for name in names.iter().chain(&both) {
                let here: Vec<&str> = versions(&compared, name).collect();
                let mut there = versions(&other, name).peekable();
                assert!(there.peek().is_some(), "{folder} has no {name}");
                for version in there {
                    assert!(
                        here.contains(&version),
                        "{folder}: {name} {version}, not {here:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_processor_is_named() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.0 GHz\nmodel name\t: Another\n";
        assert_eq!(processor(cpuinfo), "Some CPU @ 2.0 GHz");
        assert!(processor("").starts_with("a processor of "));
    }
}
