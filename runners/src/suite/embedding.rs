//! The embedded host with guests that are not made for it: programs over the libraries as they
//! were last published, which know nothing of this one, and a build without the feature `wasmedge`,
//! which has standard preview 1 alone. Each serves clients of this machine.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Setting;
use super::checks::Check;
use super::embedded::{Judged, Verdict, ask};
use super::old::greets;
use super::outside::client::{Client, echo_all};
use super::real::program::Program;
use super::report::Outcome;
use crate::compare::interrupt::Interrupt;
use crate::compare::plan::Kind;
use crate::compare::server::Server;
use crate::explain::explain;
use crate::prepare::tools::CURL;
use crate::{embedded, guest, project};

pub const CHECKS: &[Check] = &[
    Check {
        name: "mio_wasi 0.8.9's echo server",
        run: |setting| published(setting, "server-published", echo),
    },
    Check {
        name: "wasmedge_wasi_socket's TCP, UDP and names",
        run: |setting| published(setting, "sockets-published", sockets),
    },
    Check {
        name: "hyper_wasi's server by curl",
        run: |setting| match CURL.find_or_fetch() {
            Ok(_) => published(setting, "http-published", hello),
            Err(error) => Ok(Outcome::Skipped(explain(&error))),
        },
    },
    Check {
        name: "preopened listener on plain WASI",
        run: |setting| plain(setting, preopened),
    },
    Check {
        name: "the suite's cases on plain WASI",
        run: |setting| plain(setting, cases),
    },
];

/// A guest is ended after so many seconds, whatever becomes of this program.
const LIMIT: &str = "60";
/// The hosts that this one can be.
const IMITATED: [&str; 2] = ["faultless", "wasmedge-0.14"];
/// Connections at the same time to a published library, and to a preopened listener.
const FEW: usize = 4;
const MANY: usize = 50;
/// What each connection has echoed. The longest fits into a socket's buffers.
const SIZES: [usize; 3] = [1, 1000, 32 << 10];
/// So many of the suite's cases are known to need no socket. All others must say why they cannot
/// run.
const WITHOUT_SOCKETS: usize = 7;
const NO_SOCKETS: &str = "standard preview 1 cannot bind or connect a socket";

/// A guest to be run.
struct Guest<'a> {
    host: &'a Path,
    wasm: &'a Path,
    /// What its log is called.
    name: String,
}

impl Guest<'_> {
    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(self.host);
        command.args(["run", "--time-limit", LIMIT]).args(options);
        command.arg(self.wasm);
        command
    }

    fn log(&self) -> PathBuf {
        project::suite_folder().join(format!("embedding-{}.log", self.name))
    }
}

/// Plays `check` with a program of `runners/compare`, on the host without faults and with those of
/// WasmEdge.
fn published(
    setting: &Setting,
    package: &str,
    check: fn(&Guest, Command) -> Result<()>,
) -> Result<Outcome> {
    let host = match embedded::program() {
        Ok(host) => host,
        Err(error) => return Ok(Outcome::Skipped(explain(&error))),
    };
    let args = ["--release", "--locked", "--package", package];
    let place = ["--manifest-path", "runners/compare/Cargo.toml"];
    let target = ["--target-dir", "target/compare"];
    let args = [&args[..], &place, &target].concat();
    let modules = guest::build_quietly(&setting.toolchain, &args)?;
    for imitated in IMITATED {
        let guest = Guest {
            host: &host,
            wasm: guest::module(&modules, package)?,
            name: format!("{package}-{imitated}"),
        };
        let command = guest.command(&["--allow-net", "--as", imitated]);
        check(&guest, command).with_context(|| format!("on the host `{imitated}`"))?;
    }
    Ok(Outcome::Passed)
}

fn echo(guest: &Guest, mut command: Command) -> Result<()> {
    command.arg(Kind::Echo.served_as());
    let (log, interrupt) = (guest.log(), Interrupt::default());
    let server = Server::start(command, Kind::Echo, None, &log, &interrupt)?;
    let mut clients = Client::connect_many(server.address, FEW)?;
    for size in SIZES {
        echo_all(&mut clients, size)?;
    }
    clients.into_iter().try_for_each(finish)
}

