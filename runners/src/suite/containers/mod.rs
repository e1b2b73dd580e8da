//! Guests in containers: what `cargo runners bundle` writes, run by crun with WasmEdge and talked
//! to, and its images, unpacked by another tool. crun needs root, and namespaces that a container
//! which it is itself run in may not give; a bundle's command line needs neither, and is run in
//! each host.

mod crun;

use std::env;
use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Setting;
use super::checks::Check;
use super::each_host::on_each_host;
use super::outside::client::{Client, echo_datagram};
use super::real::http::Connection;
use super::real::program::Program as Server;
use super::report::Outcome;
use crate::bundle::{self, Place, Program};
use crate::demo::clients::payload;
use crate::demo::server::address;
use crate::explain::explain;
use crate::host::{Host, Rights};
use crate::prepare::tools::UMOCI;
use crate::{process, project};
use crun::Runtime;

pub const CHECKS: &[Check] = &[
    Check {
        name: "echo in crun",
        run: |setting| in_crun(setting, plain_echo),
    },
    Check {
        name: "echo in crun, compiled ahead of time",
        run: |setting| in_crun(setting, compiled_echo),
    },
    Check {
        name: "http_hello in crun",
        run: |setting| in_crun(setting, plain_hello),
    },
    Check {
        name: "http_hello in crun, compiled ahead of time",
        run: |setting| in_crun(setting, compiled_hello),
    },
    Check {
        name: "a directory in crun",
        run: |setting| in_crun(setting, lent_directory),
    },
    Check {
        name: "the last words of a guest in crun",
        run: |setting| in_crun(setting, last_words),
    },
    Check {
        name: "a bundle's command line in WasmEdge",
        run: command_line,
    },
    Check {
        name: "an image unpacked by umoci",
        run: unpacked,
    },
];

/// Plays a check with crun, or says why that cannot be.
fn in_crun(setting: &Setting, play: fn(&Setting, &Runtime) -> Result<()>) -> Result<Outcome> {
    match Runtime::find() {
        Ok(runtime) => play(setting, &runtime).map(|()| Outcome::Passed),
        Err(error) => Ok(Outcome::Skipped(explain(&error))),
    }
}

fn plain_echo(setting: &Setting, runtime: &Runtime) -> Result<()> {
    let bundle = write(example(setting, "echo")?, &[], Place::default(), "echo")?;
    runtime.play(&bundle, "echo", echoes)
}

/// Whichever WasmEdge has compiled it, it serves; if that is of crun's version, not interpreted.
fn compiled_echo(setting: &Setting, runtime: &Runtime) -> Result<()> {
    for host in &setting.hosts {
        let mut program = example(setting, "echo")?;
        program.compile(host)?;
        let name = format!("echo-{}", host.version);
        let bundle = write(program, &[], Place::default(), &name)?;
        let played = runtime.play(&bundle, &name, |server| {
            echoes(server)?;
            let printed = server.printed()?;
            let interpreted = printed.contains("AOT");
            let same = runtime.crun.wasmedge == Some(host.version);
            ensure!(!same || !interpreted, "it is interpreted:\n{printed}");
            Ok(())
        });
        played.with_context(|| format!("compiled by {host}"))?;
    }
    Ok(())
}

fn plain_hello(setting: &Setting, runtime: &Runtime) -> Result<()> {
    hello(example(setting, "http_hello")?, runtime, "hello")
}

fn compiled_hello(setting: &Setting, runtime: &Runtime) -> Result<()> {
    let mut program = example(setting, "http_hello")?;
    let same = |host: &&Host| runtime.crun.wasmedge == Some(host.version);
    let host = setting.hosts.iter().find(same).or(setting.hosts.first());
    program.compile(host.context("there is no host to compile with")?)?;
    hello(program, runtime, "hello-compiled")
}

fn hello(program: Program, runtime: &Runtime, name: &str) -> Result<()> {
    let bundle = write(program, &["127.0.0.1:0"], Place::default(), name)?;
    runtime.play(&bundle, name, |server| {
        let mut connection = Connection::open(server.address)?;
        for _ in 0..100 {
            let body = connection.get("/")?;
            ensure!(body == b"hello, world\n", "the answer is {body:?}");
        }
        Ok(())
    })
}

fn lent_directory(setting: &Setting, runtime: &Runtime) -> Result<()> {
    runtime.play(&service(setting, "service")?, "service", serves_a_file)
}

/// A guest that refuses its arguments says so.
fn last_words(setting: &Setting, runtime: &Runtime) -> Result<()> {
    let args = ["--no-such-argument"];
    let bundle = write(
        example(setting, "echo")?,
        &args,
        Place::default(),
        "refused",
    )?;
    let said = runtime.hear(&bundle, "refused")?;
    ensure!(said.contains("usage: echo"), "it said:\n{said}");
    Ok(())
}

