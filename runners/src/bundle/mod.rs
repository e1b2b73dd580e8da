//! `cargo runners bundle`: a guest as container runtimes take it, as a bundle that crun runs as it
//! stands, or as an image that podman, containerd and registries take. The container's file system
//! is one file, the guest; no other program is needed to make it. `docs/containers.md` tells how
//! each is run.

mod image;
mod program;
mod runtime;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;

pub use program::{Program, example};
pub use runtime::Place;
use runtime::{Directory, Network};

use crate::prepare;
use crate::progress::Step;
use crate::project;

/// What is to be written.
#[derive(Debug, Args)]
pub struct Options {
    /// An example of this project, or the path of a module (`.wasm`).
    guest: String,
    /// Compile the guest ahead of time, for the version of WasmEdge that is found here.
    #[arg(long)]
    aot: bool,
    /// Write an image (an OCI image layout) instead of a bundle.
    #[arg(long)]
    image: bool,
    /// Where it is written [default: target/bundles/GUEST, or GUEST-image].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The bundle's network: `host`, `none`, or `ns:PATH`, a network namespace that is there.
    #[arg(long, default_value = "host", conflicts_with = "image")]
    network: Network,
    /// Let the guest use a directory: `DIR`, `GUEST:HOST` or `GUEST:HOST:readonly`.
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    dir: Vec<Directory>,
    /// Set a variable in the guest's environment.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The guest's arguments.
    #[arg(last = true)]
    args: Vec<String>,
}

/// Writes it, and says what can be done with it.
pub fn main(host: &str, options: &Options) -> Result<ExitCode> {
    let module = program::module(&options.guest)?;
    let mut program = Program::new(&module)?;
    program.args.clone_from(&options.args);
    program.env.clone_from(&options.env);
    program.check()?;
    if options.aot {
        let host = prepare::host(host)?;
        let step = Step::start(format!("compiling it ahead of time with {host}"));
        let compiled = program.compile(&host);
        match &compiled {
            Ok(()) => step.done("done"),
            Err(_) => step.give_up(),
        }
        compiled?;
        println!("{}", program.remark(&host));
    }
    let out = match &options.out {
        Some(out) => out.clone(),
        None => folder(&program, options.image),
    };
    if options.image {
        write_image(&program, &out)?;
        print!("{}", about_image(&program, &out));
    } else {
        let place = Place {
            network: options.network.clone(),
            directories: options.dir.clone(),
        };
        write_bundle(&program, &place, &out)?;
        print!("{}", about_bundle(&program, &out));
    }
    Ok(ExitCode::SUCCESS)
}

fn folder(program: &Program, image: bool) -> PathBuf {
    let name = program.name();
    let name = if image {
        format!("{name}-image")
    } else {
        name.to_string()
    };
    project::root().join("target").join("bundles").join(name)
}

/// Writes a runtime bundle: `config.json` and the folder `rootfs`.
pub fn write_bundle(program: &Program, place: &Place, out: &Path) -> Result<()> {
    let config = runtime::config(program, place)?;
    make_room(out, &["config.json", "rootfs"])?;
    let rootfs = out.join("rootfs");
    fs::create_dir(&rootfs).context("cannot create the container's root")?;
    let file = rootfs.join(program.file_name());
    fs::copy(&program.file, &file).with_context(|| format!("cannot write {}", file.display()))?;
    runtime::make_executable(&file)?;
    let text = serde_json::to_string_pretty(&config)? + "\n";
    fs::write(out.join("config.json"), text).context("cannot write config.json")
}

/// Writes an image layout: `oci-layout`, `index.json` and the folder `blobs`.
pub fn write_image(program: &Program, out: &Path) -> Result<()> {
    make_room(out, &["oci-layout", "index.json", "blobs"])?;
    image::write(program, out)
}

/// Empties `out`, if all there is in it are entries of these names: a former work of ours.
fn make_room(out: &Path, names: &[&str]) -> Result<()> {
    let shown = out.display();
    if out.exists() {
        for entry in fs::read_dir(out).with_context(|| format!("cannot read {shown}"))? {
            let name = entry?.file_name();
            ensure!(
                names.iter().any(|known| name == **known),
                "{shown} is not emptied: it holds {name:?}, which this command does not write. \
                 Name another folder by --out."
            );
        }
        fs::remove_dir_all(out).with_context(|| format!("cannot empty {shown}"))?;
    }
    fs::create_dir_all(out).with_context(|| format!("cannot create {shown}"))
}

fn about_bundle(program: &Program, out: &Path) -> String {
    let (name, out, file) = (program.name(), shown(out), program.file_name());
    format!(
        "bundle   {out}, of {file}\n\
         run      sudo crun run --bundle {out} {name}\n\
         stop     Ctrl-C, or sudo crun kill {name}\n"
    )
}

fn about_image(program: &Program, out: &Path) -> String {
    let (out, file) = (shown(out), program.file_name());
    let (image, platform) = (image::reference(program), image::platform());
    format!(
        "image    {out}, of {file}: {image} for {platform}\n\
         podman   podman pull oci:{out}:{image}\n\
         \u{20}        podman run --rm --network host --platform {platform} {image}\n\
         ctr      tar -C {out} -c . | sudo ctr images import --platform {platform} -\n"
    )
}

/// As short as a path can be from here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    path.display().to_string()
}
