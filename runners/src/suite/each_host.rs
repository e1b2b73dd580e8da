//! A check that is made on every host there is, as one.

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::report::Outcome;
use crate::explain::explain;
use crate::host::Host;

/// Passes if `check` does on each host; otherwise all that went wrong is told, with the host.
pub fn on_each_host(setting: &Setting, check: impl Fn(&Host) -> Result<()>) -> Result<Outcome> {
    ensure!(!setting.hosts.is_empty(), "there is no host to check on");
    let mut faults = Vec::new();
    for host in &setting.hosts {
        let result = check(host).with_context(|| format!("on {host}"));
        faults.extend(result.err().map(|error| explain(&error)));
    }
    Ok(if faults.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(faults.join("\n"))
    })
}
