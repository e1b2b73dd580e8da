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
}

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
        }
    }
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
    fn the_processor_is_named() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.0 GHz\nmodel name\t: Another\n";
        assert_eq!(processor(cpuinfo), "Some CPU @ 2.0 GHz");
        assert!(processor("").starts_with("a processor of "));
    }
}
