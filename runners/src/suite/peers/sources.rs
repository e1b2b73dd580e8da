//! Two workspaces with the same packages from the registry, copied: in one Mio is this library, in
//! the other it is Mio itself. Whatever a test depends on uses the copies too, so that there is
//! one tokio in each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::progress::Step;
use crate::{process, project};

/// Whose tests are run. The first two in the versions that this project is locked to.
const PACKAGES: [&str; 3] = ["tokio", "hyper-util", "axum"];
/// Nothing of this project depends on it.
const AXUM: &str = "0.8.9";
/// What the tests depend on, in the versions that they were last run with.
const LOCK: &str = include_str!("Cargo.lock");
/// The package of this project that depends on the Mio that its API is made from.
const PARITY: &str = "upstream-parity";

/// A workspace, and the Mio in it.
#[derive(Debug)]
pub struct Side {
    /// Of its Mio.
    pub name: String,
    /// Short, for files.
    pub key: &'static str,
    pub folder: PathBuf,
    mio: Mio,
}

#[derive(Debug)]
struct Mio {
    version: String,
    /// Where it is, unless in the registry.
    patch: Option<PathBuf>,
}

#[derive(Debug)]
pub struct Sides {
    pub here: Side,
    pub there: Side,
    packages: Vec<Package>,
}

impl Sides {
    /// A package's name and version.
    pub fn title(&self, name: &str) -> String {
        let package = self.packages.iter().find(|package| package.name == name);
        let version = package.map_or("", |package| &package.version);
        format!("{name} {version}")
    }
}

/// What `cargo metadata` says.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Clone, Deserialize)]
struct Package {
    name: String,
    version: String,
    /// None for one by its path.
    source: Option<String>,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone, Deserialize)]
struct Dependency {
    name: String,
    req: String,
}

/// Fetches the packages and lays out both workspaces.
pub fn prepare() -> Result<Sides> {
    let step = Step::start("the sources of the peers' tests");
    let sides = lay_out();
    match &sides {
        Ok(_) => step.done("done"),
        Err(_) => step.give_up(),
    }
    sides
}

fn lay_out() -> Result<Sides> {
    let ours = metadata(project::root())?;
    let drop_in = ours.one("mio", |package| package.source.is_none())?;
    let upstream = published_mio(&ours)?;
    let folder = project::root().join("target").join("peers");
    let packages = fetch(&ours, &folder.join("sources"))?;
    let here = Side {
        name: "mio_wasi".into(),
        key: "here",
        folder: folder.join("here"),
        mio: Mio {
            version: drop_in.version.clone(),
            patch: Some(drop_in.folder().to_path_buf()),
        },
    };
    let there = Side {
        name: format!("mio {upstream}"),
        key: "there",
        folder: folder.join("there"),
        mio: Mio {
            version: upstream,
            patch: None,
        },
    };
    for side in [&here, &there] {
        side.lay_out(&packages)
            .with_context(|| format!("in {}", side.folder.display()))?;
    }
    Ok(Sides {
        here,
        there,
        packages,
    })
}

/// The version of Mio that the API is made from: the one that the parity tests pin.
fn published_mio(ours: &Metadata) -> Result<String> {
    let parity = ours.one(PARITY, |_| true)?;
    let mio = parity.dependencies.iter().find(|on| on.name == "mio");
    let pinned = mio.and_then(|mio| mio.req.strip_prefix('='));
    let pinned = pinned.with_context(|| format!("{PARITY} does not pin a version of Mio"))?;
    Ok(pinned.trim().into())
}

/// Has cargo fetch and unpack the packages, by a package that depends on them.
fn fetch(ours: &Metadata, folder: &Path) -> Result<Vec<Package>> {
    let mut manifest = String::from(
        "[package]\nname = \"sources\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [workspace]\n[lib]\npath = \"lib.rs\"\n[dependencies]\n",
    );
    for name in PACKAGES {
        let version = match name {
            "axum" => AXUM,
            _ => &ours.one(name, |_| true)?.version,
        };
        manifest += &format!("{name} = \"={version}\"\n");
    }
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("lib.rs"), "")?;
    let fetched = metadata(folder)?;
    let one = |name| fetched.one(name, |package| package.source.is_some());
    PACKAGES
        .into_iter()
        .map(|name| one(name).cloned())
        .collect()
}

