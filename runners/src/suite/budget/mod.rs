//! What operations cost: the guest `calls` makes many of one kind, and what its host is asked
//! meanwhile must be exactly what the table says.
//!
//! Host calls are counted by the guest itself, rewritten for it ([`counting`]); that needs nothing
//! of the machine. Where strace is to be had ([`trace`]), the host's system calls are counted as
//! well, which shows that a host call does what it is taken for: a gathering write is one
//! `sendmsg`, and nothing ever goes to a socket by `write`, which can end the host by a signal.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::checks::Check;
use super::each_host::on_each_host;
use super::report::Outcome;
use crate::host::{Host, Rights};
use crate::trace::{self, Calls, Traced};
use crate::{counting, guest, process, project};

pub const CHECKS: &[Check] = &[
    Check {
        name: "host calls of each operation",
        run: host_calls,
    },
    Check {
        name: "system calls of each operation",
        run: system_calls,
    },
    Check {
        name: "no call while idle",
        run: idle,
    },
];

/// How many operations are made to tell what one costs.
pub const OPERATIONS: usize = 50;
/// How many connections the idle guest has, each registered for both directions.
const CONNECTIONS: usize = 100;

/// Names of calls, with how many of each there are.
pub type Cost = &'static [(&'static str, usize)];

/// What one operation of a kind costs.
struct Budget {
    /// As the guest `calls` knows it.
    kind: &'static str,
    host_calls: Cost,
    /// What WasmEdge (0.14 to 0.17) makes of them.
    system_calls: Cost,
}

const fn costs(kind: &'static str, host_calls: Cost, system_calls: Cost) -> Budget {
    Budget {
        kind,
        host_calls,
        system_calls,
    }
}

const POLL: Cost = &[("poll_oneoff", 1)];
/// WasmEdge asks for each source that is watched (`epoll_ctl`). Here these are the source and the
/// spare socket, of which it also tells the room in its buffer (the other two).
const POLL_AT_ONCE: Cost = &[
    ("epoll_ctl", 2),
    ("epoll_wait", 1),
    ("getsockopt", 1),
    ("ioctl", 1),
];

const BUDGETS: &[Budget] = &[
    costs("nothing", &[], &[]),
    // The descriptor is made non-blocking by the flags' call, which is one `fcntl`.
    costs(
        "connect",
        &[
            ("sock_open", 1),
            ("fd_fdstat_set_flags", 1),
            ("sock_connect_v2", 1),
        ],
        &[("socket", 1), ("fcntl", 1), ("connect", 1)],
    ),
    costs(
        "accept",
        &[
            ("sock_accept_v2", 1),
            ("fd_fdstat_set_flags", 1),
            ("sock_getpeeraddr_v2", 1),
        ],
        &[("accept", 1), ("fcntl", 1), ("getpeername", 1)],
    ),
    costs("close", &[("fd_close", 1)], &[("close", 1)]),
    costs("close registered", &[("fd_close", 1)], &[("close", 1)]),
    costs("read", &[("sock_recv", 1)], &[("recvmsg", 1)]),
    costs("read nothing", &[("sock_recv", 1)], &[("recvmsg", 1)]),
    // After a read that came up short the next one needs no host to know that it would block.
    costs(
        "send, poll and read until it would block",
        &[("sock_send", 1), ("poll_oneoff", 1), ("sock_recv", 1)],
        &[
            ("sendmsg", 1),
            ("epoll_ctl", 1),
            ("epoll_wait", 1),
            ("ioctl", 1),
            ("recvmsg", 1),
        ],
    ),
    costs("write", &[("sock_send", 1)], &[("sendmsg", 1)]),
    costs("write gathered", &[("sock_send", 1)], &[("sendmsg", 1)]),
    costs("recv_from", &[("sock_recv_from_v2", 1)], &[("recvmsg", 1)]),
    costs("send_to", &[("sock_send_to_v2", 1)], &[("sendmsg", 1)]),
    costs("register and deregister", &[], &[]),
    // WasmEdge tells how much can be read (`ioctl`).
    costs(
        "poll, ready",
        POLL,
        &[("epoll_ctl", 1), ("epoll_wait", 1), ("ioctl", 1)],
    ),
    costs("poll at once", POLL, POLL_AT_ONCE),
    costs("poll at once, nothing registered", &[], &[]),
    // The clock's row is armed and disarmed, enters the set and leaves it.
    costs(
        "poll with a timeout, ready",
        POLL,
        &[
            ("epoll_ctl", 3),
            ("epoll_wait", 1),
            ("ioctl", 1),
            ("timerfd_settime", 2),
        ],
    ),
    costs(
        "poll with a timeout, idle",
        POLL,
        &[("epoll_ctl", 3), ("epoll_wait", 1), ("timerfd_settime", 2)],
    ),
    costs("wake and poll", POLL, POLL_AT_ONCE),
];

fn host_calls(setting: &Setting) -> Result<Outcome> {
    let calls = calls(setting)?;
    let (counting, names) = counting::rewrite_file(&calls)?;
    on_each_host(setting, |host| {
        let guest = host.compiled(&counting)?;
        each_budget(|kind, cost| {
            let printed = process::quiet(&mut command(host, &guest, kind, OPERATIONS))?;
            compare(&counted(&printed, &names)?, cost)
        })
    })
}

