//! An image layout by the OCI image specification: one image of one layer of one file. Nothing in
//! it depends on the time or the place, so the same guest gives the same digests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Program;

/// The name of the platform: podman and Docker know WASI by it.
const OS: &str = "wasi";
const ARCHITECTURE: &str = "wasm";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

pub fn platform() -> String {
    format!("{OS}/{ARCHITECTURE}")
}

/// The image's full name, of letters that are allowed in one.
pub fn reference(program: &Program) -> String {
    let name = program.name().to_ascii_lowercase();
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("localhost/{}:latest", words.join("-"))
}

/// Writes the layout into the empty folder `out`.
pub fn write(program: &Program, out: &Path) -> Result<()> {
    let blobs = Blobs {
        folder: out.join("blobs").join("sha256"),
    };
    fs::create_dir_all(&blobs.folder).context("cannot create the folder of blobs")?;
    let layer = blobs.add(LAYER, &layer(program)?)?;
    let config = blobs.add_json(CONFIG, &config(program, &layer["digest"]))?;
    let manifest = blobs.add_json(MANIFEST, &manifest(&config, &layer))?;
    let index = index(program, manifest);
    fs::write(out.join("index.json"), index.to_string()).context("cannot write index.json")?;
    let layout = json!({ "imageLayoutVersion": "1.0.0" });
    fs::write(out.join("oci-layout"), layout.to_string()).context("cannot write oci-layout")
}

/// The folder of contents, each named by its digest.
struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// Adds a content; the answer is its descriptor.
    fn add(&self, kind: &str, content: &[u8]) -> Result<Value> {
        let digest = Sha256::digest(content);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(self.folder.join(&digest), content).context("cannot write a blob")?;
        Ok(json!({
            "mediaType": kind,
            "digest": format!("sha256:{digest}"),
            "size": content.len(),
        }))
    }

    fn add_json(&self, kind: &str, content: &Value) -> Result<Value> {
        self.add(kind, content.to_string().as_bytes())
    }
}

/// The container's root as a tar archive.
fn layer(program: &Program) -> Result<Vec<u8>> {
    let content = fs::read(&program.file);
    let content = content.with_context(|| format!("cannot read {}", program.file.display()))?;
    let mut header = tar::Header::new_ustar();
    header.set_path(program.file_name())?;
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, content.as_slice())?;
    Ok(archive.into_inner()?)
}

/// How the image is run. An archive that is not compressed has one digest for both its forms.
fn config(program: &Program, layer: &Value) -> Value {
    let command = program.command();
    let (entrypoint, args) = command.split_at(1);
    let mut run = json!({
        "Entrypoint": entrypoint,
        "WorkingDir": "/",
        // A guest cannot handle SIGTERM, and as a container's first process is not ended by it:
        // whoever stops it would wait in vain, and then kill it.
        "StopSignal": "SIGKILL",
    });
    if !args.is_empty() {
        run["Cmd"] = json!(args);
    }
    if !program.env.is_empty() {
        run["Env"] = json!(program.env);
    }
    json!({
        "os": OS,
        "architecture": ARCHITECTURE,
        "config": run,
        "rootfs": { "type": "layers", "diff_ids": [layer] },
    })
}

fn manifest(config: &Value, layer: &Value) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [layer],
        // By it crun knows a guest where the engine passes an image's annotations on.
        "annotations": { "module.wasm.image/variant": "compat-smart" },
    })
}

fn index(program: &Program, mut manifest: Value) -> Value {
    manifest["platform"] = json!({ "os": OS, "architecture": ARCHITECTURE });
    manifest["annotations"] = json!({
        // podman names an image by this, and containerd by the other.
        "org.opencontainers.image.ref.name": reference(program),
        "io.containerd.image.name": reference(program),
    });
    json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [manifest],
    })
}
