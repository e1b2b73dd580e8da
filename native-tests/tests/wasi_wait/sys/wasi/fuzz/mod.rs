//! What is fuzzed: functions that make of any bytes a program and a host, and panic where the
//! library does what it must not. `native-tests/fuzz` calls them by libFuzzer; the tests here
//! replay what that found worth keeping.

mod answer;
mod program;
#[cfg(test)]
mod replay;
mod table;
mod world;

/// By the name of its corpus and of its file in `fuzz_targets`.
pub const TARGETS: [(&str, fn(&[u8])); 3] = [
    ("table", table::table),
    ("schedule", schedule),
    ("answers", answers),
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
