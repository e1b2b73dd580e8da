//! Two hosts, asked the same: the guest `script` makes a few hundred raw calls from a seed and
//! tells all that can be seen of each, and what it tells must be the same line by line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::checks::Check;
use super::report::Outcome;
use crate::explain::explain;
use crate::host::{Host, Kind, Rights};
use crate::version::Version;
use crate::{embedded, guest, process, project};

const OPERATIONS: usize = 400;
const SEEDS: u64 = 8;
const SEEDS_IN_FULL: u64 = 60;
/// A script takes two seconds, most of which it waits.
const LIMIT: Duration = Duration::from_secs(60);
/// Pairs of scripts at a time.
const WORKERS: usize = 2;
/// The kernel may choose a port that it chose before, about once in a hundred scripts, and what
/// is called by its port is then called by another's. A difference of hosts shows each time.
const TRIES: usize = 3;
/// So many lines that are the same are told with the first that is not.
const CONTEXT: usize = 10;

pub const CHECKS: &[Check] = &[Check {
    name: "Wasmtime, as WasmEdge 0.14, answers what WasmEdge 0.14 does",
    run: embedded_and_real,
}];

fn embedded_and_real(setting: &Setting) -> Result<Outcome> {
    let line = Version(0, 14, 1);
    let real = setting
        .hosts
        .iter()
        .find(|host| host.version.same_line(line));
    let Some(real) = real.filter(|host| host.kind == Kind::WasmEdge) else {
        return Ok(Outcome::Skipped(format!(
            "there is no WasmEdge {line} here"
        )));
    };
    let program = embedded::program()?;
    let imitating = Side {
        name: "Wasmtime, as WasmEdge 0.14".into(),
        command: Box::new(move |script| {
            let mut command = Command::new(&program);
            command.args(["run", "--as", "wasmedge-0.14", "--allow-net"]);
            command.args(["--allow-af-unix"]).arg(script);
            command
        }),
    };
    check(setting, [&Side::of(real), &imitating], &[])
}

/// One of two hosts.
pub struct Side<'a> {
    pub name: String,
    /// The command that runs a guest, allowed to use Unix sockets and any address of this machine;
    /// the guest's own arguments are still to be added.
    pub command: Box<dyn Fn(&Path) -> Command + Sync + 'a>,
}

impl Side<'_> {
    pub fn of(host: &Host) -> Side<'_> {
        let rights = Rights {
            af_unix: true,
            ..Rights::default()
        };
        Side {
            name: host.to_string(),
            command: Box::new(move |script| host.command(script, &rights)),
        }
    }
}

/// Builds the script, and passes if both hosts answer it alike for every seed. `words` are
/// further arguments of the script's: `--aligned` for a host that refuses what is not.
pub fn check(setting: &Setting, sides: [&Side; 2], words: &[&str]) -> Result<Outcome> {
    let args = ["--release", "--package", "guest-script", "--bin", "script"];
    let modules = guest::build_quietly(&setting.toolchain, &args)?;
    let script = guest::module(&modules, "script")?;
    let seeds = if setting.full { SEEDS_IN_FULL } else { SEEDS };
    let next = Mutex::new(0..seeds);
    let faults = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(seed) = next.lock().ok().and_then(|mut next| next.next()) {
                    let fault = compare(script, sides, seed, words).err();
                    if let (Some(fault), Ok(mut faults)) = (fault, faults.lock()) {
                        faults.push(explain(&fault));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap_or_default();
    Ok(if faults.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(faults.join("\n"))
    })
}

/// Fails if the two differ on this seed in each of a few tries.
fn compare(script: &Path, sides: [&Side; 2], seed: u64, words: &[&str]) -> Result<()> {
    let mut told = String::new();
    for _ in 0..TRIES {
        let [left, right] = sides.map(|side| run(script, side, seed, words));
        match difference(&left?, &right?) {
            Some(difference) => told = difference,
            None => return Ok(()),
        }
    }
    let [left, right] = sides.map(|side| &side.name);
    let arguments = format!("{seed} {OPERATIONS} {}", words.join(" "));
    Err(anyhow::anyhow!(told)).with_context(|| {
        format!(
            "{left} (-) and {right} (+) differ on seed {seed}; to narrow it down: \
             script {arguments} --until NUMBER, or --only NUMBER,NUMBER,..."
        )
    })
}

/// What the script tells there.
fn run(script: &Path, side: &Side, seed: u64, words: &[&str]) -> Result<Vec<String>> {
    let folder = folder(&side.name, seed);
    let log = folder.with_extension("log");
    // The script's Unix sockets are files, and are to be new.
    let _ = fs::remove_dir_all(&folder);
    let _ = fs::remove_file(&log);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut command = (side.command)(script);
    command.args([seed.to_string(), OPERATIONS.to_string()]);
    command.args(words).current_dir(&folder);
    let mut child = process::spawn_logged(&mut command, &log)?;
    let status = process::wait(&mut child, LIMIT, || {})?;
    let told = fs::read(&log).context("what the script tells cannot be read")?;
    let told = String::from_utf8_lossy(&told);
    let end = || {
        format!(
            "on {}, seed {seed}:\n{}",
            side.name,
            process::tail(&told, CONTEXT)
        )
    };
    let status = status.with_context(|| format!("the script hangs {}", end()))?;
    ensure!(status.success(), "the script ended with {status} {}", end());
    // Hosts write words of their own in between.
    let own = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let lines: Vec<String> = told.lines().filter(own).map(String::from).collect();
    let last = told.lines().last().unwrap_or_default();
    ensure!(
        last == format!("end of seed {seed}"),
        "the script stopped {}",
        end()
    );
    ensure!(
        lines.len() > OPERATIONS / 2,
        "the script told next to nothing {}",
        end()
    );
    Ok(lines)
}

fn folder(side: &str, seed: u64) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = side.chars().map(plain).collect();
    project::suite_folder()
        .join("script")
        .join(format!("{name}-{seed}"))
}

/// The first line that is not the same, after a few that are.
fn difference(left: &[String], right: &[String]) -> Option<String> {
    let longest = left.len().max(right.len());
    let at = (0..longest).find(|at| left.get(*at) != right.get(*at))?;
    let before = left[at.saturating_sub(CONTEXT)..at].iter();
    let mut lines: Vec<String> = before.map(|line| format!("  {line}")).collect();
    for (sign, side) in [("-", left), ("+", right)] {
        let line = side.get(at).map_or("nothing more", String::as_str);
        lines.push(format!("{sign} {line}"));
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    #[test]
    fn the_first_difference_is_told_with_what_was_before() {
        assert_eq!(difference(&lines("a b"), &lines("a b")), None);
        let found = difference(&lines("a b c d"), &lines("a b x y")).unwrap();
        assert_eq!(found, "  a\n  b\n- c\n+ x");
    }

    #[test]
    fn an_early_end_is_a_difference() {
        let found = difference(&lines("a b"), &lines("a")).unwrap();
        assert_eq!(found, "  a\n- b\n+ nothing more");
    }

    #[test]
    fn no_more_is_told_than_a_few_lines_before() {
        let left: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        let mut right = left.clone();
        right[40] = "other".into();
        let found = difference(&left, &right).unwrap();
        assert_eq!(found.lines().count(), CONTEXT + 2);
        assert!(found.starts_with("  30\n"), "{found}");
    }
}
