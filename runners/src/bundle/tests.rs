//! What is written, against the specifications: their own JSON schemas, where those can be had; the
//! types of another implementation; and what they say in words.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::{ImageConfiguration, ImageIndex, ImageManifest, OciLayout};
use oci_spec::runtime::Spec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;
use crate::explain::explain;
use crate::prepare::crun::schemas;

/// A folder that is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = env::temp_dir().join(format!("bundle-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The empty module, called `My server.wasm`.
fn program(folder: &Folder) -> Program {
    let file = folder.join("My server.wasm");
    fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let mut program = Program::new(&file).unwrap();
    program.args = vec!["0.0.0.0:8080".into(), "two words".into()];
    program.env = vec!["NAME=value".into(), "EMPTY=".into()];
    program
}

/// A bundle with one of everything.
fn bundle(folder: &Folder) -> PathBuf {
    let place = Place {
        network: "ns:/run/netns/guests".parse().unwrap(),
        directories: vec![
            folder.0.to_str().unwrap().parse().unwrap(),
            format!("/lent:{}:readonly", folder.0.display())
                .parse()
                .unwrap(),
        ],
    };
    let out = folder.join("bundle");
    write_bundle(&program(folder), &place, &out).unwrap();
    out
}

fn image(folder: &Folder) -> PathBuf {
    let out = folder.join("image");
    write_image(&program(folder), &out).unwrap();
    out
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// The content that a descriptor names, which must be what it says.
fn blob(image: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let (algorithm, hex) = digest.split_once(':').unwrap();
    let content = fs::read(image.join("blobs").join(algorithm).join(hex)).unwrap();
    assert_eq!(descriptor["size"], content.len());
    let found: String = Sha256::digest(&content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!((algorithm, hex), ("sha256", found.as_str()));
    content
}

/// The documents of an image, each with the schema that it is written by.
fn documents(image: &Path) -> Vec<(&'static str, Value)> {
    let index = json(&image.join("index.json"));
    let manifest = blob(image, &index["manifests"][0]);
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let config = blob(image, &manifest["config"]);
    let layout = json(&image.join("oci-layout"));
    vec![
        ("image-layout-schema.json", layout),
        ("image-index-schema.json", index),
        ("image-manifest-schema.json", manifest),
        (
            "config-schema.json",
            serde_json::from_slice(&config).unwrap(),
        ),
    ]
}

/// Finds every schema that another one names in the same folder, whatever address it names.
struct Schemas(PathBuf);

impl boon::UrlLoader for Schemas {
    fn load(&self, url: &str) -> Result<Value, Box<dyn std::error::Error>> {
        let (_, name) = url.rsplit_once('/').ok_or("no name")?;
        Ok(serde_json::from_slice(&fs::read(self.0.join(name))?)?)
    }
}

fn conforms(folder: &Path, schema: &str, document: &Value) -> Result<(), String> {
    let mut compiler = boon::Compiler::new();
    compiler.use_loader(Box::new(Schemas(folder.into())));
    let mut schemas = boon::Schemas::new();
    let address = format!("https://opencontainers.org/schema/{schema}");
    let schema = compiler.compile(&address, &mut schemas).unwrap();
    let valid = schemas.validate(document, schema);
    valid.map_err(|error| format!("{error:#}"))
}

#[test]
fn schemas_are_kept() {
    let sources = match schemas() {
        Ok(sources) => sources,
        Err(error) => {
            // Past the harness, which keeps what a test that passes prints; on one line, as the
            // suite reads it.
            let why = explain(&error).replace('\n', " ");
            let _ = writeln!(io::stderr(), "\nschemas_are_kept: skipped: {why}");
            return;
        }
    };
    let folder = Folder::new("schemas");
    let runtime = sources.join("runtime-spec/schema");
    let config = json(&bundle(&folder).join("config.json"));
    conforms(&runtime, "config-schema.json", &config).unwrap();
    // So that a schema which was not found would be missed.
    let mut wrong = config;
    wrong["linux"]["namespaces"][0]["type"] = "mnt".into();
    conforms(&runtime, "config-schema.json", &wrong).unwrap_err();

    let image_schemas = sources.join("image-spec/schema");
    for (schema, document) in documents(&image(&folder)) {
        conforms(&image_schemas, schema, &document).unwrap();
        let Value::Object(fields) = &document else {
            panic!("{schema} is of no object");
        };
        let first = fields.keys().next().unwrap();
        let mut wrong = document.clone();
        wrong[first] = Value::Bool(true);
        conforms(&image_schemas, schema, &wrong).unwrap_err();
    }
}

/// Another implementation understands every field: what it does not know, or takes for another
/// kind of thing, would not come back.
fn comes_back<T: DeserializeOwned + Serialize>(document: &Value) {
    let read: T = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(&serde_json::to_value(read).unwrap(), document);
}

#[test]
fn another_implementation_knows_every_field() {
    let folder = Folder::new("types");
    comes_back::<Spec>(&json(&bundle(&folder).join("config.json")));
    let documents = documents(&image(&folder));
    comes_back::<OciLayout>(&documents[0].1);
    comes_back::<ImageIndex>(&documents[1].1);
    comes_back::<ImageManifest>(&documents[2].1);
    comes_back::<ImageConfiguration>(&documents[3].1);
}

#[test]
fn a_bundle_is_one_file_and_how_to_run_it() {
    let folder = Folder::new("bundle");
    let bundle = bundle(&folder);
    let config = json(&bundle.join("config.json"));
    let root = bundle.join(config["root"]["path"].as_str().unwrap());
    let files: Vec<_> = fs::read_dir(&root).unwrap().collect();
    assert_eq!(files.len(), 1);

    let process = &config["process"];
    assert_eq!(
        process["args"],
        serde_json::json!(["/My server.wasm", "0.0.0.0:8080", "two words"])
    );
    assert!(root.join("My server.wasm").is_file());
    assert_eq!(process["env"], serde_json::json!(["NAME=value", "EMPTY="]));
    assert_eq!(config["annotations"]["run.oci.handler"], "wasm");

    let mounts = config["mounts"].as_array().unwrap();
    for mount in mounts {
        assert!(mount["destination"].as_str().unwrap().starts_with('/'));
    }
    let last = mounts.last().unwrap();
    assert_eq!(last["destination"], "/lent");
    assert!(last["options"].as_array().unwrap().contains(&"ro".into()));

    // The specification wants no two of a type.
    let namespaces = config["linux"]["namespaces"].as_array().unwrap();
    let types: BTreeSet<_> = namespaces.iter().map(|n| n["type"].as_str()).collect();
    assert_eq!(types.len(), namespaces.len());
    let network = namespaces.iter().find(|n| n["type"] == "network").unwrap();
    assert_eq!(network["path"], "/run/netns/guests");
}

#[test]
fn an_image_has_one_layer_of_one_file() {
    let folder = Folder::new("image");
    let image = image(&folder);
    let documents = documents(&image);
    let (index, manifest, config) = (&documents[1].1, &documents[2].1, &documents[3].1);
    let described = &index["manifests"][0];
    for field in ["os", "architecture"] {
        assert_eq!(described["platform"][field], config[field]);
    }
    let name = &described["annotations"]["org.opencontainers.image.ref.name"];
    assert_eq!(name, "localhost/my-server:latest");

    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    let layer = blob(&image, &layers[0]);
    // Not compressed, so the digest of the archive is that of its content.
    assert_eq!(config["rootfs"]["diff_ids"][0], layers[0]["digest"]);
    let mut archive = tar::Archive::new(layer.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let path = entry.path().unwrap().into_owned();
        (path, header.mode().unwrap(), header.size().unwrap())
    });
    let wanted = (PathBuf::from("My server.wasm"), 0o755, 8);
    assert_eq!(entries.collect::<Vec<_>>(), [wanted]);

    let run = &config["config"];
    let entrypoint = serde_json::json!(["/My server.wasm"]);
    assert_eq!(run["Entrypoint"], entrypoint);
    let args = serde_json::json!(["0.0.0.0:8080", "two words"]);
    assert_eq!(run["Cmd"], args);
}

#[test]
fn the_same_guest_gives_the_same_image() {
    let (one, two) = (Folder::new("one"), Folder::new("two"));
    let index = |folder: &Folder| fs::read(image(folder).join("index.json")).unwrap();
    assert_eq!(index(&one), index(&two));
}

#[test]
fn only_former_work_is_overwritten() {
    let folder = Folder::new("overwritten");
    let out = bundle(&folder);
    bundle(&folder);
    write_image(&program(&folder), &out).unwrap_err();
    let note = out.join("note.txt");
    fs::write(&note, "not to be lost").unwrap();
    let error = write_bundle(&program(&folder), &Place::default(), &out).unwrap_err();
    assert!(error.to_string().contains("note.txt"), "{error}");
    assert!(note.exists());
}

#[test]
fn options_are_read_or_refused() {
    assert_eq!("host".parse::<Network>().unwrap(), Network::Host);
    assert_eq!("none".parse::<Network>().unwrap(), Network::None);
    for wrong in ["", "bridge", "ns:", "ns:relative"] {
        wrong.parse::<Network>().unwrap_err();
    }
    let here = fs::canonicalize(".").unwrap();
    let directory: Directory = ".".parse().unwrap();
    assert_eq!(directory.guest, here.to_str().unwrap());
    let directory: Directory = "/data:.:readonly".parse().unwrap();
    assert_eq!(
        (directory.guest.as_str(), directory.readonly),
        ("/data", true)
    );
    for wrong in ["relative:.", "/:.", "/data:no such folder", "Cargo.toml"] {
        wrong.parse::<Directory>().unwrap_err();
    }
    let folder = Folder::new("options");
    let mut program = program(&folder);
    program.check().unwrap();
    for wrong in ["NAME", "=value", ""] {
        program.env = vec![wrong.into()];
        program.check().unwrap_err();
    }
}
