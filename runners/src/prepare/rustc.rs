//! The user's own rustc: what it is, and whether it can build for a guest's target as it stands.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

#[derive(Debug, Clone)]
pub struct Rustc {
    /// `rustc -vV`, whole: two compilers with the same answer are the same.
    pub verbose: String,
    /// `1.95.0`, or `1.97.0-nightly`.
    pub release: String,
    /// The machine's own target.
    pub host: String,
    pub sysroot: PathBuf,
    /// What it is to build for.
    pub target: &'static str,
}

impl Rustc {
    /// The compiler that cargo would use here.
    pub fn ask(target: &'static str) -> Result<Rustc> {
        let verbose = process::quiet(Rustc::command().arg("-vV"))
            .context("rustc does not run; is a Rust toolchain installed?")?;
        let sysroot = process::quiet(Rustc::command().args(["--print", "sysroot"]))?;
        let field = |name| field(&verbose, name).context("`rustc -vV` gives no release or host");
        Ok(Rustc {
            release: field("release")?,
            host: field("host")?,
            sysroot: sysroot.trim_end().into(),
            verbose,
            target,
        })
    }

    fn command() -> Command {
        Command::new(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")))
    }

    /// Whether std for the target is installed.
    pub fn has_target(&self) -> bool {
        let mut ask = Rustc::command();
        ask.args(["--print", "target-libdir", "--target", self.target]);
        let asked = process::quiet(&mut ask);
        asked.is_ok_and(|folder| has_std(Path::new(folder.trim_end())))
    }

    /// Whether the target is one of guests: it takes a linker and a C library of its own.
    pub fn is_for_guests(&self) -> bool {
        self.target.starts_with("wasm32-")
    }

    /// Whether std's source is installed where cargo looks for it.
    #[cfg(target_os = "linux")]
    pub fn has_source(&self) -> bool {
        let source = self.sysroot.join("lib/rustlib/src/rust/library");
        source.join("std").is_dir()
    }

    /// rustup's toolchains bring the linker for WebAssembly, distributions' leave it out.
    pub fn has_linker(&self) -> bool {
        let bin = self
            .sysroot
            .join("lib/rustlib")
            .join(&self.host)
            .join("bin");
        ["rust-lld", "rust-lld.exe"]
            .iter()
            .any(|name| bin.join(name).exists())
    }
}

/// Whether `folder` holds a standard library.
fn has_std(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| {
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// The value of one line of `rustc -vV`.
fn field(verbose: &str, name: &str) -> Option<String> {
    let value = |line: &str| {
        line.strip_prefix(name)?
            .strip_prefix(": ")
            .map(String::from)
    };
    verbose.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_name() {
        let verbose = "rustc 1.95.0 (5 2026)\nbinary: rustc\nhost: x86_64-a-b\nrelease: 1.95.0\n";
        assert_eq!(field(verbose, "release").as_deref(), Some("1.95.0"));
        assert_eq!(field(verbose, "host").as_deref(), Some("x86_64-a-b"));
        assert_eq!(field(verbose, "LLVM version"), None);
    }
}
