//! The house rules, checked: sizes, where unsafe code, foreign calls and operating systems may
//! be named, what every file opens with, and what no file mentions. Each check also has a sample
//! that it must find fault with and one that it must not, so none can go blind unnoticed.

mod find;

use std::fs;
use std::path::{Path, PathBuf};

const CFG_LINES_IN_SRC: usize = 40;
/// Those of the guest's host and of Unix; and those of Windows, which shares least with the rest.
const LINES_IN_SRC: usize = 6_000;
const LINES_FOR_WINDOWS: usize = 1_500;
const LINES_PER_FILE: usize = 500;
const LINES_PER_FUNCTION: usize = 70;
const COLUMNS: usize = 100;

/// Where the library may use unsafe code.
const UNSAFE_FILES: &[&str] = &[
    "src/forward.rs",
    "src/net/forward.rs",
    "src/sys/unix/epoll.rs",
    "src/sys/unix/kqueue.rs",
    "src/sys/unix/mod.rs",
    "src/sys/unix/open_bare.rs",
    "src/sys/unix/pipe.rs",
    "src/sys/unix/poll.rs",
    "src/sys/unix/socket.rs",
    "src/sys/wasi/abi.rs",
    "src/sys/wasi/abi/sock.rs",
    "src/sys/wasi/abi/sock/standard.rs",
    "src/sys/wasi/abi/sock/wasmedge.rs",
    "src/sys/wasi/component.rs",
    "src/sys/wasi/streams.rs",
    "src/sys/windows/afd.rs",
    "src/sys/windows/iocp.rs",
    "src/sys/windows/named_pipe.rs",
    "src/sys/windows/port.rs",
    "src/sys/windows/socket.rs",
];
/// Where the library may declare foreign functions.
const EXTERN_FILE: &str = "src/sys/wasi/abi/sock/wasmedge.rs";

/// What nothing in the project mentions: servers that only package managers are to know, paths of
/// a machine, documents that are not here. In pieces, so that this file does not mention them.
const FORBIDDEN: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("static.", "rust-lang.org"),
    concat!("deb.", "debian.org"),
    concat!("pypi", ".org"),
    concat!("registry.", "npmjs.org"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/tmp", "/env"),
    concat!("../sha", "red"),
    concat!("style", ".md"),
    concat!("platforms", ".md"),
    concat!("wasmedge-", "abi.md"),
];

/// Cargo's own commands that the README may name beside the aliases.
const CARGO_COMMANDS: &[&str] = &[
    "add", "build", "check", "clippy", "doc", "fmt", "install", "new", "run", "test", "update",
];

/// A file of the project, by its path from the root.
struct Source {
    path: String,
    text: String,
}

/// A line's number and what is wrong with it.
type Fault = (usize, String);

struct Check {
    name: &'static str,
    /// The files it is for.
    of: fn(&str) -> bool,
    find: fn(&Source) -> Vec<Fault>,
    /// A path, and a text that is at fault and one that is not in a file of that path.
    path: &'static str,
    wrong: fn() -> String,
    right: fn() -> String,
}

