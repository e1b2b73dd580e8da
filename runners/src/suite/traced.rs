//! The budgets once more, by a host that tells of each call: guests are traced in the embedded
//! host, which needs neither strace nor a rewritten guest. A budget that is kept in WasmEdge must
//! be kept here; and what `docs/compare` says of a request is what is seen of one.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Setting;
use super::budget::{self, OPERATIONS, compare, each_budget};
use super::checks::Check;
use super::real::budget::{HOST_CALLS, WARM, ask};
use super::real::program::Program;
use super::report::Outcome;
use super::watched::PATIENCE;
use crate::compare::build::our_server;
use crate::compare::interrupt::Interrupt;
use crate::compare::plan::Kind;
use crate::compare::server::Server;
use crate::explain::explain;
use crate::trace::Calls;
use crate::{embedded, guest, process, project};

pub const CHECKS: &[Check] = &[
    Check {
        name: "host calls of each operation, traced",
        run: |setting| with_host(setting, operations),
    },
    Check {
        name: "host calls of a keep-alive request to http_hello, traced",
        run: |setting| with_host(setting, keep_alive),
    },
    Check {
        name: "host calls of an echo, traced",
        run: |setting| with_host(setting, echo),
    },
];

/// A traced guest is ended after so many seconds, whatever becomes of this program.
const LIMIT: &str = "60";
/// What the load generator of `cargo compare` sends.
const REQUEST: usize = 64;

fn with_host(setting: &Setting, check: fn(&Setting, &Path) -> Result<()>) -> Result<Outcome> {
    match embedded::program() {
        Ok(host) => check(setting, &host).map(|()| Outcome::Passed),
        Err(error) => Ok(Outcome::Skipped(explain(&error))),
    }
}

fn operations(setting: &Setting, host: &Path) -> Result<()> {
    let calls = budget::calls(setting)?;
    each_budget(|kind, cost| {
        let (mut command, file) = tracing(host, &calls, kind);
        command.arg(kind).arg(OPERATIONS.to_string());
        process::quiet(&mut command)?;
        let all = read(&file)?;
        let said = |word| move |call: &Value| is(call, "fd_write", word);
        let window = between(&all, said(r"begin\n"), said(r"end\n"))?;
        compare(&count(&window[1..])?, cost)
    })
}

fn keep_alive(setting: &Setting, host: &Path) -> Result<()> {
    let args = [
        "--release",
        "--package",
        "mio_wasi",
        "--example",
        "http_hello",
    ];
    let modules = guest::build_quietly(&setting.toolchain, &args)?;
    let wasm = guest::module(&modules, "http_hello")?;
    let (mut command, file) = tracing(host, wasm, "http");
    command.arg("127.0.0.1:0");
    let server = Program::run(command, file.with_extension("log"))?;
    ask(server.address)?;
    drop(server);
    let all = read(&file)?;
    let read =
        |number: usize| move |call: &Value| is(call, "sock_recv", &format!("GET /{number} HTTP"));
    let mut calls = count(between(&all, read(0), read(OPERATIONS))?)?;
    // Theirs to say: tokio's and hyper's.
    calls.remove("clock_time_get");
    compare(&calls, HOST_CALLS)?;
    as_published(&calls, "http/results.json", "http")
}

/// The server of `cargo compare` and one connection, request by request.
fn echo(setting: &Setting, host: &Path) -> Result<()> {
    let wasm = our_server(&setting.toolchain)?;
    let (mut command, file) = tracing(host, &wasm, "echo");
    command.arg(Kind::Echo.served_as());
    let log = file.with_extension("log");
    let server = Server::start(command, Kind::Echo, None, &log, &Interrupt::default())?;
    send_requests(server.address)?;
    drop(server);
    let all = read(&file)?;
    let read = |number: usize| move |call: &Value| is(call, "sock_recv", &request(number));
    let calls = count(between(&all, read(WARM), read(WARM + OPERATIONS))?)?;
    as_published(&calls, "results.json", "echo-1-0")
}

fn request(number: usize) -> String {
    format!("request {number} ")
}

fn send_requests(to: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).context("cannot connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    for number in 0..=WARM + OPERATIONS {
        let sent = format!("{:REQUEST$}", request(number));
        stream.write_all(sent.as_bytes()).context("cannot send")?;
        let mut come = [0; REQUEST];
        stream.read_exact(&mut come).context("no echo comes")?;
        ensure!(come == *sent.as_bytes(), "another echo comes");
    }
    Ok(())
}

/// The command that runs and traces a guest, and the file that the trace goes to.
fn tracing(host: &Path, wasm: &Path, what: &str) -> (Command, PathBuf) {
    let name = format!("traced-{what}.json").replace([' ', ','], "-");
    let file = project::suite_folder().join(name);
    let mut command = embedded::tracing(host);
    command.args(["--json", "--time-limit", LIMIT, "-o"]);
    command.arg(&file).arg(wasm);
    (command, file)
}

