//! The program of a container: which file it is, and how it is called.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::host::Host;
use crate::prepare::{self, Toolchain};
use crate::progress::Step;
use crate::{guest, imports};

/// A guest with its arguments and its environment.
#[derive(Debug, Clone)]
pub struct Program {
    /// The module, or what it was compiled to.
    pub file: PathBuf,
    /// Without the program's own name.
    pub args: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    name: String,
}

/// The module that `guest` names: a file, or an example that is built.
pub fn module(guest: &str) -> Result<PathBuf> {
    if guest.ends_with(".wasm") {
        let path = fs::canonicalize(guest).with_context(|| format!("there is no {guest}"))?;
        imports::check_file(&path)?;
        return Ok(path);
    }
    let toolchain = prepare::toolchain()?;
    let step = Step::start(format!("building the example {guest}"));
    let module = example(&toolchain, guest);
    match &module {
        Ok(_) => step.done("done"),
        Err(_) => step.give_up(),
    }
    module
}

/// The module of an example of this project, built.
pub fn example(toolchain: &Toolchain, name: &str) -> Result<PathBuf> {
    let args = ["--release", "--package", "mio_wasi", "--example", name];
    let modules = guest::build_quietly(toolchain, &args)?;
    Ok(guest::module(&modules, name)?.to_path_buf())
}

impl Program {
    pub fn new(module: &Path) -> Result<Program> {
        let name = module.file_stem().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} has no fit name", module.display()))?;
        Ok(Program {
            file: module.into(),
            args: Vec::new(),
            env: Vec::new(),
            name: name.into(),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the file is called in the container's root. The ending tells WasmEdge nothing, but
    /// others: crun's `wasm-smart` takes `.wasm` only.
    pub fn file_name(&self) -> String {
        let ending = self.file.extension().unwrap_or_default();
        format!("{}.{}", self.name, ending.to_string_lossy())
    }

    /// The whole command line in the container.
    pub fn command(&self) -> Vec<String> {
        let program = [format!("/{}", self.file_name())];
        program.into_iter().chain(self.args.clone()).collect()
    }

    /// Fails if the environment is none.
    pub fn check(&self) -> Result<()> {
        for pair in &self.env {
            let name = pair.split_once('=').map(|(name, _)| name);
            ensure!(
                name.is_some_and(|name| !name.is_empty()),
                "--env {pair:?} is not of the form NAME=VALUE"
            );
        }
        Ok(())
    }

    /// Compiles the module for `host`: as a module that holds its compiled code beside its own, so
    /// that it runs, interpreted, in whatever else. Where the host makes one that it rejects, as a
    /// library, which runs nowhere else.
    pub fn compile(&mut self, host: &Host) -> Result<()> {
        let module = host.compiled_portable(&self.file)?;
        self.file = if host.accepts(&module)? {
            module
        } else {
            host.compiled(&self.file)?
        };
        Ok(())
    }

    /// What is to be known of it, once it was compiled.
    pub fn remark(&self, host: &Host) -> String {
        let mut text = format!("compiled for {host}; ");
        text.push_str(if self.file.extension().is_some_and(|e| e == "wasm") {
            "with a libwasmedge of another version it is interpreted"
        } else {
            "it rejects its own universal format for this module, so with a libwasmedge of another \
             version it does not run"
        });
        if host.must_be_told() {
            text.push_str(
                "\nthis version uses compiled code only if told to, as crun 1.21 does not",
            );
        }
        text
    }
}
