//! std for a further target built by the user's own rustc, from Debian's source package of the same
//! version. Programs are then ordinary stable Rust: only std itself is built with unstable flags.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::debian::{Debian, link, script};
use super::mark::{self, Folder, Lock};
use super::rustc::Rustc;
use super::source;
use super::toolchain::Toolchain;
#[cfg(target_os = "linux")]
use super::{machine, wine};
use crate::process;
use crate::progress::Step;
use crate::project::{self, TARGET};

/// An older wasi-libc lacks symbols that std's debug builds import: they come out as `env.*`.
const LIBC_SUITE: &str = "sid";
/// What rustup keeps beside std: the start files and the C library.
const SELF_CONTAINED: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];
/// Windows by mingw-w64's C library, which is what can be linked for elsewhere.
pub const WINDOWS: &str = "x86_64-pc-windows-gnu";
const CRATES: &str = "-Zbuild-std=core,alloc,std,panic_abort,panic_unwind,proc_macro,test";

fn folder(rustc: &Rustc) -> Folder {
    let depends = format!("{}{}", rustc.verbose, rustc.sysroot.display());
    let name = match rustc.target {
        TARGET => format!("std-{}", rustc.release),
        other => format!("std-{}-{other}", rustc.release),
    };
    Folder::new(&name, &depends)
}

pub fn toolchain(rustc: &Rustc, folder: &Path) -> Toolchain {
    Toolchain {
        target: rustc.target,
        name: format!(
            "rustc {} with a std built from Debian's source",
            rustc.release
        ),
        rustc: Some(folder.join("rustc")),
        rustdoc: Some(folder.join("rustdoc")),
        sysroot: Some(folder.to_path_buf()),
        linker: None,
        foreign: false,
    }
}

pub fn find(rustc: &Rustc) -> Option<Toolchain> {
    let folder = folder(rustc);
    folder.is_ready().then(|| toolchain(rustc, &folder.path))
}

pub fn make(debian: &Debian, rustc: &Rustc, lock: &Lock) -> Result<Toolchain> {
    if rustc.is_for_guests() && !rustc.has_linker() {
        bail!(
            "rustc {} has no linker for WebAssembly (rust-lld)",
            rustc.release
        );
    }
    let folder = folder(rustc);
    folder.fill(lock, |path| {
        let source = source::provide(debian, rustc, lock)?;
        if rustc.is_for_guests() {
            let libraries = libraries(rustc, path).join("self-contained");
            install_libc(debian, rustc.target, path, &libraries)?;
        }
        build(rustc, path, &source, "")
    })?;
    forget_programs(rustc.target)?;
    Ok(toolchain(rustc, &folder.path))
}

/// Cargo takes what was built over an earlier std of this release for current, and rustc then
/// refuses it (E0463).
pub fn forget_programs(target: &str) -> Result<()> {
    let root = project::root().join("target");
    let mut places = vec![root.clone()];
    places.extend(["compare", "features", "typecheck"].map(|place| root.join(place)));
    let ways = fs::read_dir(root.join("ways")).into_iter().flatten();
    places.extend(ways.flatten().map(|entry| entry.path()));
    for programs in places.iter().map(|place| place.join(target)) {
        if programs.exists() {
            let removed = fs::remove_dir_all(&programs);
            removed.with_context(|| format!("cannot remove {}", programs.display()))?;
        }
    }
    Ok(())
}

/// A sysroot of the toolchain's own files with std's source beside them, for a build that makes
/// std anew for itself. It takes no more than some links.
#[cfg(target_os = "linux")]
pub fn with_source(debian: &Debian, rustc: &Rustc, lock: &Lock) -> Result<Toolchain> {
    let depends = format!("{}{}", rustc.verbose, rustc.sysroot.display());
    let folder = Folder::new(&format!("std-{}-source", rustc.release), &depends);
    let source = source::provide(debian, rustc, lock)?;
    if !folder.is_ready() {
        folder.fill(lock, |path| sysroot(rustc, path, &source))?;
    }
    Ok(toolchain(rustc, &folder.path))
}

/// Where the target's libraries are in the new sysroot.
fn libraries(rustc: &Rustc, path: &Path) -> PathBuf {
    path.join("lib/rustlib").join(rustc.target).join("lib")
}

