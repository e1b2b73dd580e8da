//! A host: how it is asked for its version, how it compiles a module and how it is started.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::version::Version;
use crate::{embedded, process};

/// The oldest one that has every socket call in the form the library imports.
pub const OLDEST: Version = Version(0, 14, 0);

/// From here on even a compiled guest is interpreted unless the mode is named.
const MODE_MUST_BE_NAMED: Version = Version(0, 17, 0);

/// Variables that a Rust program expects to see; WasmEdge passes none by itself.
const PASSED_ON: [&str; 2] = ["RUST_BACKTRACE", "RUST_LOG"];

/// A host that answers.
#[derive(Debug, Clone)]
pub struct Host {
    pub program: PathBuf,
    pub version: Version,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    WasmEdge,
    /// Wasmtime, embedded: see [`crate::embedded`].
    Embedded,
    /// The same, and it meets the guest with faults.
    Hostile,
    /// The same program as a host of components, for wasm32-wasip2.
    Component,
}

impl Kind {
    /// The embedded one of this name.
    pub fn embedded(name: &str) -> Option<Kind> {
        match name {
            "wasmtime" => Some(Kind::Embedded),
            "hostile" => Some(Kind::Hostile),
            _ => None,
        }
    }
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

impl Rights {
    /// Whether the hostile host is told what to do.
    fn choose_faults(&self) -> bool {
        let mut words = self.other.iter().filter_map(|word| word.to_str());
        words.any(|word| word.starts_with("--seed") || word.starts_with("--fault"))
    }
}

/// A seed that is another one each time.
fn rand_seed() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().subsec_nanos()
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
            kind: Kind::WasmEdge,
        })
    }

    /// The embedded host, built.
    pub fn embedded(kind: Kind) -> Result<Host> {
        Ok(Host {
            program: embedded::program()?,
            // This project's own: Wasmtime's does not matter to a guest.
            version: Version::find(env!("CARGO_PKG_VERSION")).context("this version")?,
            kind,
        })
    }

    /// Whether it uses compiled code only if it is told to.
    pub fn must_be_told(&self) -> bool {
        self.kind == Kind::WasmEdge && self.version >= MODE_MUST_BE_NAMED
    }

    /// The command that runs `guest`; the guest's own arguments are still to be added.
    pub fn command(&self, guest: &Path, rights: &Rights) -> Command {
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::WasmEdge => {}
            Kind::Embedded | Kind::Hostile => _ = command.arg("run"),
            Kind::Component => _ = command.arg("component"),
        }
        if self.kind == Kind::Hostile && !rights.choose_faults() {
            let seed = rand_seed();
            eprintln!("hostile: --seed {seed}");
            command.arg("--seed").arg(seed.to_string());
        }
        let compiled = guest.extension().is_some_and(|extension| extension == "so");
        if compiled && self.must_be_told() {
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
        if self.kind != Kind::WasmEdge {
            bail!("{self} compiles a module when it runs it, and keeps the code for the next time");
        }
        if so.extension().is_none_or(|extension| extension != "so") {
            // WasmEdge chooses the format by the name, and 0.14.1 may refuse its other one.
            bail!("the compiled guest {} must be named .so", so.display());
        }
        self.compile_to(so, wasm, &[])
    }

    /// `wasm` compiled for this host, beside it. Made anew only when the module is newer.
    pub fn compiled(&self, wasm: &Path) -> Result<PathBuf> {
        self.newest(wasm, "so", &[])
    }

    /// As [`Host::compiled`], for any processor of this kind, and as a module that still holds its
    /// own code: what cannot use the compiled code interprets it.
    pub fn compiled_portable(&self, wasm: &Path) -> Result<PathBuf> {
        self.newest(wasm, "wasm", &["--generic-binary"])
    }

    /// Whether this host uses the compiled code that a module holds. WasmEdge (0.14.1, 0.17.1) may
    /// reject what it has written itself, says so, and interprets.
    pub fn accepts(&self, module: &Path) -> Result<bool> {
        let mut load = Command::new(&self.program);
        if self.must_be_told() {
            load.arg("--run-mode=aot");
        }
        // Loaded it is, but there is no such function to run.
        load.arg("--reactor").arg("--").arg(module).arg(" ");
        let said = load.stdin(Stdio::null()).output();
        let said = said.with_context(|| format!("{self} does not run"))?;
        let said = [said.stdout, said.stderr].concat();
        Ok(!String::from_utf8_lossy(&said).contains("AOT"))
    }

    fn newest(&self, wasm: &Path, extension: &str, options: &[&str]) -> Result<PathBuf> {
        if self.kind != Kind::WasmEdge {
            // It compiles what it runs, and remembers it.
            return Ok(wasm.into());
        }
        let compiled = wasm.with_extension(format!("{}.{extension}", self.version));
        let changed = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
        match (changed(wasm), changed(&compiled)) {
            (Ok(module), Ok(made)) if module < made => {}
            _ => self.compile_to(&compiled, wasm, options)?,
        }
        Ok(compiled)
    }

    fn compile_to(&self, compiled: &Path, wasm: &Path, options: &[&str]) -> Result<()> {
        // Another process may be doing the same; the ending stays, because it chooses the format.
        let extension = compiled.extension().unwrap_or_default().to_string_lossy();
        let part = compiled.with_extension(format!("{}.part.{extension}", std::process::id()));
        let mut compiler = Command::new(&self.program);
        compiler.arg("compile").args(options);
        compiler.arg("--").arg(wasm).arg(&part);
        process::quiet(&mut compiler)
            .with_context(|| format!("{self} cannot compile {}", wasm.display()))?;
        fs::rename(&part, compiled).with_context(|| format!("cannot write {}", compiled.display()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::WasmEdge => write!(f, "WasmEdge {}", self.version),
            Kind::Embedded => f.write_str("Wasmtime, embedded"),
            Kind::Hostile => f.write_str("the hostile host"),
            Kind::Component => f.write_str("Wasmtime, wasm32-wasip2"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(version: Version, guest: &str, rights: &Rights) -> Vec<String> {
        let host = Host {
            program: "wasmedge".into(),
            version,
            kind: Kind::WasmEdge,
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
            kind: Kind::WasmEdge,
        };
        let error = host
            .compile(Path::new("a.wasm"), Path::new("b.wasm"))
            .unwrap_err();
        assert!(error.to_string().contains("must be named .so"));
    }
}
