//! Two processors, one for the server and one for the load, so that neither takes the other's
//! time and neither wanders.

use std::fs;
use std::process::Child;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The two; only where this process may use two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cores {
    pub server: usize,
    pub load: usize,
}

impl Cores {
    pub fn choose() -> Option<Cores> {
        choose(&allowed(), siblings)
    }

    /// What the results say about it.
    pub fn describe(cores: Option<Cores>) -> String {
        match cores {
            Some(Cores { server, load }) => {
                format!("server on processor {server}, load on processor {load}")
            }
            None => "server and load share one processor: nothing is pinned".into(),
        }
    }
}

/// The processors that this process may use.
pub fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU)
        .filter(|cpu| set.is_set(*cpu))
        .collect()
}

/// Calls `start`, whose process runs on `core` only.
pub fn pinned(core: Option<usize>, start: impl FnOnce() -> Result<Child>) -> Result<Child> {
    let Some(core) = core else { return start() };
    // A child inherits this thread's affinity, which needs no code between fork and exec.
    let before = sched_getaffinity(None).context("cannot ask for this thread's processors")?;
    let mut one = CpuSet::new();
    one.set(core);
    sched_setaffinity(None, &one).with_context(|| format!("cannot pin to processor {core}"))?;
    let child = start();
    sched_setaffinity(None, &before).context("cannot undo the pinning")?;
    child
}

/// The first processor, and the first that does not share its core.
fn choose(allowed: &[usize], siblings: impl Fn(usize) -> Vec<usize>) -> Option<Cores> {
    let (&server, others) = allowed.split_first()?;
    let near = siblings(server);
    let far = others.iter().find(|cpu| !near.contains(cpu));
    let load = *far.or(others.first())?;
    Some(Cores { server, load })
}

/// The processors that are threads of the same core; none where the kernel does not tell.
fn siblings(cpu: usize) -> Vec<usize> {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    parse_list(&fs::read_to_string(path).unwrap_or_default())
}

/// `0-1,8` as the kernel writes it.
fn parse_list(text: &str) -> Vec<usize> {
    let ranges = text.trim().split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn two_processors_of_different_cores_are_preferred() {
        let pairs = |cpu: usize| vec![cpu & !1, cpu | 1];
        let chosen = choose(&[2, 3, 4], pairs);
        assert_eq!(chosen, Some(Cores { server: 2, load: 4 }));
        assert_eq!(choose(&[2, 3], pairs), Some(Cores { server: 2, load: 3 }));
        assert_eq!(choose(&[2], pairs), None);
        assert_eq!(choose(&[], pairs), None);
    }

    #[test]
    fn lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(parse_list("0-2,8\n"), [0, 1, 2, 8]);
        assert!(parse_list("").is_empty());
    }

    #[test]
    fn a_pinned_child_has_one_processor() {
        let Some(&last) = allowed().last() else {
            return;
        };
        let start = || {
            let mut command = Command::new("grep");
            command.args([
                "-q",
                &format!("^Cpus_allowed_list:\t{last}$"),
                "/proc/self/status",
            ]);
            Ok(command.spawn()?)
        };
        let mut child = pinned(Some(last), start).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(allowed().contains(&last));
    }
}
