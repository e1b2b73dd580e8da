//! Guests under strace: which system calls their host makes between two marks that they print.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process;

/// No traced guest of ours needs longer.
const LIMIT: Duration = Duration::from_secs(20);

/// What a host's own memory and hash tables need now and then, whatever the guest does.
const OF_THE_HOST: [&str; 7] = [
    "brk",
    "getrandom",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
];

/// How often each system call was made.
pub type Calls = BTreeMap<String, usize>;

/// Why nothing can be traced here, if so.
pub fn impossible() -> Option<String> {
    let mut command = Command::new("strace");
    let tried = process::quiet(command.args(["-f", "-o", "/dev/null", "true"]));
    let because = |error| format!("strace cannot trace here: {error:#}");
    tried.err().map(because)
}

/// A traced guest. It is killed when this is dropped.
pub struct Traced {
    child: Child,
    trace: PathBuf,
    log: PathBuf,
}

impl Traced {
    /// Starts `guest`, whose trace and log go to files at `place`, with these endings.
    pub fn start(guest: &Command, place: &Path) -> Result<Traced> {
        let (trace, log) = (place.with_extension("strace"), place.with_extension("log"));
        let mut strace = Command::new("strace");
        // With -D the guest is the child, so it is the guest that is waited for and killed; with
        // -y a descriptor is shown with what it is.
        strace.args(["-D", "-f", "-q", "-y", "-o"]).arg(&trace);
        strace.arg(guest.get_program()).args(guest.get_args());
        let child = process::spawn_logged(&mut strace, &log)?;
        Ok(Traced { child, trace, log })
    }

    /// Waits until the guest has printed `mark`.
    pub fn wait_for(&mut self, mark: &str) -> Result<()> {
        let end = Instant::now() + LIMIT;
        while !self.log().contains(mark) {
            if let Some(status) = self.child.try_wait().context("cannot wait for a guest")? {
                bail!("the guest ended ({status}):\n{}", self.log());
            }
            ensure!(
                Instant::now() < end,
                "the guest does not print {mark}:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits for the guest's end, and tells what it printed and its trace.
    pub fn finish(mut self) -> Result<(String, String)> {
        let status = process::wait(&mut self.child, LIMIT, || {})?;
        let status = status.with_context(|| format!("killed after {LIMIT:?}"))?;
        ensure!(status.success(), "{status}:\n{}", self.log());
        Ok((self.log(), self.trace()?))
    }

    /// Ends the guest, and tells its trace.
    pub fn kill(mut self) -> Result<String> {
        self.child.kill().context("cannot end a guest")?;
        self.child.wait().context("cannot wait for a guest")?;
        self.trace()
    }

    /// What the guest has printed.
    pub fn log(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The whole trace. The guest's end comes first, and strace's last line a little later.
    fn trace(&self) -> Result<String> {
        let end = Instant::now() + LIMIT;
        loop {
            let trace = fs::read(&self.trace).context("strace wrote nothing")?;
            let trace = String::from_utf8_lossy(&trace).into_owned();
            if trace.trim_end().ends_with("+++") {
                return Ok(trace);
            }
            ensure!(Instant::now() < end, "strace does not come to its end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The system calls that were begun between the lines in which `from` and `to` are printed.
pub fn calls_between(trace: &str, from: &str, to: &str) -> Result<Calls> {
    let mark = |mark: &str| format!("\"{mark}\\n\"");
    let (from, to) = (mark(from), mark(to));
    let mut lines = trace.lines().skip_while(|line| !line.contains(&from));
    lines.next().context("the trace has no beginning")?;
    Ok(count(lines.take_while(|line| !line.contains(&to))))
}

/// The system calls that were begun in these lines.
pub fn count<'a>(lines: impl Iterator<Item = &'a str>) -> Calls {
    let mut calls = Calls::new();
    for name in lines.filter_map(call) {
        if !OF_THE_HOST.contains(&name) {
            *calls.entry(name.into()).or_default() += 1;
        }
    }
    calls
}

/// The name in a line `PID NAME(...`. Ends, signals and resumed calls have none, and a random
/// device is not counted: WasmEdge draws a number for each new descriptor.
pub fn call(line: &str) -> Option<&str> {
    if line.contains("/dev/urandom") || line.contains("/dev/random") {
        return None;
    }
    let (_, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (plain && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_between_the_marks_count() {
        let trace = concat!(
            "7 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 5<socket:[1]>\n",
            "7 writev(1</log>, [{iov_base=\"begin\\n\", iov_len=6}], 1) = 6\n",
            "7 sendmsg(5<socket:[1]>, {msg_name=NULL}, MSG_NOSIGNAL) = 1\n",
            "7 openat(AT_FDCWD, \"/dev/urandom\", O_RDONLY) = 6</dev/urandom>\n",
            "7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7f\n",
            "7 --- SIGCONT {si_signo=SIGCONT} ---\n",
            "7 epoll_wait(3<anon_inode:[eventpoll]>,  <unfinished ...>\n",
            "8 sendmsg(5<socket:[1]>, {msg_name=NULL}, MSG_NOSIGNAL) = 1\n",
            "7 <... epoll_wait resumed>[], 1, -1) = 0\n",
            "7 writev(1</log>, [{iov_base=\"end\\n\", iov_len=4}], 1) = 4\n",
            "7 close(5<socket:[1]>) = 0\n",
            "7 +++ exited with 0 +++\n",
        );
        let calls = calls_between(trace, "begin", "end").unwrap();
        let expected = [("epoll_wait", 1), ("sendmsg", 2)];
        assert_eq!(calls, expected.map(|(name, n)| (name.into(), n)).into());
        assert!(calls_between(trace, "start", "end").is_err());
    }
}
