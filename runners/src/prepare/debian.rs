//! Debian's packages, fetched and unpacked into a folder: no root, nothing installed.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use super::apt::{self, Arch};
use super::mark;
use crate::{process, project};

/// Names an archive where the machine's own sources name none, as on Debian's derivatives.
const MIRROR: &str = "MIO_WASI_DEBIAN_MIRROR";
/// The package `debian-archive-keyring`: its file is called one or the other.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// What apt said when it could not reach the mirror.
static NO_NETWORK: OnceLock<String> = OnceLock::new();

/// A machine that can fetch Debian's packages.
#[derive(Debug)]
pub struct Debian {
    pub arch: Arch,
    keyring: PathBuf,
    mirror: String,
    network: String,
}

/// One suite of the archive, with its lists.
#[derive(Debug)]
pub struct Suite {
    name: String,
    mirror: String,
    state: PathBuf,
}

impl Debian {
    /// Fails with the one thing that this machine lacks.
    pub fn find() -> Result<Debian> {
        for program in ["apt-get", "apt-cache", "dpkg-deb"] {
            let answer = process::quiet(Command::new(program).arg("--version"));
            answer.with_context(|| {
                format!("this machine has no `{program}`, so Debian's packages cannot be used")
            })?;
        }
        let arch = process::quiet(Command::new("dpkg").arg("--print-architecture"))?;
        let arch = Arch::named(arch.trim()).with_context(|| {
            format!(
                "this project has no recipe for Debian's packages on {}",
                arch.trim()
            )
        })?;
        let keyring = KEYRINGS
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.exists());
        let keyring = keyring.context(
            "the keys that sign Debian's packages are not installed: \
             run `apt-get install debian-archive-keyring` as root",
        )?;
        let dump = process::quiet(Command::new("apt-config").arg("dump")).unwrap_or_default();
        let network = apt::network(&dump);
        Ok(Debian {
            arch,
            keyring,
            mirror: Debian::mirror()?,
            network,
        })
    }

    fn mirror() -> Result<String> {
        if let Ok(mirror) = env::var(MIRROR) {
            return Ok(mirror);
        }
        let mut ask = Command::new("apt-get");
        ask.args([
            "indextargets",
            "--no-release-info",
            "--format",
            "$(REPO_URI)",
        ]);
        let targets = process::quiet(ask.arg("Created-By: Packages")).unwrap_or_default();
        apt::mirror(&targets).with_context(|| {
            format!(
                "this machine's package sources name no Debian archive: set {MIRROR} to the \
                 address of a Debian mirror"
            )
        })
    }

    /// The suite called `name`, with its lists fetched once.
    pub fn suite(&self, name: &str) -> Result<Suite> {
        let state = project::prepared().join("apt").join(name);
        for part in ["none", "lists/partial", "archives/partial"] {
            mark::create(&state.join(part))?;
        }
        let source = apt::source(self.arch, &self.keyring, &self.mirror, name);
        let files = [
            ("status", apt::status(self.arch)),
            ("sources.list", source),
            ("apt.conf", apt::config(self.arch, &state, &self.network)),
        ];
        for (file, text) in files {
            fs::write(state.join(file), text).context("cannot write apt's configuration")?;
        }
        let suite = Suite {
            name: name.into(),
            mirror: self.mirror.clone(),
            state,
        };
        if !suite.has_lists() {
            suite.update()?;
        }
        Ok(suite)
    }
}

/// The suite that this machine runs: programs of it run on the machine's own C library.
#[cfg(target_os = "linux")]
pub fn release() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = apt::codename(&text);
    name.context("/etc/os-release does not tell which release of Debian this is")
}

