//! The programs of others that the suite drives servers with, or looks at its work with, found or
//! fetched: what is installed comes first, then Debian's packages, unpacked under `target/prepared`
//! and run with their own libraries. Nothing is installed, and nobody has to be root.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Error, Result, ensure};

use super::Missing;
use super::debian::wrap;
use super::mark::Folder;
use super::packages::provide;

const SUITE: &str = "trixie";

/// A program of another project's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    pub name: &'static str,
    /// The package that holds it.
    package: &'static str,
    /// The option by which it tells its name and version, whatever its exit status is then.
    introduction: &'static str,
}

pub const CURL: Tool = tool("curl", "curl", "--version");
pub const WRK: Tool = tool("wrk", "wrk", "--version");
pub const REDIS_CLI: Tool = tool("redis-cli", "redis-tools", "--version");
pub const REDIS_BENCHMARK: Tool = tool("redis-benchmark", "redis-tools", "--version");
pub const PATCHELF: Tool = tool("patchelf", "patchelf", "--version");
pub const UMOCI: Tool = tool("umoci", "umoci", "--version");

/// All of them.
const TOOLS: [Tool; 6] = [CURL, WRK, REDIS_CLI, REDIS_BENCHMARK, PATCHELF, UMOCI];

const fn tool(name: &'static str, package: &'static str, introduction: &'static str) -> Tool {
    Tool {
        name,
        package,
        introduction,
    }
}

impl Tool {
    /// Where it is, after it was fetched if need be.
    pub fn find_or_fetch(self) -> Result<PathBuf> {
        let mut tried = Vec::new();
        for program in self.installed() {
            match self.check(&program) {
                Ok(()) => return Ok(program),
                Err(error) => tried.push((program.display().to_string(), error)),
            }
        }
        self.fetched().map_err(|error| {
            tried.push(("Debian's packages".into(), error));
            self.missing(tried)
        })
    }

    /// Every program of its name on PATH.
    fn installed(self) -> Vec<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let is_program = |path: &PathBuf| {
            let meta = path.metadata();
            meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        };
        env::split_paths(&path)
            .map(|folder| folder.join(self.name))
            .filter(is_program)
            .collect()
    }

    /// Fails if `program` does not run here, or is another one of the same name.
    fn check(self, program: &Path) -> Result<()> {
        let mut ask = Command::new(program);
        let answer = ask.arg(self.introduction).stdin(Stdio::null()).output();
        let answer = answer.context("it does not run")?;
        let said = [answer.stdout, answer.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let name = format!("{} ", self.name);
        ensure!(
            said.lines().any(|line| line.starts_with(&name)),
            "it does not say that it is {name}:\n{said}"
        );
        Ok(())
    }

    fn fetched(self) -> Result<PathBuf> {
        let folder = Folder::new(&format!("tools-{}", self.package), SUITE);
        let script = folder.path.join(self.name);
        provide(&folder, SUITE, &[self.package], |debian, path| {
            for tool in TOOLS.iter().filter(|tool| tool.package == self.package) {
                let script = path.join(tool.name);
                let program = format!("usr/bin/{}", tool.name);
                wrap(debian.arch, path, &program, &script, &[])?;
                tool.check(&script)?;
            }
            Ok(())
        })?;
        Ok(script)
    }

    fn missing(self, tried: Vec<(String, Error)>) -> Error {
        Missing {
            thing: format!("`{}`", self.name),
            tried,
            remedy: format!(
                "install it so that it is on your PATH (`apt-get install {}` as root);\n\
                 or run this again on a Debian machine that reaches its mirror.",
                self.package
            ),
        }
        .into_error()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_that_says_its_name_will_do() {
        let grep = tool("grep", "grep", "--version");
        grep.check(Path::new("grep")).unwrap();
        assert!(WRK.check(Path::new("grep")).is_err());
        assert!(WRK.check(Path::new("no such program")).is_err());
    }

    #[test]
    fn what_is_missing_can_be_installed() {
        let text = REDIS_CLI.missing(Vec::new()).to_string();
        assert!(text.starts_with("`redis-cli` is missing."), "{text}");
        assert!(text.contains("apt-get install redis-tools"), "{text}");
    }
}
