//! Windows, as far as Wine is it: Debian's mingw-w64 links for x86_64-pc-windows-gnu, and the Wine
//! 10 of Debian 13 runs the programs, without a display and without root, in a prefix of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian::{Debian, link, release, script};
use super::machine::{self, Machine};
use super::mark::{self, Folder};
use super::packages::provide;
use super::standard::WINDOWS;
use super::toolchain;
use super::tools::PATCHELF;
use crate::process;
use crate::progress::Step;

/// The first of Debian's with a Wine on which Mio's own tests pass.
const SUITE: &str = "trixie";
const LINKER: &str = "x86_64-w64-mingw32-gcc";
/// The programs of mingw's by the names that they are looked for, and as they are called there.
/// dlltool makes the import libraries that `windows-sys` asks for.
const PROGRAMS: [(&str, &str); 2] = [
    (LINKER, "x86_64-w64-mingw32-gcc-win32"),
    ("x86_64-w64-mingw32-dlltool", "x86_64-w64-mingw32-dlltool"),
];

pub fn windows() -> Result<Machine> {
    let suite = release()?;
    let mingw = mingw(&suite);
    provide(
        &mingw,
        &suite,
        &["gcc-mingw-w64-x86-64-win32"],
        |_, path| {
            for (name, called) in PROGRAMS {
                machine::unpacked_program(path, called, &[], &path.join("bin").join(name))?;
            }
            Ok(())
        },
    )?;
    let mut toolchain = toolchain::find_or_make(WINDOWS)?;
    let tools = mingw.path.join("bin");
    toolchain.linker = Some(tools.join(LINKER));
    Ok(Machine {
        toolchain,
        runner: Some(wine()?),
        tools: Some(tools),
    })
}

fn mingw(suite: &str) -> Folder {
    Folder::new("mingw-w64", suite)
}

/// Where the compiler finds mingw's programs, once they are there: std's own build wants them too.
pub fn tools() -> Result<PathBuf> {
    Ok(mingw(&release()?).path.join("bin"))
}

/// The script that runs a program for Windows.
fn wine() -> Result<PathBuf> {
    let folder = Folder::new("wine", SUITE);
    let program = folder.path.join("wine");
    // Not below, where what it needs is locked.
    let patchelf = PATCHELF.find_or_fetch()?;
    provide(&folder, SUITE, &["wine64"], |debian, path| {
        make_runnable(debian, path, &patchelf)?;
        make_prefix(path)
    })?;
    Ok(program)
}

fn make_runnable(debian: &Debian, path: &Path, patchelf: &Path) -> Result<()> {
    let root = path.join("root");
    let lib = root.join("usr/lib/wine");
    // The packaged one is a script that names fixed paths.
    let server = lib.join("wineserver");
    if server.symlink_metadata().is_ok() {
        fs::remove_file(&server).context("cannot replace the wineserver")?;
    }
    link(&lib.join("wineserver64"), &server)?;
    // The server looks for its tables of characters there.
    link(Path::new("."), &root.join("usr/share/wine/wine"))?;
    // They start each other, so a script that starts the loader would not do.
    for program in ["wine64", "wineserver64"] {
        let mut patch = Command::new(patchelf);
        patch.arg("--set-interpreter");
        patch.arg(root.join(debian.arch.loader));
        process::quiet(patch.arg(lib.join(program)))?;
    }
    let set = |name: &str, value: &Path| format!("{name}={}", value.display());
    let words = [
        "env".to_string(),
        set("LD_LIBRARY_PATH", &root.join(debian.arch.libraries)),
        set("WINESERVER", &lib.join("wineserver64")),
        set("WINEPREFIX", &path.join("prefix")),
        "DISPLAY=".into(),
        "WINEDEBUG=-all".into(),
        "WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe=d".into(),
        lib.join("wine64").display().to_string(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    script(&path.join("wine"), &words)
}

/// The folder that Wine takes for a computer. It is made here, and not by the first test.
fn make_prefix(path: &Path) -> Result<()> {
    let step = Step::start("starting Wine for the first time");
    let system = path.join("prefix/drive_c/windows/system32");
    mark::create(&system)?;
    // Wine's own libraries need it, and would find it in a folder that only an installation has.
    let zlib = path.join("root/usr/x86_64-w64-mingw32/lib/zlib1.dll");
    fs::copy(&zlib, system.join("zlib1.dll")).context("the packages hold no zlib1.dll")?;
    let started = process::quiet(Command::new(path.join("wine")).args(["cmd", "/c", "ver"]));
    match &started {
        Ok(version) => step.done(version.trim()),
        Err(_) => step.give_up(),
    }
    started.map(drop)
}