/// What a bundle says is to be run, run without a container.
fn command_line(setting: &Setting) -> Result<Outcome> {
    let bundle = service(setting, "command")?;
    let config = fs::read(bundle.join("config.json")).context("there is no config.json")?;
    let config: Value = serde_json::from_slice(&config)?;
    on_each_host(setting, |host| {
        let command = in_host(&config, &bundle, host)?;
        let log = project::suite_folder().join(format!("container-{}.log", host.version));
        serves_a_file(&Server::run(command, log)?)
    })
}

fn in_host(config: &Value, bundle: &Path, host: &Host) -> Result<Command> {
    let mut args = words(&config["process"]["args"])?.into_iter();
    let program = args.next().context("there is no program")?;
    let program = program.strip_prefix('/').context("its path is absolute")?;
    let root = bundle.join(
        config["root"]["path"]
            .as_str()
            .context("there is no root")?,
    );
    let mounts = config["mounts"].as_array().into_iter().flatten();
    let lent = mounts.filter(|mount| mount["type"] == "bind").map(|mount| {
        let (guest, host) = (mount["destination"].as_str(), mount["source"].as_str());
        Some(format!("{}:{}", guest?, host?))
    });
    let rights = Rights {
        dirs: lent
            .collect::<Option<_>>()
            .context("a mount has two ends")?,
        env: words(&config["process"]["env"])?,
        ..Rights::default()
    };
    let mut command = host.command(&root.join(program), &rights);
    command.args(args);
    Ok(command)
}

fn words(list: &Value) -> Result<Vec<String>> {
    serde_json::from_value(list.clone()).context("it is no list of words")
}

/// The guest's one file comes out of the image's one layer.
fn unpacked(setting: &Setting) -> Result<Outcome> {
    let umoci = match UMOCI.find_or_fetch() {
        Ok(umoci) => umoci,
        Err(error) => return Ok(Outcome::Skipped(explain(&error))),
    };
    let program = example(setting, "echo")?;
    let (image, root) = (folder("image"), folder("unpacked"));
    bundle::write_image(&program, &image)?;
    let _ = fs::remove_dir_all(&root);
    let name = format!("{}:localhost/echo:latest", image.display());
    let mut unpack = Command::new(umoci);
    unpack.args(["raw", "unpack", "--rootless", "--image", &name]);
    process::quiet(unpack.arg(&root))?;
    let files = fs::read_dir(&root).context("nothing was unpacked")?;
    ensure!(files.count() == 1, "there is not one file in the image");
    let same = fs::read(root.join("echo.wasm"))? == fs::read(&program.file)?;
    ensure!(same, "the guest is another one");
    Ok(Outcome::Passed)
}

/// Where this group keeps `name`.
fn folder(name: &str) -> PathBuf {
    project::suite_folder().join("containers").join(name)
}

fn example(setting: &Setting, name: &str) -> Result<Program> {
    Program::new(&bundle::example(&setting.toolchain, name)?)
}

/// Writes a bundle of `program`, which gets these arguments.
fn write(mut program: Program, args: &[&str], place: Place, name: &str) -> Result<PathBuf> {
    program.args = args.iter().map(|arg| String::from(*arg)).collect();
    let bundle = folder(name);
    bundle::write_bundle(&program, &place, &bundle)?;
    Ok(bundle)
}

/// A bundle of the service that serves files, with a directory that holds one: by the command, as
/// people write it.
fn service(setting: &Setting, name: &str) -> Result<PathBuf> {
    let lent = folder("lent");
    fs::create_dir_all(&lent).context("cannot create a folder")?;
    fs::write(lent.join("file.txt"), FILE).context("cannot write a file")?;
    let bundle = folder(name);
    let mut command = Command::new(env::current_exe()?);
    command
        .arg("bundle")
        .arg(bundle::example(&setting.toolchain, "http_service")?)
        .arg("--out")
        .arg(&bundle)
        .args(["--dir", &format!("/lent:{}:readonly", lent.display())])
        .args(["--env", "RUST_BACKTRACE=1"])
        .args(["--", "127.0.0.1:0", "--files", "/lent"]);
    let said = process::quiet(&mut command)?;
    ensure!(said.contains("sudo crun run"), "it says only:\n{said}");
    Ok(bundle)
}

const FILE: &str = "lent to the guest\n";

fn serves_a_file(server: &Server) -> Result<()> {
    let body = Connection::open(server.address)?.get("/files/file.txt")?;
    ensure!(body == FILE.as_bytes(), "the answer is {body:?}");
    Ok(())
}

/// What the echo example gets over TCP and UDP it sends back.
fn echoes(server: &Server) -> Result<()> {
    for mut client in Client::connect_many(server.address, 3)? {
        for size in [1, 1000, 200_000] {
            client.echo(size)?;
        }
    }
    let printed = server.printed()?;
    let udp = address(&printed, "udp").context("it does not say where it hears datagrams")?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot open a socket")?;
    socket.connect(udp).context("cannot connect")?;
    echo_datagram(&socket, &payload(1, 1000))
}
