//! A bundle's `config.json`, by the OCI runtime specification: one process, which sees one file and
//! the directories it was given, under the account of whoever writes the bundle.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};
use rustix::process::{getgid, getuid};
use serde_json::{Value, json};

use super::Program;

/// The version of the specification. Every field that is used is in it.
const VERSION: &str = "1.0.2";
/// To listen on ports below 1024 is all that the program may beyond its account's rights.
const CAPABILITY: &str = "CAP_NET_BIND_SERVICE";

/// The surroundings of the process.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub network: Network,
    pub directories: Vec<Directory>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// The host's, with its loopback: nobody sets up another for a bundle that is run by hand.
    #[default]
    Host,
    /// One of its own, which leads nowhere.
    None,
    /// One that is there, such as `/run/netns/NAME`.
    Namespace(PathBuf),
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(word: &str) -> Result<Network> {
        match (word, word.strip_prefix("ns:")) {
            ("host", _) => Ok(Network::Host),
            ("none", _) => Ok(Network::None),
            (_, Some(path)) if path.starts_with('/') => Ok(Network::Namespace(path.into())),
            _ => bail!("it is `host`, `none`, or `ns:` and an absolute path"),
        }
    }
}

/// A directory of the host that the guest may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    pub guest: String,
    pub host: PathBuf,
    pub readonly: bool,
}

impl FromStr for Directory {
    type Err = Error;

    fn from_str(words: &str) -> Result<Directory> {
        let (words, readonly) = match words.strip_suffix(":readonly") {
            Some(words) => (words, true),
            None => (words, false),
        };
        let (guest, host) = words.split_once(':').unwrap_or(("", words));
        let host = fs::canonicalize(host).with_context(|| format!("there is no {host}"))?;
        ensure!(host.is_dir(), "{} is no directory", host.display());
        let guest = match guest {
            "" => host.to_string_lossy().into_owned(),
            guest => guest.into(),
        };
        ensure!(
            guest.starts_with('/') && guest != "/",
            "the guest sees the container's root, so its directory is an absolute path below `/`"
        );
        Ok(Directory {
            guest,
            host,
            readonly,
        })
    }
}

/// The content of `config.json`.
pub fn config(program: &Program, place: &Place) -> Result<Value> {
    Ok(json!({
        "ociVersion": VERSION,
        "process": {
            "terminal": false,
            "user": { "uid": getuid().as_raw(), "gid": getgid().as_raw() },
            "args": program.command(),
            "env": program.env,
            "cwd": "/",
            "capabilities": {
                "bounding": [CAPABILITY],
                "permitted": [CAPABILITY],
                "effective": [CAPABILITY],
                "inheritable": [CAPABILITY],
                "ambient": [CAPABILITY],
            },
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "mounts": mounts(&place.directories)?,
        // Makes crun load WasmEdge instead of starting a program.
        "annotations": { "run.oci.handler": "wasm" },
        "linux": { "namespaces": namespaces(&place.network) },
    }))
}

/// crun refuses a container without `/dev`. There is no `/proc`: crun lets a guest see the whole of
/// the container's file system, and a guest has no use for it.
fn mounts(directories: &[Directory]) -> Result<Vec<Value>> {
    let mut mounts = vec![json!({
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "noexec", "mode=755", "size=64k"],
    })];
    for directory in directories {
        let access = if directory.readonly { "ro" } else { "rw" };
        let host = directory.host.to_str();
        mounts.push(json!({
            "destination": directory.guest,
            "type": "bind",
            "source": host.with_context(|| format!("{:?} is no text", directory.host))?,
            "options": ["rbind", "nosuid", "nodev", "noexec", access],
        }));
    }
    Ok(mounts)
}

/// None of process numbers: the first process of such a namespace is not ended by SIGTERM or SIGINT
/// unless it handles them, which no guest can; neither `crun kill` nor Ctrl-C would end it.
fn namespaces(network: &Network) -> Vec<Value> {
    let mut namespaces = vec![
        json!({ "type": "mount" }),
        json!({ "type": "ipc" }),
        json!({ "type": "uts" }),
    ];
    match network {
        Network::Host => {}
        Network::None => namespaces.push(json!({ "type": "network" })),
        Network::Namespace(path) => {
            namespaces.push(json!({ "type": "network", "path": path }));
        }
    }
    namespaces
}

/// Older versions of crun want the guest to be executable.
pub fn make_executable(file: &Path) -> Result<()> {
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(file, mode).with_context(|| format!("cannot change {}", file.display()))
}
