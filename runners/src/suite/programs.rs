//! Small programs that check themselves, or print what is checked here, in every host.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::checks::Check;
use super::each_host::on_each_host;
use super::report::Outcome;
use crate::host::{Host, Rights};
use crate::{guest, process, project};

pub const CHECKS: &[Check] = &[
    Check {
        name: "quick start: the address that accept tells is the client's",
        run: |setting| {
            program(setting, "mio_wasi", "--example", "quick_start", |printed| {
                let line = printed.lines().find_map(|l| l.strip_prefix("accepted "));
                let (peer, client) = line
                    .and_then(|line| line.split_once("; the client is "))
                    .context("it does not say whom it accepted")?;
                ensure!(peer == client, "accept told {peer}, the client is {client}");
                ensure!(peer.starts_with("127.0.0.1:"), "the client is {peer}");
                Ok(())
            })
        },
    },
    Check {
        name: "linger and buffer sizes",
        run: |setting| {
            program(setting, "wasi-tests", "--bin", "options", |printed| {
                ensure!(printed.contains("options work"), "it did not finish");
                Ok(())
            })
        },
    },
];

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Builds a program, runs it in each host, and gives what it prints to `judge`.
fn program(
    setting: &Setting,
    package: &str,
    kind: &str,
    name: &str,
    judge: impl Fn(&str) -> Result<()>,
) -> Result<Outcome> {
    let args = ["--release", "--package", package, kind, name];
    let modules = guest::build_quietly(&setting.toolchain, &args)?;
    let wasm = guest::module(&modules, name)?.to_path_buf();
    on_each_host(setting, |host| {
        let log = log(host, name);
        let mut child = process::spawn_logged(&mut host.command(&wasm, &Rights::default()), &log)?;
        let status = process::wait(&mut child, LIMIT, || {})?;
        let printed = fs::read_to_string(&log).context("its output cannot be read")?;
        let status = status.with_context(|| format!("it hangs; it printed:\n{printed}"))?;
        ensure!(status.success(), "it ended with {status}:\n{printed}");
        judge(&printed).with_context(|| format!("it printed:\n{printed}"))
    })
}

fn log(host: &Host, name: &str) -> PathBuf {
    let file = format!("{name} {host}.log").replace(' ', "-");
    project::suite_folder().join(file)
}
