//! Everything that is measured, built: natively, for WasmEdge, and once more for WasmEdge with
//! every call to the host counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::plan::{Contestant, Kind};
use super::results::Module;
use crate::host::{Host, Rights};
use crate::prepare::Toolchain;
use crate::progress::Step;
use crate::{counting, guest, process, project};

/// The guests, by their program's name. Mio itself has no sockets on this target.
const GUESTS: [&str; 3] = ["server-published", "server-ours", "floor"];
const NATIVE: [&str; 3] = ["server-ours", "server-upstream", "load"];

#[derive(Debug)]
pub struct Programs {
    host: Host,
    native: PathBuf,
    guests: BTreeMap<&'static str, Guest>,
}

/// A guest compiled ahead of time.
#[derive(Debug)]
struct Guest {
    wasm: PathBuf,
    compiled: PathBuf,
    /// The guest that counts, and the names of what it counts; or why there is none.
    counting: Result<(PathBuf, Vec<String>), String>,
}

impl Programs {
    /// Builds all of it in the workspace's own target folder.
    pub fn build(toolchain: &Toolchain, host: &Host) -> Result<Programs> {
        let target = folder();
        native(&target)?;
        let modules = modules(toolchain, &target)?;
        let step = Step::start(format!("compiling the guests ahead of time with {host}"));
        let guests = GUESTS
            .into_iter()
            .map(|name| Ok((name, compile(host, guest::module(&modules, name)?)?)))
            .collect::<Result<_>>();
        match &guests {
            Ok(_) => step.done("done"),
            Err(_) => step.give_up(),
        }
        Ok(Programs {
            host: host.clone(),
            native: target.join("release"),
            guests: guests?,
        })
    }

    pub fn load(&self) -> PathBuf {
        self.native.join("load")
    }

    /// The command that serves.
    pub fn command(&self, contestant: Contestant, kind: Kind) -> Result<Command> {
        if contestant.is_guest() {
            let guest = self.guest(contestant)?;
            return Ok(self.guest_command(&guest.compiled, contestant, kind));
        }
        let mut command = Command::new(self.native.join(contestant.program()));
        command.arg(kind.served_as());
        Ok(command)
    }

    /// The command that serves and counts its host calls, and their names.
    pub fn counting(&self, contestant: Contestant, kind: Kind) -> Result<(Command, &[String])> {
        match &self.guest(contestant)?.counting {
            Ok((guest, names)) => Ok((self.guest_command(guest, contestant, kind), names)),
            Err(why) => anyhow::bail!("its host calls cannot be counted: {why}"),
        }
    }

    fn guest(&self, contestant: Contestant) -> Result<&Guest> {
        let guest = self.guests.get(contestant.program());
        guest.with_context(|| format!("there is no guest {}", contestant.program()))
    }

    fn guest_command(&self, guest: &Path, contestant: Contestant, kind: Kind) -> Command {
        let mut command = self.host.command(guest, &Rights::default());
        // The floor knows nothing but the echo.
        match contestant {
            Contestant::Floor => &mut command,
            Contestant::DrainedFloor => command.arg("--drained"),
            _ => command.arg(kind.served_as()),
        };
        command
    }

    pub fn modules(&self) -> Vec<Module> {
        let size = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        let module = |(name, guest): (&&str, &Guest)| Module {
            name: (*name).into(),
            wasm_bytes: size(&guest.wasm),
            compiled_bytes: size(&guest.compiled),
        };
        self.guests.iter().map(module).collect()
    }
}

/// Where all of it is built, and where the results go if nothing else is said.
pub fn folder() -> PathBuf {
    project::root().join("target").join("compare")
}

fn arguments<'a>(target: &'a str, packages: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["--release", "--locked"];
    args.extend([
        "--manifest-path",
        "runners/compare/Cargo.toml",
        "--target-dir",
        target,
    ]);
    args.extend(packages.iter().flat_map(|package| ["--package", package]));
    args
}

fn native(target: &Path) -> Result<()> {
    let step = Step::start("building the native servers and the load generator");
    let mut cargo = project::cargo();
    cargo.current_dir(project::root()).arg("build");
    let target = target.to_string_lossy();
    let built = process::quiet(cargo.args(arguments(&target, &NATIVE)));
    match &built {
        Ok(_) => step.done("done"),
        Err(_) => step.give_up(),
    }
    built.context("the native programs do not build")?;
    Ok(())
}

fn modules(toolchain: &Toolchain, target: &Path) -> Result<Vec<PathBuf>> {
    let step = Step::start("building the guests");
    let target = target.to_string_lossy();
    let built = guest::build_quietly(toolchain, &arguments(&target, &GUESTS));
    match &built {
        Ok(_) => step.done("done"),
        Err(_) => step.give_up(),
    }
    built
}

fn compile(host: &Host, wasm: &Path) -> Result<Guest> {
    let counting = counting::rewrite_file(wasm)
        .and_then(|(counting, names)| Ok((host.compiled(&counting)?, names)));
    Ok(Guest {
        wasm: wasm.into(),
        compiled: host.compiled(wasm)?,
        counting: counting.map_err(|error| format!("{error:#}")),
    })
}
