//! Who is compared: the contestants, and the program that each one is in a workload.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::plan::{Kind, PUBLISHED, UPSTREAM};

/// One of the programs that serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contestant {
    /// `mio_wasi` as last published, in WasmEdge.
    Published,
    /// A program for that one, with this library patched in and nothing else changed, in WasmEdge.
    Patched,
    /// This library in WasmEdge.
    Ours,
    /// Mio, natively.
    Upstream,
    /// This library, natively.
    Native,
    /// A loop over the host's bare calls, the same calls as this library makes without
    /// remembering what is drained.
    Floor,
    /// The same loop without the read that would find nothing.
    DrainedFloor,
}

impl Contestant {
    /// Those that serve every workload but HTTP.
    pub const FOUR: [Contestant; 4] = [
        Contestant::Published,
        Contestant::Ours,
        Contestant::Upstream,
        Contestant::Native,
    ];
    pub const FLOORS: [Contestant; 2] = [Contestant::Floor, Contestant::DrainedFloor];
    /// Those that serve HTTP.
    pub const HTTP: [Contestant; 5] = [
        Contestant::Published,
        Contestant::Patched,
        Contestant::Ours,
        Contestant::Upstream,
        Contestant::Native,
    ];

    pub fn title(self) -> String {
        match self {
            Contestant::Published => format!("{PUBLISHED} in WasmEdge"),
            Contestant::Patched => "patched in WasmEdge".into(),
            Contestant::Ours => "mio_wasi in WasmEdge".into(),
            Contestant::Upstream => format!("mio {UPSTREAM} native"),
            Contestant::Native => "mio_wasi native".into(),
            Contestant::Floor => "floor in WasmEdge".into(),
            Contestant::DrainedFloor => "drained floor in WasmEdge".into(),
        }
    }

    /// Its title among those that serve HTTP, of which two sources are compiled.
    pub fn http_title(self) -> String {
        let (source, library) = match self {
            Contestant::Published => ("hyper_wasi", format!("mio_wasi {PUBLISHED}")),
            Contestant::Patched => ("hyper_wasi", "mio_wasi".into()),
            Contestant::Upstream => ("hyper", format!("mio {UPSTREAM}")),
            _ => ("hyper", "mio_wasi".into()),
        };
        let place = if self.is_guest() {
            "in WasmEdge"
        } else {
            "native"
        };
        format!("{source} over {library} {place}")
    }

    pub fn is_guest(self) -> bool {
        !matches!(self, Contestant::Upstream | Contestant::Native)
    }

    /// The program that serves.
    pub fn program(self, kind: Kind) -> Program {
        match (self, kind) {
            (Contestant::Published, Kind::Http) => HTTP_PUBLISHED,
            (Contestant::Upstream, Kind::Http) => HTTP_UPSTREAM,
            (Contestant::Patched, _) => HTTP_PATCHED,
            (_, Kind::Http) => HTTP_HELLO,
            (Contestant::Published, _) => Program::member("server-published"),
            (Contestant::Ours | Contestant::Native, _) => Program::member("server-ours"),
            (Contestant::Upstream, _) => Program::member("server-upstream"),
            (Contestant::Floor | Contestant::DrainedFloor, _) => Program::member("floor"),
        }
    }
}

/// A program, and what cargo is told to build it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    pub name: &'static str,
    /// Of its workspace.
    pub manifest: &'static str,
    /// What `target` is in there.
    pub kind: &'static str,
    pub target: &'static str,
    /// Whether it is made for the comparison: a server then tells what it has counted.
    pub tells: bool,
}

pub const LOAD: Program = Program::member("load");

/// The server of the old forks, over their last release.
const HTTP_PUBLISHED: Program = Program {
    tells: false,
    ..Program::member("http-published")
};
/// The same source, with this library patched in.
const HTTP_PATCHED: Program = Program {
    name: "http-patched",
    manifest: "examples/hyper_wasi/Cargo.toml",
    kind: "--bin",
    target: "server",
    tells: false,
};
/// The example, over the drop-in.
const HTTP_HELLO: Program = Program {
    name: "http-hello",
    manifest: "Cargo.toml",
    kind: "--example",
    target: "http_hello",
    tells: false,
};
/// The same source over Mio itself.
const HTTP_UPSTREAM: Program = Program {
    tells: false,
    ..Program::member("http-upstream")
};

impl Program {
    /// A member of the comparison's own workspace.
    const fn member(name: &'static str) -> Program {
        Program {
            name,
            manifest: "runners/compare/Cargo.toml",
            kind: "--package",
            target: name,
            tells: true,
        }
    }

    /// Where cargo puts it, below the folder of its profile.
    pub fn path(self) -> PathBuf {
        match self.kind {
            "--example" => Path::new("examples").join(self.target),
            _ => self.target.into(),
        }
    }
}
