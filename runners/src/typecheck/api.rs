//! The API check of `native-tests` for one target: a package that is made for it, with the same
//! build script and the same test file, because the tests' own package needs far more. A second
//! one is over Mio itself, which proves the assertions on that target.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{cargo, complaint, passes};
use crate::prepare::Toolchain;
use crate::project;

/// What the build script adds to the list.
const ADDED: &str = "MIO_WASI_API_ADDED";

/// Whose API is checked.
#[derive(Debug, Clone, Copy)]
enum Library {
    Ours,
    Mio,
}

impl Library {
    fn name(self) -> &'static str {
        match self {
            Library::Ours => "api",
            Library::Mio => "mio-api",
        }
    }

    fn dependency(self) -> String {
        let from = match self {
            Library::Ours => format!("package = \"mio_wasi\", path = {:?}", project::root()),
            Library::Mio => "version = \"=1.2.4\"".into(),
        };
        format!("{{ {from}, features = [\"os-poll\", \"net\", \"os-ext\"] }}")
    }

    /// Writes the package; the answer is its manifest. The library's hidden cfgs, which the tests
    /// ask for, are declared in its own workspace alone.
    fn package(self) -> Result<PathBuf> {
        let folder = project::root().join("target/typecheck").join(self.name());
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let tests = project::root().join("native-tests");
        let manifest = format!(
            "[package]\nname = {:?}\nedition = \"2024\"\nbuild = {:?}\n\n\
             [lib]\npath = \"nothing.rs\"\n\n\
             [[test]]\nname = \"api\"\npath = {:?}\n\n\
             [dependencies]\nmio = {}\n\n[lints.rust]\nunexpected_cfgs = \"allow\"\n\n\
             [workspace]\n",
            self.name(),
            tests.join("build.rs"),
            tests.join("tests/api.rs"),
            self.dependency(),
        );
        fs::write(folder.join("nothing.rs"), "").context("cannot write the package")?;
        // The versions that everything else here is tested with.
        fs::copy(
            project::root().join("Cargo.lock"),
            folder.join("Cargo.lock"),
        )?;
        let path = folder.join("Cargo.toml");
        fs::write(&path, manifest).context("cannot write the package")?;
        Ok(path)
    }

    fn check(self, toolchain: &Toolchain) -> Result<Command> {
        let mut cargo = cargo(toolchain, "check");
        cargo.args(["--test", "api", "--manifest-path"]);
        cargo.arg(self.package()?).env_remove(ADDED);
        Ok(cargo)
    }
}

pub fn has_every_item(toolchain: &Toolchain) -> Result<()> {
    passes(&mut Library::Ours.check(toolchain)?)
}

pub fn mio_has_every_item(toolchain: &Toolchain) -> Result<()> {
    passes(&mut Library::Mio.check(toolchain)?)
}

/// Whether the method `planted` of these lines, which nobody has, is missed in the list.
pub fn finds(toolchain: &Toolchain, lines: &str) -> Result<()> {
    let said = complaint(Library::Mio.check(toolchain)?.env(ADDED, lines))?;
    ensure!(
        said.contains("E0599") && said.contains("`planted`"),
        "it fails for another reason:\n{said}"
    );
    Ok(())
}