/// The calls of a trace. The last one is cut short if its guest was killed meanwhile.
fn read(trace: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(trace).context("there is no trace")?;
    let whole = &text[..text.rfind('\n').context("the trace is empty")?];
    let call =
        |line| serde_json::from_str(line).with_context(|| format!("a call is told as {line}"));
    whole.lines().map(call).collect()
}

/// Whether it is the call `name` of data that begins like this.
fn is(call: &Value, name: &str, data: &str) -> bool {
    let bytes = call["args"]["data"][0]["bytes"].as_str();
    call["name"] == name && bytes.is_some_and(|bytes| bytes.starts_with(data))
}

/// From one call on, up to another.
fn between(
    calls: &[Value],
    from: impl Fn(&Value) -> bool,
    to: impl Fn(&Value) -> bool,
) -> Result<&[Value]> {
    let from = calls.iter().position(from);
    let rest = &calls[from.context("the trace has no beginning")?..];
    let to = rest.iter().position(to).context("the trace has no end")?;
    Ok(&rest[..to])
}

fn count(calls: &[Value]) -> Result<Calls> {
    let mut counts = Calls::new();
    for call in calls {
        let name = call["name"].as_str().context("a call has no name")?;
        *counts.entry(name.into()).or_default() += 1;
    }
    Ok(counts)
}

/// Fails if so many requests have not made the calls that a published comparison tells of one.
fn as_published(calls: &Calls, file: &str, workload: &str) -> Result<()> {
    let file = project::root().join("docs/compare").join(file);
    let text = fs::read_to_string(&file).context("there are no published results")?;
    let results: Value =
        serde_json::from_str(&text).context("the published results are no JSON")?;
    let published = stated(&results, workload)?;
    ensure!(
        *calls == published,
        "{OPERATIONS} requests made {calls:?}, and {} says {published:?}",
        file.display()
    );
    Ok(())
}

/// What results say of this library in a workload, for so many requests. The calls of its few
/// connections are a thousandth of a call per request; those for the time are not counted.
fn stated(results: &Value, workload: &str) -> Result<Calls> {
    let mut workloads = results["workloads"].as_array().into_iter().flatten();
    let workload = workloads.find(|one| one["id"] == workload);
    let calls = &workload.context("there is no such workload")?["contestants"]["ours"];
    let calls = calls["counts"]["host_calls"].as_object();
    let calls = calls.context("its host calls are not told")?;
    let one = |(name, count): (&String, &Value)| {
        let count = count.as_f64().unwrap_or_default().round() as usize;
        (name.clone(), count * OPERATIONS)
    };
    let counted = |(name, count): &(String, usize)| *count > 0 && name != "clock_time_get";
    Ok(calls.iter().map(one).filter(counted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(name: &str, data: &str) -> Value {
        json!({"name": name, "args": {"fd": 1, "data": [{"bytes": data, "length": 9}]}})
    }

    #[test]
    fn calls_count_between_two_marks() {
        let trace = [
            call("sock_recv", "GET /warm"),
            call("sock_recv", "GET /0 HTTP/1.1"),
            json!({"name": "poll_oneoff", "args": {"count": 2}}),
            json!({"name": "sock_recv", "args": {"data": {"room": 8}}}),
            call("sock_send", "GET /1 HTTP/1.1"),
            call("sock_recv", "GET /1 HTTP/1.1"),
        ];
        let at = |number| move |call: &Value| is(call, "sock_recv", &format!("GET /{number} "));
        let calls = count(between(&trace, at(0), at(1)).unwrap()).unwrap();
        let expected = [("poll_oneoff", 1), ("sock_recv", 2), ("sock_send", 1)];
        assert_eq!(calls, expected.map(|(name, n)| (name.into(), n)).into());
        assert!(between(&trace, at(1), at(0)).is_err());
        assert!(between(&trace, at(2), at(3)).is_err());
        assert!(count(&[json!({})]).is_err());
    }

    #[test]
    fn published_counts_are_of_one_request() {
        let calls = json!({"sock_recv": 1.0002, "fd_close": 0.0002, "clock_time_get": 4.0});
        let ours = json!({"ours": {"counts": {"host_calls": calls}}});
        let results = json!({"workloads": [{"id": "echo-1-0", "contestants": ours}]});
        let stated = |workload| super::stated(&results, workload);
        let expected = Calls::from([("sock_recv".into(), OPERATIONS)]);
        assert_eq!(stated("echo-1-0").unwrap(), expected);
        assert!(stated("echo-1").is_err());
    }
}
