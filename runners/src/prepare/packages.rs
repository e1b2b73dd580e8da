//! A folder of Debian's packages, unpacked, and of what was made of them.

use std::path::Path;

use anyhow::Result;

use super::debian::Debian;
use super::mark::{Folder, Lock};
use crate::progress::Step;

/// Fills `folder` with `packages` of `suite` and with what `finish` adds, if it is not filled yet.
pub fn provide(
    folder: &Folder,
    suite: &str,
    packages: &[&str],
    finish: impl FnOnce(&Debian, &Path) -> Result<()>,
) -> Result<()> {
    if folder.is_ready() {
        return Ok(());
    }
    let lock = Lock::take()?;
    if folder.is_ready() {
        return Ok(());
    }
    let debian = Debian::find()?;
    let what = packages.join(" and ");
    let step = Step::start(format!("fetching {what} from Debian {suite}"));
    let filled = folder.fill(&lock, |path| {
        debian.suite(suite)?.unpack(packages, path)?;
        finish(&debian, path)
    });
    match &filled {
        Ok(()) => step.done("done"),
        Err(_) => step.give_up(),
    }
    filled
}
