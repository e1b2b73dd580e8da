//! Programs of the Python package index, each in an environment of its own below
//! `target/prepared`, of one version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::mark::{Folder, Lock};
use crate::process;
use crate::progress::Step;

/// A program, and the package of the same name that brings it.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    pub name: &'static str,
    pub version: &'static str,
}

impl Program {
    /// Where it is, after it was installed if need be.
    pub fn find_or_install(self) -> Result<PathBuf> {
        let folder = Folder::new(&format!("{}-{}", self.name, self.version), "");
        let program = folder.path.join("bin").join(self.name);
        if folder.is_ready() {
            return Ok(program);
        }
        let lock = Lock::take()?;
        if !folder.is_ready() {
            let step = Step::start(format!("installing {} {}", self.name, self.version));
            let filled = folder.fill(&lock, |path| self.install(path));
            match &filled {
                Ok(()) => step.done("done"),
                Err(_) => step.give_up(),
            }
            filled?;
        }
        Ok(program)
    }

    fn install(self, path: &Path) -> Result<()> {
        let mut make = Command::new("python3");
        process::quiet(make.args(["-m", "venv"]).arg(path))
            .context("there is no Python 3 that makes environments (its module `venv`)")?;
        let mut pip = Command::new(path.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        pip.arg(format!("{}=={}", self.name, self.version));
        process::quiet(&mut pip).with_context(|| format!("pip does not give {}", self.name))?;
        Ok(())
    }
}
