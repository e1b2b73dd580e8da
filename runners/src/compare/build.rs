//! Everything that is measured, built: natively, for WasmEdge, and once more for WasmEdge with
//! every call to the host counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::contestant::{Contestant, LOAD, Program};
use super::plan::{Kind, Workload};
use super::results::Module;
use crate::host::{Host, Rights};
use crate::prepare::Toolchain;
use crate::progress::Step;
use crate::{counting, guest, process, project};

/// The release profile of `runners/compare`, for the programs of other workspaces.
const PROFILE: [&str; 6] = [
    "--config",
    "profile.release.opt-level=3",
    "--config",
    "profile.release.codegen-units=1",
    "--config",
    "profile.release.panic='abort'",
];

#[derive(Debug)]
pub struct Programs {
    host: Host,
    native: PathBuf,
    guests: BTreeMap<&'static str, Guest>,
    /// The load generator for HTTP, if that is measured.
    pub wrk: Option<PathBuf>,
}

/// A guest compiled ahead of time.
#[derive(Debug)]
struct Guest {
    wasm: PathBuf,
    compiled: PathBuf,
    /// The guest that counts its calls, or announces them if it cannot tell their counts, and the
    /// names of the calls; or why there is none.
    counting: Result<(PathBuf, Vec<String>), String>,
}

impl Programs {
    /// Builds what the workloads need in the workspace's own target folder.
    pub fn build(toolchain: &Toolchain, host: &Host, workloads: &[Workload]) -> Result<Programs> {
        let target = folder();
        build_native(&target, &natives(workloads))?;
        let modules = build_modules(toolchain, &target, &guests(workloads))?;
        let step = Step::start(format!("compiling the guests ahead of time with {host}"));
        let guests = modules
            .into_iter()
            .map(|(program, wasm)| Ok((program.name, compile(host, program, &wasm)?)))
            .collect::<Result<_>>();
        match &guests {
            Ok(_) => step.done("done"),
            Err(_) => step.give_up(),
        }
        Ok(Programs {
            host: host.clone(),
            native: target.join("release"),
            guests: guests?,
            wrk: None,
        })
    }

    pub fn load(&self) -> PathBuf {
        self.native.join(LOAD.path())
    }

    /// The command that serves.
    pub fn command(&self, contestant: Contestant, kind: Kind) -> Result<Command> {
        let program = contestant.program(kind);
        let mut command = if contestant.is_guest() {
            let guest = &self.guest(program)?.compiled;
            self.host.command(guest, &Rights::default())
        } else {
            Command::new(self.native.join(program.path()))
        };
        command.args(argument(contestant, kind));
        Ok(command)
    }

    /// The command that serves and counts its host calls, and their names.
    pub fn counting(&self, contestant: Contestant, kind: Kind) -> Result<(Command, &[String])> {
        match &self.guest(contestant.program(kind))?.counting {
            Ok((guest, names)) => {
                let mut command = self.host.command(guest, &Rights::default());
                command.args(argument(contestant, kind));
                Ok((command, names))
            }
            Err(why) => anyhow::bail!("its host calls cannot be counted: {why}"),
        }
    }

    fn guest(&self, program: Program) -> Result<&Guest> {
        let guest = self.guests.get(program.name);
        guest.with_context(|| format!("there is no guest {}", program.name))
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

/// What tells a server its part. The floor knows nothing but the echo.
fn argument(contestant: Contestant, kind: Kind) -> Option<&'static str> {
    match (contestant, kind) {
        (_, Kind::Http) => Some("127.0.0.1:0"),
        (Contestant::Floor, _) => None,
        (Contestant::DrainedFloor, _) => Some("--drained"),
        _ => Some(kind.served_as()),
    }
}

fn guests(workloads: &[Workload]) -> BTreeSet<Program> {
    contestants(workloads, Contestant::is_guest)
}

fn natives(workloads: &[Workload]) -> BTreeSet<Program> {
    let mut programs = contestants(workloads, |contestant| !contestant.is_guest());
    if workloads.iter().any(|workload| workload.kind != Kind::Http) {
        programs.insert(LOAD);
    }
    programs
}

fn contestants(workloads: &[Workload], which: fn(Contestant) -> bool) -> BTreeSet<Program> {
    let programs = workloads.iter().flat_map(|workload| {
        let contestants = workload.contestants().into_iter().filter(|one| which(*one));
        contestants.map(|one| one.program(workload.kind))
    });
    programs.collect()
}

/// The programs by their workspaces, each with what cargo is to be told.
fn by_workspace(programs: &BTreeSet<Program>, target: &Path) -> Vec<(Vec<Program>, Vec<String>)> {
    let mut workspaces = BTreeMap::<&str, Vec<Program>>::new();
    for program in programs {
        workspaces
            .entry(program.manifest)
            .or_default()
            .push(*program);
    }
    let told = |(manifest, programs): (&str, Vec<Program>)| {
        let target = target.to_string_lossy();
        let mut args = vec!["--release", "--locked", "--manifest-path", manifest];
        args.extend(["--target-dir", &*target]);
        args.extend(PROFILE);
        args.extend(programs.iter().flat_map(|one| [one.kind, one.target]));
        let args = args.into_iter().map(String::from).collect();
        (programs, args)
    };
    workspaces.into_iter().map(told).collect()
}

/// The module of the server over this library, for others to look at.
pub fn our_server(toolchain: &Toolchain) -> Result<PathBuf> {
    let programs = BTreeSet::from([Contestant::Ours.program(Kind::Echo)]);
    let built = build_modules(toolchain, &folder(), &programs)?;
    let (_, module) = built.into_iter().next().context("no server was built")?;
    Ok(module)
}

fn build_native(target: &Path, programs: &BTreeSet<Program>) -> Result<()> {
    let step = Step::start("building the native programs");
    let built = by_workspace(programs, target)
        .iter()
        .try_for_each(|(_, args)| {
            let mut cargo = project::cargo();
            cargo.current_dir(project::root()).arg("build").args(args);
            process::quiet(&mut cargo).map(drop)
        });
    match &built {
        Ok(()) => step.done("done"),
        Err(_) => step.give_up(),
    }
    built.context("the native programs do not build")
}

fn build_modules(
    toolchain: &Toolchain,
    target: &Path,
    programs: &BTreeSet<Program>,
) -> Result<Vec<(Program, PathBuf)>> {
    let step = Step::start("building the guests");
    let mut built = Vec::new();
    for (programs, args) in by_workspace(programs, target) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        match guest::build_quietly(toolchain, &args) {
            Ok(modules) => {
                for program in programs {
                    let module = guest::module(&modules, program.target)?;
                    built.push((program, module.to_path_buf()));
                }
            }
            Err(error) => {
                step.give_up();
                return Err(error);
            }
        }
    }
    step.done("done");
    Ok(built)
}

fn compile(host: &Host, program: Program, wasm: &Path) -> Result<Guest> {
    let rewritten = match program.tells {
        true => counting::rewrite_file(wasm),
        false => counting::announcing_file(wasm),
    };
    let counting = rewritten.and_then(|(counting, names)| Ok((host.compiled(&counting)?, names)));
    Ok(Guest {
        wasm: wasm.into(),
        compiled: host.compiled(wasm)?,
        counting: counting.map_err(|error| format!("{error:#}")),
    })
}