/// It serves two connections, one after the other. Its own addresses and its peers' are not
/// asserted: this release reads them wrong.
fn sockets(guest: &Guest, command: Command) -> Result<()> {
    let mut program = Program::run(command, guest.log())?;
    for number in 0..2 {
        let mut client = Client::connect(program.address, number)?;
        SIZES.into_iter().try_for_each(|size| client.echo(size))?;
        finish(client)?;
    }
    let status = program.ends()?;
    let said = program.printed()?;
    ensure!(status.success(), "it ended with {status}:\n{said}");
    let echoed = format!("echoed {} bytes", SIZES.iter().sum::<usize>());
    let expected = [
        "localhost is 127.0.0.1:80",
        "17 bytes went and 17 came: is anybody there?",
        "3 bytes went and 3 came: yes",
        &format!("listening tcp {}", program.address),
        &echoed,
        &echoed,
    ];
    let lines: Vec<&str> = said.lines().collect();
    ensure!(lines == expected, "it said:\n{said}");
    Ok(())
}

fn hello(guest: &Guest, mut command: Command) -> Result<()> {
    command.arg("127.0.0.1:0");
    let server = Program::run(command, guest.log())?;
    greets(&format!("http://{}/", server.address))
}

/// Sends no more; the server, which has sent back everything, ends the connection as well.
fn finish(client: Client) -> Result<()> {
    client.stream.shutdown(Shutdown::Write)?;
    ends(client)
}

fn ends(mut client: Client) -> Result<()> {
    let count = client.stream.read(&mut [0; 8]);
    let count = count.context("the server does not close")?;
    ensure!(count == 0, "{count} bytes came that were never sent");
    Ok(())
}

/// Plays `check` with the guests of `wasi-tests` without `wasmedge`: with the embedded host, and
/// the folder of its modules.
fn plain(setting: &Setting, check: fn(&Path, &[PathBuf]) -> Result<()>) -> Result<Outcome> {
    let host = match embedded::program() {
        Ok(host) => host,
        Err(error) => return Ok(Outcome::Skipped(explain(&error))),
    };
    let args = [
        "--release",
        "--package",
        "wasi-tests",
        "--no-default-features",
    ];
    let bins = ["--bin", "suite", "--bin", "preopened"];
    // Elsewhere the modules of the same names have the feature.
    let target = ["--target-dir", "target/plain"];
    let args = [&args[..], &bins, &target].concat();
    let modules = guest::build_quietly(&setting.toolchain, &args)?;
    check(&host, &modules).map(|()| Outcome::Passed)
}

/// The host opens the listener, tells where, and makes it the guest's descriptor 3.
fn preopened(host: &Path, modules: &[PathBuf]) -> Result<()> {
    let guest = Guest {
        host,
        wasm: guest::module(modules, "preopened")?,
        name: "preopened".into(),
    };
    let command = guest.command(&["--plain", "--listen", "127.0.0.1:0"]);
    let mut program = Program::run(command, guest.log())?;
    let mut clients = Client::connect_many(program.address, MANY)?;
    for size in SIZES {
        echo_all(&mut clients, size)?;
    }
    // One goes without a goodbye, which is nobody else's business.
    let vanishing = clients.pop().context("nobody is there")?;
    vanishing.reset()?;
    echo_all(&mut clients, SIZES[1])?;
    // What was on its way comes back after the client's own end.
    for client in &mut clients {
        let sent = client.send(SIZES[2])?;
        client.stream.shutdown(Shutdown::Write)?;
        client.receive(&sent)?;
    }
    clients.into_iter().try_for_each(ends)?;
    quit(program.address)?;
    let status = program.ends()?;
    let said = program.printed()?;
    ensure!(status.success(), "it ended with {status}:\n{said}");
    let expected = format!("{} accepted, {} ended, 1 failed", MANY + 1, MANY - 1);
    let last = said.lines().last();
    ensure!(last == Some(&*expected), "it said:\n{said}");
    Ok(())
}

fn quit(server: SocketAddr) -> Result<()> {
    let mut stream = Client::connect(server, MANY)?.stream;
    stream.write_all(b"quit").context("cannot send")
}

fn cases(host: &Path, modules: &[PathBuf]) -> Result<()> {
    let wasm = guest::module(modules, "suite")?;
    let mut passed = 0;
    for Verdict {
        case,
        outcome,
        text,
        ..
    } in ask(host, wasm, "plain WASI", &["--plain"])?
    {
        match outcome {
            Judged::Passed => passed += 1,
            Judged::Skipped if text.contains(NO_SOCKETS) => {}
            other => bail!("{case} is {other:?}:\n{text}"),
        }
    }
    ensure!(passed >= WITHOUT_SOCKETS, "only {passed} cases passed");
    Ok(())
}
