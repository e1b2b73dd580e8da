//! Other programs, run to their end.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// So many lines of a failed program's output are quoted.
const SHOWN: usize = 30;
/// How often a running process is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// Runs `command` and returns what it printed. If it fails, the error holds the end of its output.
pub fn quiet(command: &mut Command) -> Result<String> {
    let name = name(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{name}`"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let shown = if stderr.trim().is_empty() {
            tail(&stdout, SHOWN)
        } else {
            tail(&stderr, SHOWN)
        };
        bail!("`{name}` failed ({}):\n{}", output.status, indent(&shown));
    }
    Ok(stdout)
}

/// Starts `command` with both its outputs going to the file `log`, in the order of writing.
pub fn spawn_logged(command: &mut Command, log: &Path) -> Result<Child> {
    let name = name(command);
    let out = File::options().create(true).append(true).open(log);
    let out = out.with_context(|| format!("cannot write {}", log.display()))?;
    let err = out.try_clone().context("cannot share the log file")?;
    command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))
}

/// Waits for `child`; after `limit` it is killed and the answer is `None`. `glance` is called
/// while it runs.
pub fn wait(
    child: &mut Child,
    limit: Duration,
    mut glance: impl FnMut(),
) -> Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a process")? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill().context("cannot end a process that hangs")?;
            child.wait().context("cannot wait for a process")?;
            return Ok(None);
        }
        glance();
        thread::sleep(GLANCE);
    }
}

/// Becomes `command`'s process, so that signals and the exit status pass untouched.
#[cfg(unix)]
pub fn replace(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let name = name(command);
    Err(command.exec()).with_context(|| format!("cannot start `{name}`"))
}

/// Runs `command` in this process's place, as far as a system without `exec` allows.
#[cfg(not(unix))]
pub fn replace(command: &mut Command) -> Result<ExitCode> {
    let name = name(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{name}`"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The program and its first word: enough to recognise it in an error.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program
        .file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy();
    let first = command.get_args().map(|arg| arg.to_string_lossy());
    let first = first.into_iter().find(|arg| !arg.starts_with('-'));
    first.map_or(program.to_string(), |first| format!("{program} {first}"))
}

/// The last `count` lines of `text`.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Every line moved to the right, as a quotation.
pub fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
        assert_eq!(tail("", 5), "");
        assert_eq!(indent("a\nb"), "    a\n    b");
    }

    #[test]
    fn a_command_is_named_by_its_first_word() {
        let mut command = Command::new("/usr/bin/apt-get");
        command.args(["-qq", "update", "x"]);
        assert_eq!(name(&command), "apt-get update");
        assert_eq!(name(&Command::new("true")), "true");
    }
}
