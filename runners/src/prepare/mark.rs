//! When a prepared folder counts, and who may prepare.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs4::fs_std::FileExt;

use crate::project;

/// Raised when a recipe changes, so that folders of an older one are made again.
const RECIPE: u32 = 1;

/// Held while something is prepared; a second process waits for the first and finds its work.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    pub fn take() -> Result<Lock> {
        let folder = project::prepared();
        create(&folder)?;
        let path = folder.join("lock");
        let open = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = open.with_context(|| format!("cannot write {}", path.display()))?;
        if !file
            .try_lock_exclusive()
            .context("cannot lock the prepared folder")?
        {
            eprintln!("  another process prepares guests here; waiting for it ...");
            file.lock_exclusive()
                .context("cannot lock the prepared folder")?;
        }
        Ok(Lock { _file: file })
    }
}

/// A folder under `target/prepared`, and what its content depends on.
#[derive(Debug)]
pub struct Folder {
    pub path: PathBuf,
    depends: String,
}

impl Folder {
    /// `depends` is compared: another compiler or another recipe makes the folder void. So does
    /// another place, because the scripts inside name it.
    pub fn new(name: &str, depends: &str) -> Folder {
        let path = project::prepared().join(name);
        let depends = format!("recipe {RECIPE}\n{}\n{depends}\n", path.display());
        Folder { path, depends }
    }

    fn mark(&self) -> PathBuf {
        self.path.join("ready")
    }

    pub fn is_ready(&self) -> bool {
        fs::read_to_string(self.mark()).is_ok_and(|mark| mark == self.depends)
    }

    /// Empties the folder, lets `make` fill it and marks it, in this order.
    pub fn fill(&self, _lock: &Lock, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let shown = self.path.display();
        if self.path.exists() {
            // The mark goes first: the rest may be left behind by an interruption.
            let _ = fs::remove_file(self.mark());
            fs::remove_dir_all(&self.path).with_context(|| format!("cannot remove {shown}"))?;
        }
        create(&self.path)?;
        if let Err(error) = make(&self.path) {
            // Half a compiler is of no use to anybody.
            let _ = fs::remove_dir_all(&self.path);
            return Err(error);
        }
        // Renamed into place, so that a full disk leaves no mark cut short.
        let part = self.path.join("ready.part");
        fs::write(&part, &self.depends)
            .and_then(|()| fs::rename(&part, self.mark()))
            .with_context(|| format!("cannot write in {shown}"))
    }
}

pub fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| {
        format!(
            "cannot create {}: is this copy of the project yours to write?",
            folder.display()
        )
    })
}
