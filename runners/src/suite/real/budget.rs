//! What one more request over a connection that is kept costs a guest of hyper and tokio: exact
//! counts of what it asks of its host, and of what the host asks of the system.
//!
//! The guest runs under strace twice: as it is, and rewritten to announce each host call
//! ([`crate::counting`]), which tells of those too that are no system call, such as a look at the
//! clock. The trace of one request is left in the suite's folder, for people.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::hello::HELLO;
use super::http::Connection;
use super::scene::{Scene, in_hosts};
use crate::demo::server::address;
use crate::suite::Setting;
use crate::suite::budget::{Cost, OPERATIONS, compare};
use crate::suite::report::Outcome;
use crate::trace::{self, Calls, Traced};

const ANY_PORT: &str = "127.0.0.1:0";
/// Requests before those that are counted: the server is warm then.
pub const WARM: usize = 20;

/// What is asked of the host: one wait, one read, which is short and so needs no second one to
/// know that there is no more, and one write of head and body.
pub const HOST_CALLS: Cost = &[("poll_oneoff", 1), ("sock_recv", 1), ("sock_send", 1)];

/// What WasmEdge (0.14 to 0.17) makes of that. Its wait asks for each direction of each source
/// that is watched: the connection's one, and the listener's two, since tokio watches every source
/// in both.
const SYSTEM_CALLS: Cost = &[
    ("epoll_ctl", 3),
    ("epoll_wait", 1),
    ("ioctl", 1),
    ("recvmsg", 1),
    ("sendmsg", 1),
];

/// The check, where strace is to be had.
pub fn check(setting: &Setting) -> Result<Outcome> {
    match trace::impossible() {
        Some(why) => Ok(Outcome::Skipped(why)),
        None => in_hosts(setting, "calls", &[], keep_alive),
    }
}

fn keep_alive(scene: &Scene) -> Result<()> {
    let mut command = scene.example("http_hello", &[])?;
    let plain = traced(command.arg(ANY_PORT), &scene.file("plain.strace"))?;
    let calls = trace::count(requests(&plain, 0, OPERATIONS)?);
    compare(&calls, SYSTEM_CALLS).context("system calls")?;

    let (mut command, names) = scene.announcing("http_hello")?;
    let announced = traced(command.arg(ANY_PORT), &scene.file("announced.strace"))?;
    let lines = requests(&announced, 0, OPERATIONS)?;
    let mut calls = Calls::new();
    for call in lines.filter_map(|line| announcement(line, &names)) {
        *calls.entry(call.into()).or_default() += 1;
    }
    // How often tokio (for its metrics and timers) and hyper (for the date) look at the clock is
    // theirs to say. No system call comes of it.
    calls.remove("clock_time_get");
    let one = requests(&announced, 0, 1)?.map(|line| match announcement(line, &names) {
        Some(call) => format!("{call}\n"),
        None => format!("    {line}\n"),
    });
    let file = scene.file("one-request.txt");
    fs::write(file, one.collect::<String>()).context("cannot write a trace")?;
    compare(&calls, HOST_CALLS).context("host calls")
}

/// The trace of a server that has answered [`WARM`] requests, and then [`OPERATIONS`] that are
/// numbered.
pub fn traced(command: &Command, place: &Path) -> Result<String> {
    let mut traced = Traced::start(command, place)?;
    traced.wait_for("try: ")?;
    let to = address(&traced.log(), "tcp").context("it does not say where it listens")?;
    ask(to)?;
    traced.kill()
}

/// Asks a server [`WARM`] times, and then [`OPERATIONS`] times and once more with a number.
pub fn ask(server: SocketAddr) -> Result<()> {
    let mut connection = Connection::open(server)?;
    for _ in 0..WARM {
        ensure!(connection.get("/warm")? == HELLO);
    }
    for number in 0..=OPERATIONS {
        ensure!(connection.get(&format!("/{number}"))? == HELLO);
    }
    Ok(())
}

/// The lines from where one request is read to where another is.
pub fn requests(trace: &str, from: usize, to: usize) -> Result<impl Iterator<Item = &str>> {
    let read = |number: usize| format!("\"GET /{number} HTTP");
    let (from, to) = (read(from), read(to));
    let found = trace.contains(&from) && trace.contains(&to);
    ensure!(found, "the requests are not in the trace");
    let lines = trace.lines().skip_while(move |line| !line.contains(&from));
    Ok(lines.take_while(move |line| !line.contains(&to)))
}

/// The host call that a line announces: `PID writev(2</log>, [...], NUMBER) = 0`.
pub fn announcement<'a>(line: &str, names: &'a [String]) -> Option<&'a str> {
    let (_, rest) = line.split_once("writev(2<")?;
    let (_, number) = rest.strip_suffix(") = 0")?.rsplit_once(' ')?;
    let number: usize = number.parse().ok()?;
    names.get(number.checked_sub(1)?).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_told_from_other_calls() {
        let names = ["sock_recv", "poll_oneoff"].map(String::from);
        let told = |line: &str| announcement(line, &names);
        let two =
            "7 writev(2</log>, [{iov_base=NULL, iov_len=0}, {iov_base=NULL, iov_len=0}], 2) = 0";
        assert_eq!(told(two), Some("poll_oneoff"));
        assert_eq!(told(&two.replace("], 2)", "], 1)")), Some("sock_recv"));
        assert_eq!(told(&two.replace("], 2)", "], 3)")), None);
        assert_eq!(
            told("7 writev(1</log>, [{iov_base=\"try\", iov_len=3}], 1) = 3"),
            None
        );
    }

    #[test]
    fn requests_are_found_by_their_numbers() {
        let trace = "a\n recvmsg(\"GET /0 HTTP\nb\n recvmsg(\"GET /1 HTTP\nc\n";
        let lines: Vec<&str> = requests(trace, 0, 1).unwrap().collect();
        assert_eq!(lines, [" recvmsg(\"GET /0 HTTP", "b"]);
        assert!(requests(trace, 0, 2).is_err());
    }
}
