//! The list of ways: each with what it builds for, what the compiler is told, and what it leaves
//! out. A further way is one more entry here.

use anyhow::Result;

use crate::prepare::machine::{self, Machine};
use crate::prepare::wine;

/// One way to build and run the native tests: a row of the table.
#[derive(Debug)]
pub struct Way {
    /// The row's name.
    pub name: &'static str,
    /// The folder below `target/ways` where it is built: flags must not disturb another's build.
    pub folder: &'static str,
    /// Whether it belongs to `--full`, and not to every run.
    pub full: bool,
    /// A file of the library and a word in it, without which other code than the row says would
    /// be tested, and would pass.
    pub needs: Option<(&'static str, &'static str)>,
    /// The machine that it is for, if that is not this one as it stands.
    pub machine: Option<fn() -> Result<Machine>>,
    pub rustflags: &'static str,
    /// What cargo is told besides.
    pub args: &'static [&'static str],
    /// Whether the flags are unstable: a stable compiler has what they ask for, and wants to be
    /// asked by a variable, too.
    pub unstable: bool,
    /// Whether it is optimized a little: what is emulated takes many minutes as it is.
    pub optimized: bool,
    /// Packages whose every test runs before those of `native-tests`.
    pub packages: &'static [&'static str],
    pub left_out: &'static [LeftOut],
}

/// A test file of `native-tests` that has no meaning in a way, or that takes too long.
#[derive(Debug)]
pub struct LeftOut {
    pub test: &'static str,
    pub why: &'static str,
    /// Whether a run in full has it.
    pub in_full: bool,
}

const fn never(test: &'static str, why: &'static str) -> LeftOut {
    LeftOut {
        test,
        why,
        in_full: false,
    }
}

const fn in_full(test: &'static str) -> LeftOut {
    LeftOut {
        test,
        why: "its build takes long: it is for a run in full",
        in_full: true,
    }
}

const HOUSE: LeftOut = never(
    "house",
    "it reads the project's files, which are the same here",
);
const NOT_COUNTED: LeftOut = never(
    "instructions",
    "it counts instructions, and a sanitizer's would be counted along",
);
const SIMULATED: LeftOut = never(
    "wasi_wait",
    "its host is simulated: no other queue has a part in it",
);
const SIGNALS: LeftOut = never("signals", "Windows has no such signals");

/// What most have.
pub const PLAIN: Way = Way {
    name: "",
    folder: "",
    full: true,
    needs: None,
    machine: None,
    rustflags: "",
    args: &[],
    unstable: false,
    optimized: false,
    packages: &[],
    left_out: &[],
};

/// What sanitizers have in common.
const SANITIZED: Way = Way {
    unstable: true,
    left_out: &[HOUSE, NOT_COUNTED],
    ..PLAIN
};

pub const WAYS: &[Way] = &[
    Way {
        name: "kqueue (model)",
        folder: "kqueue",
        full: false,
        needs: Some(("src/sys/unix/mod.rs", "mio_kqueue_model")),
        rustflags: "--cfg mio_kqueue_model",
        left_out: &[
            HOUSE,
            never(
                "instructions",
                "it counts instructions, and the model's would be counted along",
            ),
            SIMULATED,
            in_full("runtime"),
        ],
        ..PLAIN
    },
    Way {
        name: "poll(2)",
        folder: "poll",
        full: false,
        needs: Some(("src/sys/unix/mod.rs", "mio_unsupported_force_poll_poll")),
        // Mio's own name for it, so that instructions are counted against its adapter.
        rustflags: "--cfg mio_unsupported_force_poll_poll",
        left_out: &[HOUSE, SIMULATED, in_full("runtime")],
        ..PLAIN
    },
    Way {
        name: "i686",
        folder: "i686",
        machine: Some(machine::i686),
        left_out: &[
            HOUSE,
            never("instructions", "they are counted on one machine, x86-64"),
            never(
                "wasi_wait",
                "a guest's u64 is aligned by 8, i686's by 4: its structures cannot be laid out",
            ),
        ],
        ..PLAIN
    },
    Way {
        name: "aarch64 (qemu)",
        folder: "aarch64",
        machine: Some(machine::aarch64),
        optimized: true,
        left_out: &[
            HOUSE,
            never("instructions", "they are counted on one machine, x86-64"),
        ],
        ..PLAIN
    },
    Way {
        name: "ThreadSanitizer",
        folder: "thread-sanitizer",
        machine: Some(machine::with_source),
        rustflags: "-Zsanitizer=thread",
        // It must know what std's own threads wait for.
        args: &["-Zbuild-std"],
        left_out: &[
            HOUSE,
            NOT_COUNTED,
            never("wasi_wait", "it has one thread, so nothing can race"),
        ],
        ..SANITIZED
    },
    Way {
        name: "AddressSanitizer",
        folder: "address-sanitizer",
        rustflags: "-Zsanitizer=address",
        // With a target the flags are not for build scripts, which need not run with it.
        args: &["--target=x86_64-unknown-linux-gnu"],
        packages: &["mio_wasi"],
        ..SANITIZED
    },
    Way {
        name: "Windows (Wine 10)",
        folder: "windows",
        needs: Some(("src/sys/mod.rs", "windows/mod.rs")),
        machine: Some(wine::windows),
        // Without the loops whose instructions are counted, which are written for Unix.
        args: &["--no-default-features"],
        left_out: &[
            HOUSE,
            SIGNALS,
            SIMULATED,
            never("instructions", "they are counted on one machine, on Linux"),
            never("queue", "it asks through what Unix alone has"),
            never("unix", "it tests what Unix alone has"),
            never("upgrade", "what it compares is Unix's alone"),
        ],
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_ways_share_a_name_or_a_folder() {
        for field in [|way: &Way| way.name, |way: &Way| way.folder] {
            let all: HashSet<&str> = WAYS.iter().map(field).collect();
            assert_eq!(all.len(), WAYS.len());
            assert!(!all.contains(""));
        }
    }

    #[test]
    fn every_way_runs_the_cases() {
        let left_out = WAYS.iter().flat_map(|way| way.left_out);
        for LeftOut { test, why, .. } in left_out {
            assert_ne!(*test, "conformance");
            assert!(!why.is_empty(), "{test}");
        }
    }

    #[test]
    fn unstable_flags_are_known_as_such() {
        for way in WAYS {
            let flags = way.args.iter().chain([&way.rustflags]);
            let unstable = flags.into_iter().any(|flag| flag.contains("-Z"));
            assert_eq!(unstable, way.unstable, "{}", way.name);
        }
    }
}
