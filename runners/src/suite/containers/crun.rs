//! crun as the suite runs it: as root, in a mount namespace of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

use crate::prepare::crun::Crun;
use crate::suite::real::program::Program as Server;
use crate::suite::watched::PATIENCE;
use crate::{process, project};

/// What is done before crun starts: it refuses a machine that has both of the kernel's kinds of
/// control groups, so it is shown none, and needs none.
const APART: &str = "mount --make-rprivate / && mount -t tmpfs none /sys/fs/cgroup";

/// crun, with its state in a folder of the suite.
pub struct Runtime {
    pub crun: Crun,
    state: PathBuf,
}

impl Runtime {
    /// Fails where crun is not to be had, or may not do its work.
    pub fn find() -> Result<Runtime> {
        let mut apart = Command::new("unshare");
        apart.args(["--mount", "--ipc", "--uts", "sh", "-c", APART]);
        process::quiet(&mut apart).context(
            "a container needs namespaces and mounts, which this process may not make \
             (root may, outside of most containers)",
        )?;
        Ok(Runtime {
            crun: Crun::find_or_fetch()?,
            state: super::folder("state"),
        })
    }

    /// crun with these arguments. The process becomes crun's.
    fn command(&self, args: &[&str]) -> Command {
        let script = format!(r#"{APART} && exec env LD_LIBRARY_PATH="$0" "$@""#);
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script])
            .args([&self.crun.libraries, &self.crun.program])
            .arg("--root")
            .arg(&self.state)
            .arg("--cgroup-manager=disabled")
            .args(args);
        command
    }

    fn ask(&self, args: &[&str]) -> Result<String> {
        process::quiet(&mut self.command(args))
    }

    /// Runs the server of a bundle, lets `talk` talk to it and stops it.
    pub fn play(
        &self,
        bundle: &Path,
        name: &str,
        talk: impl FnOnce(&Server) -> Result<()>,
    ) -> Result<()> {
        let container = self.container(name);
        let mut server = Server::run(container.run(bundle), container.log.clone())?;
        talk(&server).with_context(|| server.last_words())?;
        container.stop(&mut server)
    }

    /// Runs a bundle whose guest ends by itself; the answer is what it said. How it ended is not
    /// told: crun (1.21) loses a guest's exit status.
    pub fn hear(&self, bundle: &Path, name: &str) -> Result<String> {
        let container = self.container(name);
        let mut child = process::spawn_logged(&mut container.run(bundle), &container.log)?;
        let ended = process::wait(&mut child, PATIENCE, || {})?;
        ended.context("the guest does not end")?;
        fs::read_to_string(&container.log).context("nothing is heard of it")
    }

    fn container(&self, name: &str) -> Container<'_> {
        Container {
            runtime: self,
            name: format!("mio-wasi-{}-{name}", std::process::id()),
            log: project::suite_folder().join(format!("container-{name}.log")),
        }
    }
}

/// A container of this name, if there is one. It is gone when this is dropped.
struct Container<'a> {
    runtime: &'a Runtime,
    name: String,
    log: PathBuf,
}

impl Container<'_> {
    fn run(&self, bundle: &Path) -> Command {
        let bundle = bundle.to_string_lossy();
        self.runtime
            .command(&["run", "--bundle", &bundle, &self.name])
    }

    /// Ends it as Ctrl-C and `crun kill` do. Nothing may be left of it.
    fn stop(self, server: &mut Server) -> Result<()> {
        let state: Value = serde_json::from_str(&self.runtime.ask(&["state", &self.name])?)?;
        let pid = state["pid"].as_u64().context("its process is not told")?;
        let process = PathBuf::from(format!("/proc/{pid}"));
        ensure!(process.exists(), "there is no process {pid}");

        server.signal(Signal::TERM)?;
        let status = server.ends()?;
        let by_signal = 128 + Signal::TERM.as_raw();
        ensure!(status.code() == Some(by_signal), "crun ended with {status}");
        let left = self.runtime.ask(&["list", "--quiet"])?;
        ensure!(!left.contains(&self.name), "crun still knows it: {left}");
        ensure!(!process.exists(), "its process {pid} is still there");
        Ok(())
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // It is forced: the guest ends, and crun with it. One that has ended is no error to it.
        let _ = self.runtime.ask(&["delete", "--force", &self.name]);
    }
}
