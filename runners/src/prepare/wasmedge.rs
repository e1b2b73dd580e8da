//! Finding a WasmEdge, or fetching one from Debian.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow};

use super::debian::{Debian, wrap};
use super::mark::{Folder, Lock};
use super::{ANY_HOST, Missing};
use crate::host::{Host, OLDEST};
use crate::progress::Step;
use crate::version::Version;

/// The suite that has the version the library is made for: 0.14.1.
const STABLE: Source = Source {
    suite: "trixie",
    line: Version(0, 14, 0),
};
/// The suite that has the newest: 0.17.1 when this was written.
const NEWEST: Source = Source {
    suite: "sid",
    line: Version(0, 17, 0),
};

/// A suite of Debian, and the line of versions that is expected of it.
#[derive(Debug, Clone, Copy)]
struct Source {
    suite: &'static str,
    line: Version,
}

impl Source {
    fn folder(self) -> Folder {
        Folder::new(&format!("wasmedge-{}", self.suite), self.suite)
    }

    fn script(self) -> PathBuf {
        self.folder().path.join("wasmedge")
    }

    fn find(self) -> Option<Host> {
        if !self.folder().is_ready() {
            return None;
        }
        Host::at(&self.script()).ok()
    }

    fn find_or_fetch(self) -> Result<Host> {
        if let Some(host) = self.find() {
            return Ok(host);
        }
        let lock = Lock::take()?;
        if let Some(host) = self.find() {
            return Ok(host);
        }
        let debian = Debian::find()?;
        let step = Step::start(format!(
            "fetching WasmEdge from Debian {} (45 MB)",
            self.suite
        ));
        let filled = self.folder().fill(&lock, |path| {
            debian.suite(self.suite)?.unpack(&["wasmedge"], path)?;
            wrap(debian.arch, path, "usr/bin/wasmedge", &self.script(), &[])?;
            // It counts only if it runs here.
            Host::at(&self.script()).map(drop)
        });
        match filled.and_then(|()| Host::at(&self.script())) {
            Ok(host) => {
                step.done(&host.to_string());
                Ok(host)
            }
            Err(error) => {
                step.give_up();
                Err(error)
            }
        }
    }
}

/// The host called `name`.
pub fn find_or_fetch(name: &str) -> Result<Host> {
    if name != ANY_HOST {
        return Host::at(Path::new(name)).with_context(|| {
            format!(
                "--host (or MIO_WASI_HOST) is {name:?}: a path to a WasmEdge, `{ANY_HOST}`, \
                 `wasmtime` or `hostile`"
            )
        });
    }
    let mut tried = Vec::new();
    for program in installed() {
        match Host::at(&program) {
            Ok(host) => return Ok(host),
            Err(error) => {
                // Said aloud: who installed it expects it to be used.
                eprintln!("  passed over: {error:#}");
                tried.push((program.display().to_string(), error));
            }
        }
    }
    // A newer one that a run of the suite has left is as good as the stable one.
    if let Some(host) = STABLE.find().or_else(|| NEWEST.find()) {
        return Ok(host);
    }
    STABLE.find_or_fetch().map_err(|error| {
        tried.push(("Debian's packages".into(), error));
        missing(tried)
    })
}

fn missing(tried: Vec<(String, Error)>) -> Error {
    Missing {
        thing: format!("WasmEdge {OLDEST} or newer"),
        tried,
        remedy: "install it so that `wasmedge` is on your PATH or in ~/.wasmedge/bin \
                 (https://wasmedge.org says how);\n\
                 or name one by MIO_WASI_HOST=/path/to/wasmedge;\n\
                 or run this again on a Debian machine that reaches its mirror."
            .into(),
    }
    .into_error()
}

/// Every `wasmedge` that is installed, whether it runs or not.
fn installed() -> Vec<PathBuf> {
    let file = format!("{ANY_HOST}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH").unwrap_or_default();
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".wasmedge").join("bin"));
    let folders = env::split_paths(&path).chain(home);
    folders
        .map(|folder| folder.join(&file))
        .filter(|program| program.is_file())
        .collect()
}

/// A host of the suite, or why there is none.
#[derive(Debug)]
pub struct Wanted {
    pub name: String,
    pub host: Result<Host>,
}

/// Every host that the suite is to run on: what is installed, and of each line that this project
/// names one that can be had. Only the named host, if one is named.
pub fn all(name: &str) -> Vec<Wanted> {
    let mut found: Vec<Host> = Vec::new();
    let mut wanted = Vec::new();
    let first = find_or_fetch(name);
    let named = name != ANY_HOST;
    match first {
        Ok(host) => found.push(host),
        Err(error) if named => wanted.push(Wanted {
            name: name.into(),
            host: Err(error),
        }),
        Err(_) => {}
    }
    for source in [STABLE, NEWEST] {
        if named || found.iter().any(|host| host.version.same_line(source.line)) {
            continue;
        }
        match source.find_or_fetch() {
            Ok(host) if found.iter().any(|other| other.version == host.version) => {}
            Ok(host) => found.push(host),
            Err(error) => {
                let name = format!("WasmEdge {}.{}.x", source.line.0, source.line.1);
                let error = anyhow!("not to be had here: {error:#}");
                wanted.push(Wanted {
                    name,
                    host: Err(error),
                });
            }
        }
    }
    found.sort_by_key(|host| host.version);
    let found = found.into_iter().map(|host| Wanted {
        name: host.to_string(),
        host: Ok(host),
    });
    found.chain(wanted).collect()
}
