//! The source of the user's own rustc, of which std is built for further targets: Debian's package
//! of exactly that release. It is fetched once, and every target's std is built from it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::debian::Debian;
use super::mark::{Folder, Lock};
use super::rustc::Rustc;
use crate::explain::explain;
use crate::progress::Step;
use crate::version::is_release;

/// Where a release's source may be, the smallest lists first.
const SUITES: [&str; 4] = ["trixie-backports", "sid", "experimental", "trixie"];
/// What lies beside the libraries, is large, and of no use for them.
const UNUSED: [&str; 2] = ["compiler", "src"];

/// The folder that holds `library/std`, fetched if need be.
pub fn provide(debian: &Debian, rustc: &Rustc, lock: &Lock) -> Result<PathBuf> {
    let folder = Folder::new(&format!("rust-src-{}", rustc.release), &rustc.release);
    if !folder.is_ready() {
        folder.fill(lock, |path| fetch(debian, rustc, path))?;
    }
    unpacked(&folder.path)
}

fn fetch(debian: &Debian, rustc: &Rustc, path: &Path) -> Result<()> {
    let step = Step::start(format!(
        "fetching the source of Rust {} from Debian",
        rustc.release
    ));
    let mut reasons = Vec::new();
    for name in SUITES {
        step.detail(name);
        match fetch_from(debian, name, rustc, path) {
            Ok(()) => {
                step.done(name);
                return Ok(());
            }
            Err(error) => reasons.push(explain(&error)),
        }
    }
    step.give_up();
    reasons.dedup();
    bail!("{}", reasons.join("\n"))
}

fn fetch_from(debian: &Debian, suite: &str, rustc: &Rustc, path: &Path) -> Result<()> {
    let lists = debian.suite(suite)?;
    let versions = lists.versions("rust-src")?;
    let version = versions
        .iter()
        .find(|version| is_release(version, &rustc.release));
    let Some(version) = version else {
        let has = if versions.is_empty() {
            "none".into()
        } else {
            versions.join(", ")
        };
        bail!(
            "Debian {suite} has no rust-src {} (it has {has})",
            rustc.release
        );
    };
    lists.unpack(&[&format!("rust-src={version}")], path)?;
    let source = unpacked(path)?;
    for unused in UNUSED.map(|name| source.join(name)) {
        if unused.exists() {
            fs::remove_dir_all(&unused)
                .with_context(|| format!("cannot remove {}", unused.display()))?;
        }
    }
    Ok(())
}

fn unpacked(tree: &Path) -> Result<PathBuf> {
    let sources = fs::read_dir(tree.join("root/usr/src")).context("rust-src holds no source")?;
    let mut sources = sources.flatten().map(|entry| entry.path());
    let source = sources.find(|path| path.join("library/std").is_dir());
    source.context("rust-src holds no std")
}