const CHECKS: &[Check] = &[
    Check {
        name: "a file opens by saying what it is",
        of: is_rust,
        find: find::opening,
        path: "src/a.rs",
        wrong: || "use std::io;\n//! Too late.\n".into(),
        right: || "//! What it is.\n".into(),
    },
    Check {
        name: "files are short",
        of: is_rust,
        find: find::file_length,
        path: "src/a.rs",
        wrong: || "\n".repeat(LINES_PER_FILE + 1),
        right: || "\n".repeat(LINES_PER_FILE),
    },
    Check {
        name: "functions are short",
        of: is_rust,
        find: find::function_lengths,
        path: "src/a.rs",
        wrong: || {
            format!(
                "macro_rules! m {{ () => {{ fn $f() {{{}}} }} }}",
                "\n".repeat(70)
            )
        },
        right: || format!("fn f() {{{}}}", "\n".repeat(69)),
    },
    Check {
        name: "lines are short and hold no tabs",
        of: is_rust,
        find: find::columns,
        path: "src/a.rs",
        wrong: || "\tlet x;".into(),
        right: || "    let x;".into(),
    },
    Check {
        name: "unsafe code stays where it belongs",
        of: in_src,
        find: find::unsafe_files,
        path: "src/sys/wasi/table.rs",
        wrong: || "fn f() { unsafe { g() } }".into(),
        right: || "#![deny(unsafe_code)] // unsafe\nfn unsafe_name() { \"unsafe\"; }".into(),
    },
    Check {
        name: "every unsafe block and impl says why it is sound",
        of: is_rust,
        find: find::unsafe_reasons,
        path: "src/sys/wasi/abi.rs",
        wrong: || "// SAFETY: another's.\nlet y = 1;\nlet x =\n    unsafe { g() };".into(),
        right: || {
            "// SAFETY: because\n// of this.\nlet x =\n    unsafe { g() };\nunsafe fn f() {}".into()
        },
    },
    Check {
        name: "foreign functions are declared in one file",
        of: in_src,
        find: find::extern_blocks,
        path: "src/sys/wasi/socket.rs",
        wrong: || "unsafe extern \"C\" { fn f(); }".into(),
        right: || "extern crate std; extern \"C\" fn f() {} type F = extern \"C\" fn();".into(),
    },
    Check {
        name: "operating systems are named below sys only",
        of: |path| in_src(path) && !path.starts_with("src/sys/"),
        find: find::operating_systems,
        path: "src/poll.rs",
        wrong: || "#[cfg(not(target_os = \"wasi\"))] fn f() {}".into(),
        right: || "#[cfg(unix)] fn target_os_free() {} // target_os".into(),
    },
    Check {
        name: "dead code is removed, not allowed",
        of: is_rust,
        find: find::dead_code,
        path: "src/a.rs",
        wrong: || "#![cfg_attr(unix, allow(unused, dead_code))]".into(),
        right: || "#[allow(unused_imports)] use dead_code; // allow(dead_code)".into(),
    },
    Check {
        name: "what is left to do has a number",
        of: |_| true,
        find: find::unnumbered,
        path: "README.md",
        wrong: || concat!("later: TO", "DO").into(),
        right: || concat!("later: TO", "DO(#12), in one or two Todos").into(),
    },
    Check {
        name: "nothing mentions a machine or a server of packages",
        of: |_| true,
        find: find::forbidden,
        path: "README.md",
        wrong: || concat!("see https://static.", "rust-lang.org/dist").into(),
        right: || "see https://docs.rs and /tmp".into(),
    },
];

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn in_src(path: &str) -> bool {
    path.starts_with("src/") && is_rust(path)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_path_buf()
}

/// Every text of the project, without what builds leave behind.
fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let entry = entry.expect("a readable folder");
            let name = entry.file_name();
            if name == ".git" || name == "target" {
                continue;
            }
            if entry.file_type().expect("a readable entry").is_dir() {
                folders.push(entry.path());
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                let path = entry.path();
                let path = path.strip_prefix(&root).expect("below the root");
                let path = path.to_str().expect("a plain name").replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found
}

#[test]
fn every_check_finds_its_fault_and_no_other() {
    for Check {
        name,
        of,
        find,
        path,
        wrong,
        right,
    } in CHECKS
    {
        assert!(of(path), "{name}: its sample is not one of its files");
        let found = |text: String| {
            find(&Source {
                path: (*path).into(),
                text,
            })
        };
        assert_ne!(found(wrong()), [], "{name}: it is blind");
        assert_eq!(found(right()), [], "{name}: it is too strict");
    }
}

