//! Debian's own Rust compiler with its std for wasm32-wasip1: the way that is open to any rustc,
//! also one whose source no suite has. The user's cargo drives it.

use anyhow::Result;

use super::debian::{Debian, wrap};
use super::mark::{Folder, Lock};
use super::rustc::Rustc;
use super::standard::install_libc;
use super::toolchain::Toolchain;
use crate::progress::Step;
use crate::project::TARGET;

const SUITE: &str = "trixie";
/// The compiler, std for the machine (build scripts and macros) and for guests, and the linker.
const PACKAGES: [&str; 4] = [
    "rustc",
    "libstd-rust-dev",
    "libstd-rust-dev-wasm32",
    "lld-19",
];
const LINKER: &str = "usr/lib/llvm-19/bin/lld";

fn folder() -> Folder {
    Folder::new("rustc-debian", SUITE)
}

fn toolchain(folder: &Folder, rustc: &Rustc) -> Toolchain {
    let path = |name: &str| Some(folder.path.join(name));
    Toolchain {
        target: TARGET,
        name: format!("Debian {SUITE}'s rustc (yours is {})", rustc.release),
        rustc: path("rustc"),
        rustdoc: path("rustdoc"),
        sysroot: path("root/usr"),
        linker: path("wasm-ld"),
        foreign: true,
    }
}

pub fn find(rustc: &Rustc) -> Option<Toolchain> {
    let folder = folder();
    folder.is_ready().then(|| toolchain(&folder, rustc))
}

pub fn make(debian: &Debian, rustc: &Rustc, lock: &Lock) -> Result<Toolchain> {
    let folder = folder();
    folder.fill(lock, |path| {
        let step = Step::start(format!(
            "fetching the Rust compiler of Debian {SUITE} (130 MB)"
        ));
        if let Err(error) = debian
            .suite(SUITE)
            .and_then(|suite| suite.unpack(&PACKAGES, path))
        {
            step.give_up();
            return Err(error);
        }
        step.done("done");
        let sysroot = path.join("root/usr");
        let words = ["--sysroot", &*sysroot.to_string_lossy()];
        wrap(
            debian.arch,
            path,
            "usr/bin/rustc",
            &path.join("rustc"),
            &words,
        )?;
        wrap(
            debian.arch,
            path,
            "usr/bin/rustdoc",
            &path.join("rustdoc"),
            &words,
        )?;
        wrap(debian.arch, path, LINKER, &path.join("wasm-ld"), &[])?;
        // Its own C library is of 2024: see `standard`.
        let libraries = sysroot
            .join("lib/rustlib")
            .join(TARGET)
            .join("lib/self-contained");
        install_libc(debian, TARGET, path, &libraries)
    })?;
    Ok(toolchain(&folder, rustc))
}
