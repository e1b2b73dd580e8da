//! Other machines, as far as this one can build for them and run what it built: a std for their
//! target, a linker with their C library, and what runs their programs here. All of it is
//! unpacked or built under `target/prepared` when a row of the suite asks for it.
//!
//! A program for i686 runs on an x86-64 processor as it is, and one for aarch64 in qemu. The
//! linker writes into each where its loader and its libraries are, so that a test which starts
//! itself again needs nothing else.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian::{release, script};
use super::mark::{self, Folder};
use super::packages::provide;
use super::toolchain::{self, Toolchain};

/// Where a test that starts itself again finds what must run it.
const TEST_RUNNER: &str = "MIO_WASI_TEST_RUNNER";

/// A machine or system that tests can be built for and run on here.
#[derive(Debug, Default)]
pub struct Machine {
    pub toolchain: Toolchain,
    /// What runs its programs; none if they run as they are.
    pub runner: Option<PathBuf>,
    /// A folder of programs that the compiler looks for by their names.
    pub tools: Option<PathBuf>,
}

impl Machine {
    /// Makes `cargo` build for it and run what it built.
    pub fn apply(&self, cargo: &mut Command) {
        self.toolchain.apply(cargo);
        if let Some(tools) = &self.tools {
            cargo.env("PATH", before_path(tools));
        }
        if let Some(runner) = &self.runner {
            // A variable of the environment would be split at blanks.
            let shown = runner.to_string_lossy();
            let shown = shown.replace('\\', "\\\\").replace('"', "\\\"");
            let target = self.toolchain.target;
            cargo.arg("--config");
            cargo.arg(format!("target.{target}.runner=[\"{shown}\"]"));
            cargo.env(TEST_RUNNER, runner);
        }
    }
}

/// PATH with `folder` before all others.
pub fn before_path(folder: &Path) -> OsString {
    let mut path = folder.as_os_str().to_owned();
    if let Some(rest) = env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

/// A further kind of Linux machine, in the words of Rust and of Debian.
struct Linux {
    target: &'static str,
    /// What the names of its compiler and of its folder begin with.
    triple: &'static str,
    packages: &'static [&'static str],
    /// The dynamic loader in its folder.
    loader: &'static str,
    emulator: Option<&'static str>,
}

const I686: Linux = Linux {
    target: "i686-unknown-linux-gnu",
    triple: "i686-linux-gnu",
    packages: &["gcc-i686-linux-gnu", "libc6-dev-i386-cross"],
    loader: "lib/ld-linux.so.2",
    emulator: None,
};

const AARCH64: Linux = Linux {
    target: "aarch64-unknown-linux-gnu",
    triple: "aarch64-linux-gnu",
    packages: &[
        "gcc-aarch64-linux-gnu",
        "libc6-dev-arm64-cross",
        "qemu-user-static",
    ],
    loader: "lib/ld-linux-aarch64.so.1",
    emulator: Some("usr/bin/qemu-aarch64-static"),
};

pub fn i686() -> Result<Machine> {
    I686.prepare()
}

pub fn aarch64() -> Result<Machine> {
    AARCH64.prepare()
}

/// This machine, by a toolchain that std's source belongs to.
pub fn with_source() -> Result<Machine> {
    Ok(Machine {
        toolchain: toolchain::with_source()?,
        ..Machine::default()
    })
}

impl Linux {
    fn prepare(&self) -> Result<Machine> {
        let suite = release()?;
        let folder = Folder::new(&format!("machine-{}", self.triple), &suite);
        provide(&folder, &suite, self.packages, |_, path| {
            self.write_linker(path)
        })?;
        let mut toolchain = toolchain::find_or_make(self.target)?;
        toolchain.linker = Some(folder.path.join("linker"));
        let emulator = self.emulator;
        Ok(Machine {
            toolchain,
            runner: emulator.map(|emulator| folder.path.join("root").join(emulator)),
            tools: None,
        })
    }

    fn write_linker(&self, path: &Path) -> Result<()> {
        let root = path.join("root");
        let own = root.join("usr").join(self.triple);
        let gcc = format!("{}-gcc", self.triple);
        let words = [
            format!("--sysroot={}", root.display()),
            format!("-B{}", own.join("lib").display()),
            format!("-Wl,--dynamic-linker={}", own.join(self.loader).display()),
            format!("-Wl,-rpath,{}", own.join("lib").display()),
        ];
        unpacked_program(path, &gcc, &words, &path.join("linker"))
    }
}

/// Writes the script `at` that starts a program of an unpacked tree of the machine's own release:
/// it needs its libraries, and finds its helpers by PATH.
pub fn unpacked_program(tree: &Path, name: &str, words: &[String], at: &Path) -> Result<()> {
    let programs = tree.join("root/usr/bin");
    let program = programs.join(name);
    fs::metadata(&program).with_context(|| format!("the packages hold no {name}"))?;
    if let Some(folder) = at.parent() {
        mark::create(folder)?;
    }
    let libraries = tree.join("root/usr/lib/x86_64-linux-gnu");
    let mut line = vec![
        "env".to_string(),
        format!("LD_LIBRARY_PATH={}", libraries.display()),
        format!("PATH={}:/usr/bin:/bin", programs.display()),
        program.display().to_string(),
    ];
    line.extend_from_slice(words);
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    script(at, &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_told_to_cargo_whole() {
        let machine = Machine {
            toolchain: Toolchain {
                target: "t-u-v",
                linker: Some("/p/linker".into()),
                ..Toolchain::default()
            },
            runner: Some("/p q/run".into()),
            tools: Some("/p/bin".into()),
        };
        let mut cargo = Command::new("cargo");
        machine.apply(&mut cargo);
        let args: Vec<_> = cargo.get_args().collect();
        assert_eq!(args, ["--config", "target.t-u-v.runner=[\"/p q/run\"]"]);
        let value = |name: &str| {
            let found = cargo.get_envs().find(|(key, _)| *key == name);
            let (_, value) = found.unwrap_or_else(|| panic!("{name} is not set"));
            value.expect("a value").to_string_lossy().into_owned()
        };
        assert_eq!(value("CARGO_BUILD_TARGET"), "t-u-v");
        assert_eq!(value("CARGO_TARGET_T_U_V_LINKER"), "/p/linker");
        assert_eq!(value(TEST_RUNNER), "/p q/run");
        assert!(value("PATH").starts_with("/p/bin:"));
    }

    #[test]
    fn a_program_that_is_not_there_is_told_of() {
        let error = unpacked_program(Path::new("/no such tree"), "gcc", &[], Path::new("/x/y"));
        let text = format!("{:#}", error.expect_err("nothing is there"));
        assert!(text.starts_with("the packages hold no gcc"), "{text}");
    }
}