#[test]
fn the_house_is_in_order() {
    let sources = sources();
    let mut report = String::new();
    for check in CHECKS {
        let mut files = sources
            .iter()
            .filter(|source| (check.of)(&source.path))
            .peekable();
        assert!(files.peek().is_some(), "{}: no file to look at", check.name);
        for source in files {
            for (line, fault) in (check.find)(source) {
                report += &format!("{}:{line}: {fault} ({})\n", source.path, check.name);
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// A line that decides by configuration, be it an attribute or one of the `cfg_` macros.
fn is_cfg(line: &str) -> bool {
    let code = line.trim_start();
    let named = |rest: &str| {
        rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_')
            .starts_with("! {")
    };
    !code.starts_with("//")
        && (["cfg(", "cfg_attr(", "cfg!("]
            .iter()
            .any(|form| code.contains(form))
            || code.split("cfg_").skip(1).any(named))
}

#[test]
fn cfg_lines_are_recognised() {
    for line in [
        "#[cfg(unix)]",
        "  #![cfg_attr(a, b)]",
        "if cfg!(test) {",
        "cfg_net! {",
    ] {
        assert!(is_cfg(line), "{line}");
    }
    for line in [
        "// #[cfg(unix)]",
        "let cfg = 1;",
        "cfg_net();",
        "//! cfg!(unix)",
    ] {
        assert!(!is_cfg(line), "{line}");
    }
}

#[test]
fn the_library_is_small_and_decides_little_by_configuration() {
    let sources = sources();
    let (windows, others): (Vec<&Source>, Vec<&Source>) = sources
        .iter()
        .filter(|source| in_src(&source.path))
        .partition(|source| source.path.starts_with("src/sys/windows/"));
    let lines = |of: &[&Source]| of.iter().map(|s| s.text.lines().count()).sum::<usize>();
    let cfgs = |source: &&Source| source.text.lines().filter(|line| is_cfg(line)).count();
    let cfg: usize = windows.iter().chain(&others).map(cfgs).sum();
    let (windows, others) = (lines(&windows), lines(&others));
    println!(
        "src: {others} of {LINES_IN_SRC} lines, Windows {windows} of {LINES_FOR_WINDOWS}, \
         {cfg} of {CFG_LINES_IN_SRC} cfg lines"
    );
    assert!(others > 0 && windows > 0);
    assert!(others <= LINES_IN_SRC, "src has {others} lines");
    assert!(windows <= LINES_FOR_WINDOWS, "sys/windows has {windows}");
    assert!(cfg <= CFG_LINES_IN_SRC, "src has {cfg} cfg lines");
}

/// The words after `cargo` where that opens a line or a piece of code.
fn cargo_commands(text: &str) -> Vec<&str> {
    let opens = |before: &str| before.is_empty() || before.ends_with(['`', '\n']);
    let is_word = |c: char| c.is_alphanumeric() || c == '-';
    text.match_indices("cargo ")
        .filter(|(at, _)| opens(&text[..*at]))
        .filter_map(|(at, cargo)| text[at + cargo.len()..].split(|c| !is_word(c)).next())
        .filter(|word| !word.is_empty() && !word.starts_with('-'))
        .collect()
}

/// The names in the `[alias]` table of cargo's configuration.
fn aliases(config: &str) -> Vec<&str> {
    let table = config
        .lines()
        .skip_while(|line| line.trim() != "[alias]")
        .skip(1);
    let table = table.take_while(|line| !line.trim_start().starts_with('['));
    table
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
        .collect()
}

#[test]
fn commands_and_aliases_are_read() {
    let text = "Run `cargo demo`, or:\n```sh\ncargo run-it -x\n```\nas cargo does. `cargo -q`.";
    assert_eq!(cargo_commands(text), ["demo", "run-it"]);
    let config = "[build]\nx = 1\n[alias]\ndemo = \"run\"\nrun-it = [\"a\"]\n[target.y]\nz = 2\n";
    assert_eq!(aliases(config), ["demo", "run-it"]);
}

#[test]
fn the_readmes_commands_exist() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect(path);
    let (readme, config) = (read("README.md"), read(".cargo/config.toml"));
    let (named, aliases) = (cargo_commands(&readme), aliases(&config));
    for command in ["demo", "suite"] {
        assert!(
            named.contains(&command),
            "the README does not name `cargo {command}`"
        );
    }
    for command in named {
        let exists = aliases.contains(&command) || CARGO_COMMANDS.contains(&command);
        assert!(
            exists,
            "the README names `cargo {command}`, which is no command and no alias"
        );
    }
}
