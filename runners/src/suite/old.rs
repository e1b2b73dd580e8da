//! Old programs: a server and clients on tokio_wasi, hyper_wasi and reqwest_wasi, as their users
//! wrote them before this library was there. Cargo's `[patch]` is all that is ours about them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Setting;
use super::checks::Check;
use super::each_host::on_each_host;
use super::real::curl::curl;
use super::real::program::Program;
use super::report::Outcome;
use crate::demo::clients::payload;
use crate::explain::explain;
use crate::host::{Host, Rights};
use crate::prepare::tools::CURL;
use crate::project::TARGET;
use crate::{guest, process, project};

pub const CHECKS: &[Check] = &[
    Check {
        name: "no source line knows of this library",
        run: |_| unaware(),
    },
    Check {
        name: "what they run over is this library",
        run: |_| patched(),
    },
    Check {
        name: "hyper_wasi's server by curl",
        run: |setting| by_curl(setting),
    },
    Check {
        name: "hyper_wasi's client",
        run: |setting| play(setting, "client", by_client),
    },
    Check {
        name: "reqwest_wasi's client",
        run: |setting| play(setting, "fetch", by_reqwest),
    },
];

const FOLDER: &str = "examples/hyper_wasi";
const HELLO: &str = "hello, world\n";
/// What is posted and must come back.
const LONG: usize = 1 << 20;
/// How long a client may take.
const LIMIT: Duration = Duration::from_secs(20);

/// The library's old name stands in the manifest alone, and there once, as what is patched.
fn unaware() -> Result<Outcome> {
    let folder = project::root().join(FOLDER);
    let sources = folder.join("src").join("bin");
    let entries = fs::read_dir(&sources).with_context(|| format!("no {}", sources.display()))?;
    let mut count = 0;
    for entry in entries {
        let path = entry.context("a source cannot be found")?.path();
        let source = fs::read_to_string(&path).context("a source cannot be read")?;
        let aware = source.lines().find(|line| line.contains("mio"));
        ensure!(aware.is_none(), "{}: {aware:?}", path.display());
        count += 1;
    }
    ensure!(count == 3, "there are {count} programs");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).context("there is no manifest")?;
    let lines = manifest.lines().filter(|line| !line.starts_with('#'));
    let named: Vec<&str> = lines.filter(|line| line.contains("mio")).collect();
    ensure!(
        named == [r#"mio_wasi = { path = "../.." }"#],
        "the manifest has {named:?}"
    );
    Ok(Outcome::Passed)
}

/// What cargo resolves: one `mio_wasi`, which is this one, under the tokio of old.
fn patched() -> Result<Outcome> {
    let mut cargo = project::cargo();
    cargo.current_dir(project::root().join(FOLDER));
    cargo.args(["metadata", "--locked", "--format-version", "1"]);
    cargo.args(["--filter-platform", TARGET]);
    let told = process::quiet(&mut cargo).context("cargo does not know them")?;
    let told: Value = serde_json::from_str(&told).context("cargo tells no JSON")?;
    let named = |name: &'static str| {
        let packages = told["packages"].as_array().into_iter().flatten();
        packages.filter(move |package| package["name"] == name)
    };
    for (name, version) in [
        ("tokio_wasi", "1.25."),
        ("hyper_wasi", "0.15."),
        ("reqwest_wasi", "0.11."),
    ] {
        let versions: Vec<&str> = named(name)
            .filter_map(|it| it["version"].as_str())
            .collect();
        let right = matches!(versions[..], [one] if one.starts_with(version));
        ensure!(right, "{name} is {versions:?}");
    }
    let found: Vec<&Value> = named("mio_wasi").chain(named("mio")).collect();
    let manifests: Vec<&Value> = found.iter().map(|it| &it["manifest_path"]).collect();
    let ours = project::root().join("Cargo.toml");
    ensure!(
        manifests.len() == 1 && manifests[0].as_str().map(Path::new) == Some(&ours),
        "mio is {manifests:?}"
    );
    let mut nodes = told["resolve"]["nodes"].as_array().into_iter().flatten();
    let tokio = named("tokio_wasi").next().map(|package| &package["id"]);
    let tokio = nodes.find(|node| Some(&node["id"]) == tokio);
    let below = tokio.and_then(|node| node["dependencies"].as_array());
    ensure!(
        below.is_some_and(|below| below.contains(&found[0]["id"])),
        "tokio_wasi depends on {below:?}"
    );
    Ok(Outcome::Passed)
}

/// A server in one host, and what its clients are run by.
struct Stage<'a> {
    host: &'a Host,
    modules: &'a [PathBuf],
    server: Program,
    name: &'a str,
}

/// Plays a check with a fresh server in each host, which must have nothing left of it afterwards,
/// and rest.
fn play(setting: &Setting, name: &str, check: fn(&Stage) -> Result<()>) -> Result<Outcome> {
    let modules = modules(setting)?;
    on_each_host(setting, |host| {
        let mut command = command(host, &modules, "server")?;
        command.arg("127.0.0.1:0");
        let server = Program::run(command, log(host, &format!("{name}-server")))?;
        let stage = Stage {
            host,
            modules: &modules,
            server,
            name,
        };
        stage.server.leaves_nothing(|_| check(&stage))
    })
}

