//! What is fuzzed: functions that make of any bytes a program and a host, and panic where the
//! library does what it must not. `native-tests/fuzz` calls them by libFuzzer; the tests here
//! replay what that found worth keeping.

mod answer;
mod program;
#[cfg(test)]
mod replay;
mod table;
mod world;

pub struct Target {
    /// That of its corpus, and of its file in `fuzz_targets`.
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// How many inputs that are made from a seed a run of the tests takes: some seconds' worth.
    #[cfg(test)]
    inputs: usize,
}

pub const TARGETS: [Target; 3] = [
    Target {
        name: "table",
        run: table::table,
        #[cfg(test)]
        inputs: 4_000,
    },
    Target {
        name: "schedule",
        run: schedule,
        #[cfg(test)]
        inputs: 60,
    },
    Target {
        name: "answers",
        run: answers,
        #[cfg(test)]
        inputs: 60,
    },
];

/// Whatever a program does over an honest host: nobody is told what is not so, nobody is forgotten,
/// and everybody is handed over within the stated bounds.
fn schedule(input: &[u8]) {
    program::run(input, false);
}

/// Whatever a host answers: no panic, no spin, nobody is told who is not registered, a wait fails
/// only if the call did; and once the host is honest again, nobody was forgotten.
fn answers(input: &[u8]) {
    program::run(input, true);
}