fn system_calls(setting: &Setting) -> Result<Outcome> {
    if let Some(why) = trace::impossible() {
        return Ok(Outcome::Skipped(why));
    }
    let calls = calls(setting)?;
    on_each_host(setting, |host| {
        let guest = host.compiled(&calls)?;
        each_line(|budget| {
            let guest = command(host, &guest, budget.kind, OPERATIONS);
            let place = place(host, budget.kind);
            let (_, trace) = Traced::start(&guest, &place)?.finish()?;
            let calls = trace::calls_between(&trace, "begin", "end")?;
            compare(&calls, budget.system_calls)
        })
    })
}

/// All is told once, and after that nothing happens: the guest sleeps in its first wait.
fn idle(setting: &Setting) -> Result<Outcome> {
    if let Some(why) = trace::impossible() {
        return Ok(Outcome::Skipped(why));
    }
    let calls = calls(setting)?;
    on_each_host(setting, |host| {
        let guest = command(host, &host.compiled(&calls)?, "idle", CONNECTIONS);
        let mut traced = Traced::start(&guest, &place(host, "idle"))?;
        traced.wait_for("idle\n")?;
        thread::sleep(Duration::from_secs(1));
        let calls = trace::calls_between(&traced.kill()?, "idle", "end")?;
        // One `poll_oneoff` that watches the connections for reading, and does not return.
        let asleep = [("epoll_ctl", CONNECTIONS), ("epoll_wait", 1)];
        let asleep = asleep.map(|(name, count)| (name.into(), count));
        ensure!(calls == asleep.into(), "it made {calls:?}");
        Ok(())
    })
}

/// The module of the guest `calls`.
pub fn calls(setting: &Setting) -> Result<PathBuf> {
    let args = ["--release", "--package", "wasi-tests", "--bin", "calls"];
    let modules = guest::build_quietly(&setting.toolchain, &args)?;
    Ok(guest::module(&modules, "calls")?.to_path_buf())
}

fn command(host: &Host, guest: &Path, kind: &str, count: usize) -> Command {
    let mut command = host.command(guest, &Rights::default());
    command.arg(kind).arg(count.to_string());
    command
}

/// Where a guest's trace goes, without an ending.
fn place(host: &Host, kind: &str) -> PathBuf {
    let plain: String = format!("calls {host} {kind}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    project::suite_folder().join(plain)
}

/// Makes a check of host calls for every kind of operation.
pub fn each_budget(check: impl Fn(&str, Cost) -> Result<()>) -> Result<()> {
    each_line(|budget| check(budget.kind, budget.host_calls))
}

/// Makes a check for every line of the table; one that fails does not hide the next.
fn each_line(check: impl Fn(&Budget) -> Result<()>) -> Result<()> {
    let mut faults = Vec::new();
    for budget in BUDGETS {
        if let Err(error) = check(budget) {
            faults.push(format!("{}: {error:#}", budget.kind));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// The counters that the guest printed, by name and without those that are zero.
fn counted(printed: &str, names: &[String]) -> Result<Calls> {
    let line = printed
        .lines()
        .find_map(|line| line.strip_prefix("counts "));
    let line = line.context("the guest printed no counts")?;
    let counts: Vec<usize> = line
        .split(' ')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context("the guest's counts are no numbers")?;
    ensure!(counts.len() >= names.len(), "there are too few counts");
    let counts = names.iter().cloned().zip(counts);
    Ok(counts.filter(|(_, count)| *count > 0).collect())
}

/// Fails if so many operations have not cost just that.
pub fn compare(found: &Calls, cost: Cost) -> Result<()> {
    let expected = cost.iter();
    let expected: Calls = expected
        .map(|(name, count)| ((*name).into(), count * OPERATIONS))
        .collect();
    ensure!(
        *found == expected,
        "{OPERATIONS} of them made {found:?}, not {expected:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(list: &[(&str, usize)]) -> Calls {
        list.iter()
            .map(|(name, count)| ((*name).into(), *count))
            .collect()
    }

    #[test]
    fn counts_are_read_by_name() {
        let names = ["sock_recv", "poll_oneoff"].map(String::from);
        let counts = counted("begin\nend\ncounts 0 50 0\n", &names).unwrap();
        assert_eq!(counts, calls(&[("poll_oneoff", 50)]));
        assert!(counted("begin\nend\n", &names).is_err());
        assert!(counted("counts 1\n", &names).is_err());
    }

    #[test]
    fn one_call_more_or_less_is_a_fault() {
        let cost: Cost = &[("poll_oneoff", 1)];
        compare(&calls(&[("poll_oneoff", OPERATIONS)]), cost).unwrap();
        assert!(compare(&calls(&[("poll_oneoff", OPERATIONS + 1)]), cost).is_err());
        let more = [("clock_time_get", 1), ("poll_oneoff", OPERATIONS)];
        assert!(compare(&calls(&more), cost).is_err());
        assert!(compare(&calls(&[]), cost).is_err());
    }

    #[test]
    fn budgets_are_kept_to() {
        for budget in BUDGETS {
            let calls: usize = budget.host_calls.iter().map(|(_, count)| count).sum();
            let most = match budget.kind {
                "connect" | "accept" | "send, poll and read until it would block" => 3,
                _ => 1,
            };
            assert!(calls <= most, "{}: {calls} host calls", budget.kind);
        }
    }
}