impl Stage<'_> {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    /// Runs the client; what it printed.
    fn client(&self, words: &[&str]) -> Result<(ExitStatus, String)> {
        let mut command = command(self.host, self.modules, self.name)?;
        let log = log(self.host, self.name);
        // The last one's words would be taken for this one's.
        let _ = fs::remove_file(&log);
        let mut child = process::spawn_logged(command.args(words), &log)?;
        let status = process::wait(&mut child, LIMIT, || {})?;
        let said = fs::read_to_string(&log).context("it says nothing")?;
        let status = status.with_context(|| format!("{words:?} hangs:\n{said}"))?;
        Ok((status, said))
    }

    fn expect(&self, words: &[&str], expected: &str) -> Result<()> {
        let (status, said) = self.client(words)?;
        ensure!(status.success(), "{words:?}: {status}:\n{said}");
        ensure!(said == expected, "{words:?} prints {said:?}");
        Ok(())
    }

    /// That nobody listens is told as what it is.
    fn expect_refusal(&self) -> Result<()> {
        // Port 1 is nobody's: it would take a server of root's.
        let (status, said) = self.client(&["http://127.0.0.1:1/"])?;
        ensure!(!status.success(), "refused, it ends with {status}:\n{said}");
        ensure!(said.contains("ConnectionRefused"), "it says {said}");
        Ok(())
    }
}

/// Five requests are one connection.
fn by_client(stage: &Stage) -> Result<()> {
    let url = stage.url("/connections");
    let connections = || curl(&[&url])?.trim().parse::<usize>().context("no number");
    let before = connections()?;
    stage.expect(&[&stage.url("/"), "5"], HELLO)?;
    let made = connections()? - before;
    ensure!(made == 2, "the client and curl made {made} connections");
    let echoed = format!("{LONG} bytes came back\n");
    stage.expect(&[&stage.url("/echo"), "--post", &LONG.to_string()], &echoed)?;
    stage.expect_refusal()
}

fn by_reqwest(stage: &Stage) -> Result<()> {
    stage.expect(&[&stage.url("/")], HELLO)?;
    let echoed = format!("{LONG} bytes came back\n");
    stage.expect(&[&stage.url("/echo"), &LONG.to_string()], &echoed)?;
    stage.expect_refusal()
}

fn by_curl(setting: &Setting) -> Result<Outcome> {
    match CURL.find_or_fetch() {
        Ok(_) => play(setting, "curl", with_curl),
        Err(error) => Ok(Outcome::Skipped(explain(&error))),
    }
}

fn with_curl(stage: &Stage) -> Result<()> {
    let (url, echo) = (stage.url("/"), stage.url("/echo"));
    greets(&url)?;
    let told = curl(&["-w", "%{num_connects}\n", &url, &url, &url])?;
    let once = format!("{HELLO}1\n{HELLO}0\n{HELLO}0\n");
    ensure!(told == once, "three requests over one connection: {told}");
    let told = curl(&["-X", "DELETE", "-w", "%{http_code}", &url])?;
    ensure!(told == "404", "{told}");

    let content = payload(7, LONG);
    let (there, back) = (log(stage.host, "there"), log(stage.host, "back"));
    fs::write(&there, &content).context("cannot write what is posted")?;
    let data = format!("@{}", there.display());
    let output = back.to_string_lossy();
    for chunked in [&[][..], &["-H", "transfer-encoding: chunked"]] {
        let _ = fs::remove_file(&back);
        curl(&[&["--data-binary", &data, "-o", &output, &echo], chunked].concat())?;
        let came = fs::read(&back).context("nothing came back")?;
        ensure!(came == content, "{} other bytes came back", came.len());
    }
    Ok(())
}

/// The whole answer of the server's first page.
pub fn greets(url: &str) -> Result<()> {
    let told = curl(&["-i", url])?;
    let (head, body) = told.split_once("\n\n").context("no head")?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\n"), "{told}");
    ensure!(head.contains("\ncontent-length: 13\n"), "{told}");
    ensure!(body == HELLO, "{told}");
    Ok(())
}

/// The programs as modules; built once, by the first check that needs them.
fn modules(setting: &Setting) -> Result<Vec<PathBuf>> {
    let manifest = format!("{FOLDER}/Cargo.toml");
    let args = ["--release", "--locked", "--manifest-path", &manifest];
    let target = ["--target-dir", "target/old"];
    guest::build_quietly(&setting.toolchain, &[&args[..], &target].concat())
}

/// The command that runs one of them, compiled ahead of time.
fn command(host: &Host, modules: &[PathBuf], name: &str) -> Result<Command> {
    let compiled = host.compiled(guest::module(modules, name)?)?;
    Ok(host.command(&compiled, &Rights::default()))
}

fn log(host: &Host, name: &str) -> PathBuf {
    let file = format!("old-{name}-{host}.log").replace(' ', "-");
    project::suite_folder().join(file)
}
