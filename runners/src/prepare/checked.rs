//! std for systems that programs are checked for here, and neither built nor run. It is made like a
//! guest's, but without code, which takes half the time; a linker has no use for it, so it lies in
//! a folder of its own. Nothing is asked of rustup: what only a check wants, a user's toolchain
//! should not have to keep.

use anyhow::{Error, Result};

use super::debian::Debian;
use super::mark::{Folder, Lock};
use super::rustc::Rustc;
use super::toolchain::{self, Toolchain};
use super::{source, standard};

/// A toolchain that checks programs for `target`.
pub fn toolchain(target: &'static str) -> Result<Toolchain> {
    let rustc = Rustc::ask(target)?;
    if let Some(found) = find(&rustc) {
        return Ok(found);
    }
    let lock = Lock::take()?;
    if let Some(found) = find(&rustc) {
        return Ok(found);
    }
    let made = Debian::find().and_then(|debian| make(&debian, &rustc, &lock));
    made.map_err(|error| toolchain::missing(&rustc, vec![("Debian's rust-src".into(), error)]))
}

/// Why this machine has no way to one, if it has none.
pub fn obstacle(target: &'static str) -> Option<Error> {
    match Rustc::ask(target) {
        Ok(rustc) if find(&rustc).is_some() => None,
        Ok(_) => Debian::find().err(),
        Err(error) => Some(error),
    }
}

fn folder(rustc: &Rustc) -> Folder {
    let depends = format!("{}{}", rustc.verbose, rustc.sysroot.display());
    let name = format!("std-{}-{}-checked", rustc.release, rustc.target);
    Folder::new(&name, &depends)
}

fn find(rustc: &Rustc) -> Option<Toolchain> {
    if rustc.has_target() {
        return Some(Toolchain {
            name: format!("rustc {} as installed", rustc.release),
            target: rustc.target,
            ..Toolchain::default()
        });
    }
    let folder = folder(rustc);
    folder
        .is_ready()
        .then(|| standard::toolchain(rustc, &folder.path))
}

fn make(debian: &Debian, rustc: &Rustc, lock: &Lock) -> Result<Toolchain> {
    let source = source::provide(debian, rustc, lock)?;
    let folder = folder(rustc);
    folder.fill(lock, |path| {
        standard::build(rustc, path, &source, "-Zno-codegen")
    })?;
    standard::forget_programs(rustc.target)?;
    Ok(standard::toolchain(rustc, &folder.path))
}
