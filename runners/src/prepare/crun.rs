//! A crun that runs guests: the one that is installed, if it can, or Debian's, unpacked with its
//! WasmEdge. Debian 13's is built for WasmEdge, and takes 0.14.1; that of later suites is not.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Error, Result, ensure};

use super::Missing;
use super::debian::link;
use super::mark::Folder;
use super::packages::provide;
use super::tools::PATCHELF;
use crate::process;
use crate::version::Version;

const SUITE: &str = "trixie";
/// crun loads it when it runs a guest, and its package only suggests it.
const LIBRARY: &str = "libwasmedge.so.0";
const LIBRARY_PACKAGE: &str = "libwasmedge0";

#[derive(Debug, Clone)]
pub struct Crun {
    pub program: PathBuf,
    /// Where its libraries are; empty if they are installed.
    pub libraries: PathBuf,
    /// The version of its WasmEdge, if that can be told.
    pub wasmedge: Option<Version>,
}

impl Crun {
    pub fn find_or_fetch() -> Result<Crun> {
        let mut tried = Vec::new();
        for program in installed() {
            match Crun::installed_at(&program) {
                Ok(crun) => return Ok(crun),
                Err(error) => tried.push((program.display().to_string(), error)),
            }
        }
        Crun::fetched().map_err(|error| {
            tried.push(("Debian's packages".into(), error));
            missing(tried)
        })
    }

    fn installed_at(program: &Path) -> Result<Crun> {
        let crun = Crun {
            program: program.into(),
            libraries: PathBuf::new(),
            wasmedge: None,
        };
        crun.check()?;
        let known = process::quiet(Command::new("/sbin/ldconfig").arg("-p"))?;
        ensure!(known.contains(LIBRARY), "there is no {LIBRARY} for it");
        Ok(crun)
    }

    fn fetched() -> Result<Crun> {
        let folder = Folder::new("crun", SUITE);
        // Not below, where what it needs is locked.
        let patchelf = PATCHELF.find_or_fetch()?;
        let packages = ["crun", LIBRARY_PACKAGE];
        provide(&folder, SUITE, &packages, |debian, path| {
            let root = path.join("root");
            link(&root.join(debian.arch.libraries), &path.join("libraries"))?;
            // It starts itself again, so a script that starts the loader would not do.
            let mut patch = Command::new(patchelf);
            patch
                .arg("--set-interpreter")
                .arg(root.join(debian.arch.loader))
                .arg(root.join("usr/bin/crun"));
            process::quiet(&mut patch)?;
            Crun::unpacked(path).map(drop)
        })?;
        Crun::unpacked(&folder.path)
    }

    fn unpacked(folder: &Path) -> Result<Crun> {
        let packages = fs::read_to_string(folder.join("packages.txt"));
        let packages = packages.context("what was unpacked is not told")?;
        let library = |line: &str| {
            let (_, version) = line.split_once(&format!(" {LIBRARY_PACKAGE} "))?;
            Version::find(version)
        };
        let crun = Crun {
            program: folder.join("root/usr/bin/crun"),
            libraries: folder.join("libraries"),
            wasmedge: packages.lines().find_map(library),
        };
        crun.check()?;
        Ok(crun)
    }

    /// Fails if it does not run here, or was not built for WasmEdge.
    fn check(&self) -> Result<()> {
        let mut ask = Command::new(&self.program);
        if !self.libraries.as_os_str().is_empty() {
            ask.env("LD_LIBRARY_PATH", &self.libraries);
        }
        let said = process::quiet(ask.arg("--version"))?;
        ensure!(
            said.contains("+WASM:wasmedge"),
            "it was not built for WasmEdge:\n{said}"
        );
        Ok(())
    }
}

/// Every crun on PATH, whether it can run guests or not.
fn installed() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join("crun"))
        .filter(|program| program.is_file())
        .collect()
}

fn missing(tried: Vec<(String, Error)>) -> Error {
    Missing {
        thing: "A crun that runs WebAssembly".into(),
        tried,
        remedy: "install one that was built for WasmEdge (Debian 13: `apt-get install crun \
                 libwasmedge0` as root);\n\
                 or run this again on a Debian machine that reaches its mirror."
            .into(),
    }
    .into_error()
}

/// The folder of the JSON schemas of OCI, by which the tests check what `bundle` writes.
#[cfg(test)]
pub fn schemas() -> Result<PathBuf> {
    let folder = Folder::new("oci-schemas", SUITE);
    let packages = [
        "golang-github-opencontainers-specs-dev",
        "golang-github-opencontainers-image-spec-dev",
    ];
    provide(&folder, SUITE, &packages, |_, _| Ok(()))?;
    let sources = folder.path.join("root/usr/share/gocode/src");
    Ok(sources.join("github.com/opencontainers"))
}
