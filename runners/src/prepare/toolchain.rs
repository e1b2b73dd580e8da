//! The toolchain that builds for a further target, as a guest's: the user's own if it can, else one
//! that is made to.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::debian::Debian;
use super::mark::Lock;
use super::rustc::Rustc;
use super::{Missing, compiler, standard};
use crate::process;
use crate::progress::Step;
use crate::project::{COMPONENTS, TARGET};

/// The machine whose sanitizers are tried.
#[cfg(target_os = "linux")]
const HOST: &str = "x86_64-unknown-linux-gnu";

/// How cargo is made to build for a further target.
#[derive(Debug, Clone, Default)]
pub struct Toolchain {
    pub name: String,
    pub target: &'static str,
    /// Empty when the user's own toolchain will do as it is.
    pub rustc: Option<PathBuf>,
    pub rustdoc: Option<PathBuf>,
    pub sysroot: Option<PathBuf>,
    pub linker: Option<PathBuf>,
    /// Whether it is another compiler than the user's, so that clippy's driver cannot read its std.
    pub foreign: bool,
}

impl Toolchain {
    /// Makes `cargo` use it, for its target by default.
    pub fn apply(&self, cargo: &mut Command) {
        cargo.env("CARGO_BUILD_TARGET", self.target);
        let linker = self.target.to_uppercase().replace('-', "_");
        let linker = format!("CARGO_TARGET_{linker}_LINKER");
        let variables = [
            ("RUSTC", &self.rustc),
            ("RUSTDOC", &self.rustdoc),
            // Clippy's driver takes the place of rustc and asks for the sysroot by this.
            ("SYSROOT", &self.sysroot),
            (&linker, &self.linker),
        ];
        for (name, value) in variables {
            if let Some(value) = value {
                cargo.env(name, value);
            }
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Whether rustup is to be left out.
fn debian_only() -> Result<bool> {
    match env::var("MIO_WASI_PREPARE").as_deref() {
        Err(_) | Ok("") => Ok(false),
        Ok("debian") => Ok(true),
        Ok(other) => bail!("MIO_WASI_PREPARE is {other:?}; it may only be `debian`, or not be set"),
    }
}

/// For `target`: one of the two that guests have, or another machine's.
pub fn find_or_make(target: &'static str) -> Result<Toolchain> {
    let debian_only = debian_only()?;
    let rustc = Rustc::ask(target)?;
    if let Some(found) = find(&rustc) {
        return Ok(found);
    }
    let lock = Lock::take()?;
    if let Some(found) = find(&rustc) {
        return Ok(found);
    }
    let mut tried = Vec::new();
    if !debian_only {
        match rustup(&rustc) {
            Ok(found) => return Ok(found),
            Err(error) => tried.push(("`rustup target add`".to_string(), error)),
        }
    }
    match Debian::find() {
        Ok(debian) => {
            match standard::make(&debian, &rustc, &lock) {
                Ok(made) => return Ok(made),
                Err(error) => tried.push(("Debian's rust-src for this rustc".into(), error)),
            }
            if target == TARGET {
                match compiler::make(&debian, &rustc, &lock) {
                    Ok(made) => return Ok(made),
                    Err(error) => tried.push(("Debian's own Rust compiler".into(), error)),
                }
            }
        }
        Err(error) => tried.push(("Debian's packages".into(), error)),
    }
    Err(missing(&rustc, tried))
}

/// One that can build std anew, for the machine itself.
#[cfg(target_os = "linux")]
pub fn with_source() -> Result<Toolchain> {
    let rustc = Rustc::ask(HOST)?;
    if rustc.has_source() {
        return Ok(Toolchain {
            name: format!("rustc {} as installed", rustc.release),
            target: HOST,
            ..Toolchain::default()
        });
    }
    let lock = Lock::take()?;
    standard::with_source(&Debian::find()?, &rustc, &lock)
}

/// What is there already, without the network.
fn find(rustc: &Rustc) -> Option<Toolchain> {
    if rustc.has_target() {
        let name = format!("rustc {} as installed", rustc.release);
        return Some(Toolchain {
            name,
            target: rustc.target,
            ..Toolchain::default()
        });
    }
    if rustc.target == COMPONENTS {
        // The C library of Debian's own compiler, of 2024, knows no sockets.
        return standard::find(rustc);
    }
    standard::find(rustc).or_else(|| compiler::find(rustc))
}

fn rustup(rustc: &Rustc) -> Result<Toolchain> {
    let target = rustc.target;
    let step = Step::start(format!("adding {target} by rustup"));
    let mut rustup = Command::new("rustup");
    rustup
        .args(["target", "add", target])
        .env_remove("RUST_BACKTRACE");
    if let Err(error) = process::quiet(&mut rustup) {
        step.give_up();
        return Err(error);
    }
    let Some(found) = find(rustc) else {
        step.give_up();
        bail!("rustup reports success, but the rustc in use still has no std for {target}");
    };
    step.done(&found.name);
    Ok(found)
}

pub fn missing(rustc: &Rustc, tried: Vec<(String, anyhow::Error)>) -> anyhow::Error {
    let target = rustc.target;
    Missing {
        thing: format!(
            "The standard library for {target} of rustc {}",
            rustc.release
        ),
        tried,
        remedy: format!(
            "with a network, run `rustup target add {target}` once;\n\
             or run this again on a Debian machine that reaches its mirror \
             (MIO_WASI_DEBIAN_MIRROR names another)."
        ),
    }
    .into_error()
}