/// Fetches wasi-libc by way of the folder `by`, and puts its files into `into`.
pub fn install_libc(debian: &Debian, target: &str, by: &Path, into: &Path) -> Result<()> {
    let step = Step::start(format!("fetching wasi-libc from Debian {LIBC_SUITE}"));
    let tree = by.join("wasi-libc");
    if let Err(error) = debian
        .suite(LIBC_SUITE)
        .and_then(|s| s.unpack(&["wasi-libc"], &tree))
    {
        step.give_up();
        return Err(error);
    }
    mark::create(into)?;
    for file in SELF_CONTAINED {
        let from = tree.join("root/usr/lib").join(target).join(file);
        let to = into.join(file);
        fs::copy(&from, &to).with_context(|| format!("wasi-libc has no {file}"))?;
    }
    fs::rename(tree.join("packages.txt"), by.join("wasi-libc.txt"))?;
    fs::remove_dir_all(&tree)?;
    step.done("done");
    Ok(())
}

/// Makes `path` a sysroot: the toolchain's own files and std's source by links, and the programs
/// that look there.
fn sysroot(rustc: &Rustc, path: &Path, source: &Path) -> Result<()> {
    let rustlib = path.join("lib/rustlib");
    mark::create(&rustlib.join("src"))?;
    link(
        &rustc.sysroot.join("lib/rustlib").join(&rustc.host),
        &rustlib.join(&rustc.host),
    )?;
    link(source, &rustlib.join("src/rust"))?;
    for program in ["rustc", "rustdoc"] {
        let real = rustc.sysroot.join("bin").join(program);
        let words = [
            &*real.to_string_lossy(),
            "--sysroot",
            &*path.to_string_lossy(),
        ];
        script(&path.join(program), &words)?;
    }
    Ok(())
}

/// Adds the target's std, built here with these flags of rustc's, to a sysroot at `path`.
pub fn build(rustc: &Rustc, path: &Path, source: &Path, flags: &str) -> Result<()> {
    sysroot(rustc, path, source)?;
    let step = Step::start(format!(
        "building std for {} by rustc {}",
        rustc.target, rustc.release
    ));
    let built = cargo_build(rustc, path, flags).and_then(|()| collect(rustc, path, source));
    match built {
        Ok(()) => step.done("done"),
        Err(_) => step.give_up(),
    }
    built?;
    fs::remove_file(path.join("lib/rustlib/src/rust"))?;
    fs::remove_dir_all(path.join("build"))?;
    Ok(())
}

fn cargo_build(rustc: &Rustc, path: &Path, flags: &str) -> Result<()> {
    let build = path.join("build");
    mark::create(&build.join("src"))?;
    fs::write(build.join("src/lib.rs"), "#![no_std]\n")?;
    // A workspace of its own: the folder lies inside the project's.
    let manifest = "[package]\nname = \"make-std\"\nedition = \"2021\"\n\n[workspace]\n";
    fs::write(build.join("Cargo.toml"), manifest)?;
    let mut cargo = project::cargo();
    cargo.current_dir(&build).args([
        "build",
        "--release",
        "--lib",
        "--target",
        rustc.target,
        CRATES,
    ]);
    cargo
        .env("RUSTC", path.join("rustc"))
        .env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_DIR", build.join("target"));
    #[cfg(target_os = "linux")]
    if rustc.target == WINDOWS {
        cargo.env("PATH", machine::before_path(&wine::tools()?));
    }
    without_build_settings(&mut cargo);
    cargo.env("RUSTFLAGS", flags);
    process::quiet(&mut cargo)?;
    Ok(())
}

/// The user's flags and wrappers are meant for the user's crates.
fn without_build_settings(cargo: &mut Command) {
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
    ] {
        cargo.env_remove(name);
    }
}

/// Moves the built libraries to where rustc looks for them.
fn collect(rustc: &Rustc, path: &Path, source: &Path) -> Result<()> {
    let libraries = libraries(rustc, path);
    mark::create(&libraries)?;
    let built = path.join("build/target").join(rustc.target);
    let built = built.join("release/deps");
    for entry in fs::read_dir(&built).context("the build of std left nothing")? {
        let file = entry?.path();
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libmake_std") {
            fs::copy(&file, libraries.join(&name))?;
        }
    }
    if rustc.target == WINDOWS {
        start_objects(&path.join("rustc"), source, &libraries)?;
    }
    Ok(())
}

/// What every program for Windows starts and ends with; std's build leaves them out.
fn start_objects(rustc: &Path, source: &Path, libraries: &Path) -> Result<()> {
    for name in ["rsbegin", "rsend"] {
        let mut compile = Command::new(rustc);
        compile.env("RUSTC_BOOTSTRAP", "1");
        compile.args(["--target", WINDOWS, "--crate-type=lib", "--emit=obj", "-o"]);
        compile.arg(libraries.join(name).with_extension("o"));
        let file = source.join("library/rtstartup").join(name);
        process::quiet(compile.arg(file.with_extension("rs")))?;
    }
    Ok(())
}
