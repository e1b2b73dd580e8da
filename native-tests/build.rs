//! Writes the compile-time form of the target's API list for `tests/api.rs`, and its planted
//! defects for the doc tests of this package. The lists are mio's; what checks the API builds from
//! this file.

#[path = "api/assertions.rs"]
mod assertions;

use std::path::PathBuf;
use std::{env, fs};

/// The lists, and the systems that each is for: those where mio has just these items. For guests
/// this file is run as well, though nobody compares there: std has not all that mio takes.
const LISTS: &[(&str, &str, &[&str])] = &[
    (
        "linux.txt",
        include_str!("api/linux.txt"),
        &["linux", "android", "wasi"],
    ),
    (
        "macos.txt",
        include_str!("api/macos.txt"),
        &["macos", "ios", "tvos", "visionos", "watchos", "dragonfly"],
    ),
    ("freebsd.txt", include_str!("api/freebsd.txt"), &["freebsd"]),
    ("windows.txt", include_str!("api/windows.txt"), &["windows"]),
];

/// Lines to add to the list: whoever sets it wants to see that they are found.
const ADDED: &str = "MIO_WASI_API_ADDED";

/// Wrong lines, each as it would stand in the list after the line that opens its impl. None of
/// them may compile, or the assertions would let a defect of that kind through.
const PLANTED: &[(&str, &str)] = &[
    ("a missing module", "pub mod mio::nowhere"),
    ("a missing type", "pub struct mio::Socket"),
    (
        "a missing method",
        "impl mio::Waker\npub fn mio::Waker::wait(&self) -> core::option::Option<()>",
    ),
    (
        "an argument more",
        "impl mio::Poll\npub fn mio::Poll::new(u32) -> std::io::error::Result<mio::Poll>",
    ),
    (
        "another receiver",
        "impl mio::Events\npub fn mio::Events::clear(self)",
    ),
    (
        "another return type",
        "impl mio::Events\npub fn mio::Events::capacity(&self) -> u32",
    ),
    (
        "a generic function listed as a plain one",
        "impl mio::net::UnixStream\npub fn mio::net::UnixStream::connect(std::path::PathBuf) \
         -> std::io::error::Result<mio::net::UnixStream>",
    ),
    (
        "a plain function listed as a generic one",
        "impl mio::Poll\npub fn mio::Poll::new<P: core::convert::AsRef<std::path::Path>>() \
         -> std::io::error::Result<mio::Poll>",
    ),
    (
        "a function that is not const",
        "impl mio::Interest\npub const fn mio::Interest::remove(self, mio::Interest) \
         -> core::option::Option<mio::Interest>",
    ),
    (
        "a missing trait impl",
        "impl core::clone::Clone for mio::Waker",
    ),
    (
        "another associated type",
        "impl<'a> core::iter::traits::collect::IntoIterator for &'a mio::Events\n\
         pub type &'a mio::Events::Item = mio::event::Event",
    ),
    (
        "a constant of another type",
        "impl mio::Interest\npub const mio::Interest::READABLE: mio::Token",
    ),
    ("another tuple field", "pub struct mio::Token(pub u64)"),
];

fn main() {
    println!("cargo::rerun-if-env-changed={ADDED}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let list = list() + &env::var(ADDED).unwrap_or_default();
    let code = generate("the list", &list);
    fs::write(out.join("api.rs"), code).expect("OUT_DIR is writable");
    fs::write(out.join("api.txt"), &list).expect("OUT_DIR is writable");
    fs::write(out.join("planted.md"), planted(&list)).expect("OUT_DIR is writable");
}

/// The list of the target. All of them are read: one that cannot be should not wait for its target.
fn list() -> String {
    let system = env::var("CARGO_CFG_TARGET_OS").expect("cargo tells the target");
    for (name, list, _) in LISTS {
        generate(name, list);
    }
    let found = LISTS.iter().find(|(.., of)| of.contains(&&*system));
    let (_, list, _) = found.unwrap_or_else(|| panic!("there is no API list for {system}"));
    shown(list)
}

fn generate(name: &str, lines: &str) -> String {
    assertions::generate(lines).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// The list, less what poll(2) has not: where the kernel keeps no queue, it has no descriptor.
fn shown(list: &str) -> String {
    if env::var_os("CARGO_CFG_MIO_UNSUPPORTED_FORCE_POLL_POLL").is_none() {
        return list.into();
    }
    let queue = |line: &&str| {
        let poller = line.contains("mio::Poll") || line.contains("mio::Registry");
        poller
            && ["Fd for ", "::as_fd(", "::as_raw_fd("]
                .iter()
                .any(|part| line.contains(part))
    };
    let lines = list.lines().filter(|line| !queue(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// One `compile_fail` block per planted defect, and the list's own lines once as the control.
fn planted(list: &str) -> String {
    let mut text = String::new();
    for (name, lines) in PLANTED {
        let code = generate(name, lines);
        text += &format!("The checker finds {name}:\n```compile_fail\n{code}\n```\n");
    }
    let control = generate("the list", list);
    text + &format!("It finds nothing in the list itself:\n```\n{control}\n```\n")
}
