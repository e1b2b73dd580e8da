//! Where the examples run: in each WasmEdge, compiled ahead of time, and natively. A scene is one
//! of these places for one check.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::program::Program;
use crate::explain::explain;
use crate::host::{Host, Rights};
use crate::prepare::Toolchain;
use crate::prepare::tools::Tool;
use crate::suite::Setting;
use crate::suite::report::Outcome;
use crate::{counting, guest, process, project};

/// What says where a proxy is to be had; the servers here are asked by nobody else.
pub const PROXIES: [&str; 5] = [
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "no_proxy",
];

/// Held while a module is rewritten to a file that every host has compiled.
static REWRITING: Mutex<()> = Mutex::new(());

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Guest(&'a Host, &'a Toolchain),
    Native,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Guest(host, _) => host.fmt(f),
            Place::Native => f.write_str("native"),
        }
    }
}

/// One place for one check.
#[derive(Debug)]
pub struct Scene<'a> {
    place: Place<'a>,
    /// A word for the names of logs.
    check: &'a str,
    /// Whether it may take the time that it wants.
    pub full: bool,
}

/// Plays a check in every place at the same time, with the tools that it needs. All that goes wrong
/// is told.
pub fn everywhere(
    setting: &Setting,
    check: &str,
    tools: &[Tool],
    play: fn(&Scene) -> Result<()>,
) -> Result<Outcome> {
    let places = hosts(setting).chain([Place::Native]);
    in_places(setting, check, tools, places, play)
}

/// The same where guests run.
pub fn in_hosts(
    setting: &Setting,
    check: &str,
    tools: &[Tool],
    play: fn(&Scene) -> Result<()>,
) -> Result<Outcome> {
    in_places(setting, check, tools, hosts(setting), play)
}

fn hosts(setting: &Setting) -> impl Iterator<Item = Place<'_>> {
    let place = |host| Place::Guest(host, &setting.toolchain);
    setting.hosts.iter().map(place)
}

fn in_places<'a>(
    setting: &'a Setting,
    check: &'a str,
    tools: &[Tool],
    places: impl Iterator<Item = Place<'a>>,
    play: fn(&Scene) -> Result<()>,
) -> Result<Outcome> {
    for tool in tools {
        if let Err(error) = tool.find_or_fetch() {
            return Ok(Outcome::Skipped(explain(&error)));
        }
    }
    let full = setting.full;
    let run = |place| {
        let played = play(&Scene { place, check, full });
        let fault = played.with_context(|| format!("on {place}")).err();
        fault.map(|error| explain(&error))
    };
    let faults: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = places
            .map(|place| scope.spawn(move || run(place)))
            .collect();
        let panicked = |_| Some("a check panicked".into());
        let faults = threads.into_iter().map(|thread| thread.join());
        faults
            .filter_map(|fault| fault.unwrap_or_else(panicked))
            .collect()
    });
    Ok(if faults.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(faults.join("\n"))
    })
}

impl Scene<'_> {
    /// The command that runs an example, built if need be. A guest may use `folders`, by the names
    /// that they have here.
    pub fn example(&self, name: &str, folders: &[&Path]) -> Result<Command> {
        match self.place {
            Place::Native => Ok(Command::new(native(name)?)),
            Place::Guest(host, toolchain) => guest(host, &module(toolchain, name)?, folders),
        }
    }

    /// The command that runs an example which announces its host calls, with their names.
    pub fn announcing(&self, name: &str) -> Result<(Command, Vec<String>)> {
        let Place::Guest(host, toolchain) = self.place else {
            bail!("there are no host calls natively");
        };
        let wasm = module(toolchain, name)?;
        let (wasm, names) = {
            let _one_at_a_time = REWRITING.lock();
            counting::announcing_file(&wasm)?
        };
        Ok((guest(host, &wasm, &[])?, names))
    }

    /// A server of the examples, on a port of its own.
    pub fn serve(&self, name: &str) -> Result<Program> {
        self.serve_with(name, &[], &[])
    }

    /// The same with further arguments, and folders that it may use.
    pub fn serve_with(&self, name: &str, args: &[&str], folders: &[&Path]) -> Result<Program> {
        let mut command = self.example(name, folders)?;
        command.arg("127.0.0.1:0").args(args);
        Program::run(command, self.file(&format!("{name}.log")))
    }

    /// Where a file of this check in this place goes.
    pub fn file(&self, name: &str) -> PathBuf {
        let name = format!("real-{}-{}-{name}", self.check, self.place);
        project::suite_folder().join(name.replace(' ', "-"))
    }
}

/// A client, which gets nothing to read, and asks no proxy.
pub fn client(tool: Tool) -> Result<Command> {
    let mut command = Command::new(tool.find_or_fetch()?);
    command.stdin(Stdio::null());
    for name in PROXIES {
        command.env_remove(name);
    }
    Ok(command)
}

/// The module of an example.
fn module(toolchain: &Toolchain, name: &str) -> Result<PathBuf> {
    let args = ["--release", "--package", "mio_wasi", "--example", name];
    let modules = guest::build_quietly(toolchain, &args)?;
    Ok(guest::module(&modules, name)?.to_path_buf())
}

/// The command that runs a module, compiled ahead of time.
fn guest(host: &Host, wasm: &Path, folders: &[&Path]) -> Result<Command> {
    let lend = |folder: &&Path| format!("{0}:{0}", folder.display());
    let rights = Rights {
        dirs: folders.iter().map(lend).collect(),
        ..Rights::default()
    };
    Ok(host.command(&host.compiled(wasm)?, &rights))
}

/// An example built for this machine, as `cargo test` builds it.
fn native(name: &str) -> Result<PathBuf> {
    let mut cargo = project::cargo();
    cargo
        .current_dir(project::root())
        .args(["build", "--package", "mio_wasi", "--example", name])
        .arg("--message-format=json-render-diagnostics");
    let output = process::quiet(&mut cargo).context("the example does not build")?;
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let path = message["executable"].as_str()?;
        (message["target"]["name"] == name).then(|| PathBuf::from(path))
    };
    let found = output.lines().find_map(executable);
    found.with_context(|| format!("cargo built no {name}{}", env::consts::EXE_SUFFIX))
}