impl Suite {
    fn has_lists(&self) -> bool {
        let lists = fs::read_dir(self.state.join("lists"))
            .into_iter()
            .flatten()
            .flatten();
        lists
            .map(|list| list.file_name())
            .any(|name| name.to_string_lossy().contains("_Packages"))
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.state.join("apt.conf"))
            .env("LC_ALL", "C");
        command
    }

    fn update(&self) -> Result<()> {
        // A machine without a network shows it once; each further try takes apt many seconds.
        if let Some(known) = NO_NETWORK.get() {
            bail!("{known}");
        }
        // Without the option apt calls a failed download a warning and goes on with old lists.
        let mut get = self.apt("apt-get");
        get.args(["-qq", "-oAPT::Update::Error-Mode=any", "update"]);
        let Err(error) = process::quiet(&mut get) else {
            return Ok(());
        };
        let text = format!("{error:#}");
        if [
            "Temporary failure",
            "Could not resolve",
            "Could not connect",
            "Cannot initiate",
        ]
        .iter()
        .any(|sign| text.contains(sign))
        {
            let _ = NO_NETWORK.set(format!(
                "the mirror {} cannot be reached\n{text}",
                self.mirror
            ));
            bail!("the mirror {} cannot be reached\n{text}", self.mirror);
        }
        Err(error).with_context(|| format!("Debian {} gives no lists", self.name))
    }

    /// The versions of `package` in this suite; none is no error.
    pub fn versions(&self, package: &str) -> Result<Vec<String>> {
        let madison = process::quiet(self.apt("apt-cache").args(["madison", package]))?;
        Ok(apt::versions(&madison))
    }

    /// Fetches `packages` with all they need, and unpacks them under `into/root`. What was
    /// unpacked is written down in `into/packages.txt`.
    pub fn unpack(&self, packages: &[&str], into: &Path) -> Result<()> {
        let archives = into.join("archives");
        let root = into.join("root");
        mark::create(&archives.join("partial"))?;
        mark::create(&root)?;
        // A suite that moves replaces its packages, so lists of last month name files that are
        // gone: fetch the lists again and try once more.
        if self.download(packages, &archives).is_err() {
            self.update()?;
            self.download(packages, &archives)?;
        }
        self.unpack_archives(&archives, &root, &into.join("packages.txt"))?;
        fs::remove_dir_all(&archives).context("cannot remove the fetched packages")?;
        keep_links_inside(&root, &root)
    }

    fn download(&self, packages: &[&str], archives: &Path) -> Result<()> {
        let mut get = self.apt("apt-get");
        let option = format!("-oDir::Cache::archives={}", archives.display());
        get.args(["-qq", &option, "install", "--download-only"])
            .args(packages);
        process::quiet(&mut get).with_context(|| {
            format!(
                "Debian {} could not give {}",
                self.name,
                packages.join(", ")
            )
        })?;
        Ok(())
    }

    fn unpack_archives(&self, archives: &Path, root: &Path, record: &Path) -> Result<()> {
        let mut debs: Vec<PathBuf> = fs::read_dir(archives)
            .context("cannot read the fetched packages")?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .collect();
        debs.sort();
        if debs.is_empty() {
            bail!("apt-get fetched no package, and reported no error");
        }
        let mut record = fs::File::options().create(true).append(true).open(record)?;
        for deb in debs {
            process::quiet(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(root))?;
            let format = "--showformat=${Package} ${Version} ${Architecture}\n";
            let line = process::quiet(Command::new("dpkg-deb").arg(format).arg("-W").arg(&deb))?;
            write!(record, "{} {line}", self.name)?;
        }
        Ok(())
    }
}

/// Packages hold links to absolute paths, which would lead to the machine's own files.
fn keep_links_inside(root: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            keep_links_inside(root, &path)?;
        } else if kind.is_symlink() {
            let goal = fs::read_link(&path)?;
            if let Ok(inner) = goal.strip_prefix("/") {
                fs::remove_file(&path)?;
                link(&root.join(inner), &path)?;
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
pub fn link(goal: &Path, path: &Path) -> Result<()> {
    let linked = std::os::unix::fs::symlink(goal, path);
    linked.with_context(|| format!("cannot create the link {}", path.display()))
}

#[cfg(not(unix))]
pub fn link(_goal: &Path, _path: &Path) -> Result<()> {
    bail!("Debian's packages are of no use on this system")
}

/// Writes the executable script `path` that becomes `words`, with its own arguments added.
pub fn script(path: &Path, words: &[&str]) -> Result<()> {
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    let text = format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "));
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A script that runs `program` of the unpacked tree with the tree's own loader and libraries,
/// because they may be newer than the machine's. `words` stand before the caller's arguments.
pub fn wrap(
    arch: Arch,
    tree: &Path,
    program: &str,
    script_at: &Path,
    words: &[&str],
) -> Result<()> {
    let root = tree.join("root");
    let path = |inner: &str| root.join(inner).to_string_lossy().into_owned();
    // Programs such as the linker choose what they are by their name.
    let name = script_at
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let (loader, libraries, program) = (path(arch.loader), path(arch.libraries), path(program));
    let mut line: Vec<&str> = vec![
        &loader,
        "--argv0",
        &name,
        "--library-path",
        &libraries,
        &program,
    ];
    line.extend(words);
    script(script_at, &line)
}