impl Side {
    fn lay_out(&self, packages: &[Package]) -> Result<()> {
        for package in packages {
            copy_once(package.folder(), &self.folder.join(package.copy()))?;
        }
        // The lock follows the project's, and is cargo's own otherwise.
        if write(&self.folder.join("seed.lock"), LOCK)? {
            fs::write(self.folder.join("Cargo.lock"), LOCK).context("cannot write Cargo.lock")?;
        }
        write(&self.folder.join("Cargo.toml"), &self.manifest(packages))?;
        if self.check(packages).is_err() {
            let mut cargo = project::cargo();
            cargo.current_dir(&self.folder);
            cargo.args(["update", "--package=mio", "--precise", &self.mio.version]);
            process::quiet(&mut cargo)?;
            self.check(packages)?;
        }
        Ok(())
    }

    fn manifest(&self, packages: &[Package]) -> String {
        let mut members = String::new();
        let mut patches = String::new();
        for package in packages {
            let folder = package.copy();
            members += &format!("\"{folder}\", ");
            patches += &format!("{} = {{ path = \"{folder}\" }}\n", package.name);
        }
        if let Some(patch) = &self.mio.patch {
            patches += &format!("mio = {{ path = {:?} }}\n", patch.display().to_string());
        }
        // Debug information would make the test binaries six times as large.
        format!(
            "[workspace]\nmembers = [{members}]\nresolver = \"3\"\n\
             [patch.crates-io]\n{patches}\
             [profile.dev]\ndebug = false\nincremental = false\n"
        )
    }

    /// A patch that does not fit is only warned of: the tests would pass over another Mio.
    fn check(&self, packages: &[Package]) -> Result<()> {
        let metadata = metadata(&self.folder)?;
        for package in packages {
            let copy = self.folder.join(package.copy());
            metadata.only(&package.name, &package.version, Some(&copy))?;
        }
        metadata.only("mio", &self.mio.version, self.mio.patch.as_deref())
    }
}

impl Metadata {
    fn one(&self, name: &str, is_it: impl Fn(&Package) -> bool) -> Result<&Package> {
        let mut packages = self.packages.iter();
        packages
            .find(|package| package.name == name && is_it(package))
            .with_context(|| format!("cargo knows of no {name}"))
    }

    /// The only package of its name must be this one: by its path, or the registry's.
    fn only(&self, name: &str, version: &str, path: Option<&Path>) -> Result<()> {
        let named = |package: &&Package| package.name == name;
        for package in self.packages.iter().filter(named) {
            let placed = match path {
                Some(path) => package.source.is_none() && package.folder() == path,
                None => package.source.is_some(),
            };
            ensure!(
                placed && package.version == version,
                "{name} {version} is wanted, and {} {} is there too, in {}",
                package.name,
                package.version,
                package.folder().display()
            );
        }
        self.one(name, |_| true).map(|_| ())
    }
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }

    /// The name of the copy's folder.
    fn copy(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

fn metadata(folder: &Path) -> Result<Metadata> {
    let mut cargo = project::cargo();
    cargo.current_dir(folder);
    let text = process::quiet(cargo.args(["metadata", "--format-version=1"]))?;
    serde_json::from_str(&text).context("cannot read what cargo says about packages")
}

/// Leaves a copy alone that is there: cargo builds anew what has a newer time.
fn copy_once(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    let unfinished = to.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    copy(from, &unfinished).with_context(|| format!("cannot copy {}", from.display()))?;
    fs::rename(&unfinished, to).with_context(|| format!("cannot create {}", to.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Writes a file unless it says so already; whether it did.
fn write(file: &Path, text: &str) -> Result<bool> {
    if fs::read_to_string(file).is_ok_and(|there| there == text) {
        return Ok(false);
    }
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(file, text))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(version: &str, source: Option<&str>, folder: &str) -> Package {
        Package {
            name: "mio".into(),
            version: version.into(),
            source: source.map(String::from),
            manifest_path: Path::new(folder).join("Cargo.toml"),
            dependencies: Vec::new(),
        }
    }

    fn only(packages: &[Package], version: &str, path: Option<&str>) -> bool {
        let packages = packages.to_vec();
        let metadata = Metadata { packages };
        metadata.only("mio", version, path.map(Path::new)).is_ok()
    }

    #[test]
    fn another_mio_than_the_wanted_is_noticed() {
        let ours = package("1.2.99", None, "/p/drop-in");
        let published = package("1.2.4", Some("registry"), "/r/mio-1.2.4");
        assert!(only(
            std::slice::from_ref(&ours),
            "1.2.99",
            Some("/p/drop-in")
        ));
        assert!(only(std::slice::from_ref(&published), "1.2.4", None));
        assert!(!only(std::slice::from_ref(&published), "1.2.5", None));
        assert!(!only(std::slice::from_ref(&published), "1.2.4", Some("/p")));
        assert!(!only(std::slice::from_ref(&ours), "1.2.99", None));
        assert!(!only(&[ours, published], "1.2.99", Some("/p/drop-in")));
        assert!(!only(&[], "1.2.4", None));
    }
}
