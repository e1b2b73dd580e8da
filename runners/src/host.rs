//! A WasmEdge: how it is asked for its version, how it compiles a module and how it is started.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::version::Version;

/// The oldest one that has every socket call in the form the library imports.
pub const OLDEST: Version = Version(0, 14, 0);

/// From here on even a compiled guest is interpreted unless the mode is named.
const MODE_MUST_BE_NAMED: Version = Version(0, 17, 0);

/// Variables that a Rust program expects to see; WasmEdge passes none by itself.
const PASSED_ON: [&str; 2] = ["RUST_BACKTRACE", "RUST_LOG"];

/// A WasmEdge that answers.
#[derive(Debug, Clone)]
pub struct Host {
    pub program: PathBuf,
    pub version: Version,
}

/// What a guest may use beyond sockets and the standard streams.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    pub af_unix: bool,
    /// As WasmEdge takes them: `host`, `guest:host` or `guest:host:readonly`.
    pub dirs: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// Further options of the host's own.
    pub other: Vec<OsString>,
}

impl Host {
    /// The host at `program`, if it is a WasmEdge that is new enough.
    pub fn at(program: &Path) -> Result<Host> {
        let shown = program.display();
        let answer = process::quiet(Command::new(program).arg("--version"))
            .with_context(|| format!("{shown} does not run"))?;
        let version = Version::find(&answer)
            .filter(|_| answer.to_lowercase().contains("wasmedge"))
            .with_context(|| {
                let first = answer.lines().next().unwrap_or_default();
                format!("{shown} is not a WasmEdge: asked for its version, it says {first:?}")
            })?;
        if version < OLDEST {
            bail!("{shown} is WasmEdge {version}, and {OLDEST} is the oldest that will do");
        }
        Ok(Host {
            program: program.into(),
            version,
        })
    }

    /// The command that runs `guest`; the guest's own arguments are still to be added.
    pub fn command(&self, guest: &Path, rights: &Rights) -> Command {
        let mut command = Command::new(&self.program);
        let compiled = guest.extension().is_some_and(|extension| extension == "so");
        if compiled && self.version >= MODE_MUST_BE_NAMED {
            command.arg("--run-mode=aot");
        }
        if rights.af_unix {
            command.arg("--allow-af-unix");
        }
        for dir in &rights.dirs {
            command.arg("--dir").arg(dir);
        }
        for name in PASSED_ON {
            if let Ok(value) = env::var(name) {
                command.arg("--env").arg(format!("{name}={value}"));
            }
        }
        for pair in &rights.env {
            command.arg("--env").arg(pair);
        }
        command.args(&rights.other).arg("--").arg(guest);
        command
    }

    /// Compiles a module ahead of time. `so` is there only when it is whole.
    pub fn compile(&self, wasm: &Path, so: &Path) -> Result<()> {
        if so.extension().is_none_or(|extension| extension != "so") {
            // WasmEdge chooses the format by the name, and 0.14.1 may refuse its other one.
            bail!("the compiled guest {} must be named .so", so.display());
        }
        // Another process may be doing the same.
        let part = so.with_extension(format!("{}.part.so", std::process::id()));
        let mut compiler = Command::new(&self.program);
        compiler.arg("compile").arg("--").arg(wasm).arg(&part);
        process::quiet(&mut compiler)
            .with_context(|| format!("{self} cannot compile {}", wasm.display()))?;
        fs::rename(&part, so).with_context(|| format!("cannot write {}", so.display()))
    }

    /// `wasm` compiled for this host, beside it. Made anew only when the module is newer.
    pub fn compiled(&self, wasm: &Path) -> Result<PathBuf> {
        let so = wasm.with_extension(format!("{}.so", self.version));
        let changed = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
        match (changed(wasm), changed(&so)) {
            (Ok(module), Ok(compiled)) if module < compiled => {}
            _ => self.compile(wasm, &so)?,
        }
        Ok(so)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WasmEdge {}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(version: Version, guest: &str, rights: &Rights) -> Vec<String> {
        let host = Host {
            program: "wasmedge".into(),
            version,
        };
        let command = host.command(Path::new(guest), rights);
        let words = command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned());
        words
            .filter(|word| !word.starts_with("RUST_"))
            .filter(|word| word != "--env")
            .collect()
    }

    #[test]
    fn a_compiled_guest_needs_its_mode_named_on_newer_hosts_only() {
        let none = Rights::default();
        assert_eq!(words(Version(0, 14, 1), "a.so", &none), ["--", "a.so"]);
        assert_eq!(
            words(Version(0, 17, 0), "a.so", &none),
            ["--run-mode=aot", "--", "a.so"]
        );
        assert_eq!(words(Version(0, 17, 0), "a.wasm", &none), ["--", "a.wasm"]);
    }

    #[test]
    fn rights_stand_before_the_guest() {
        let rights = Rights {
            af_unix: true,
            dirs: vec![".:.".into()],
            env: vec!["A=B".into()],
            other: vec!["--time-limit".into(), "9".into()],
        };
        let seen = words(Version(0, 14, 1), "a.wasm", &rights).join(" ");
        assert_eq!(
            seen,
            "--allow-af-unix --dir .:. A=B --time-limit 9 -- a.wasm"
        );
    }

    #[test]
    fn a_compiled_guest_must_be_named_so() {
        let host = Host {
            program: "no such program".into(),
            version: OLDEST,
        };
        let error = host
            .compile(Path::new("a.wasm"), Path::new("b.wasm"))
            .unwrap_err();
        assert!(error.to_string().contains("must be named .so"));
    }
}
