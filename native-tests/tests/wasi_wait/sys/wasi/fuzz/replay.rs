//! What the fuzzers found worth keeping, again, and inputs made from a seed: so each run of the
//! tests does some of their work.

use std::panic::catch_unwind;

use super::{TARGETS, Target};

/// The longest input that is made.
const LENGTH: u64 = 400;

fn run(target: &Target, input: &[u8], what: &str) {
    let ran = catch_unwind(|| (target.run)(input));
    assert!(ran.is_ok(), "{} fails with {what}", target.name);
}

/// A guest sees no folder of the machine, and has the other test alone.
#[cfg(not(target_os = "wasi"))]
#[test]
fn what_was_found_worth_keeping() {
    use std::fs;
    use std::path::Path;

    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for target in &TARGETS {
        let folder = corpus.join(target.name);
        let mut count = 0;
        for file in fs::read_dir(&folder).expect("the target has a corpus") {
            let path = file.expect("a readable folder").path();
            let input = fs::read(&path).expect("a readable file");
            run(target, &input, &path.display().to_string());
            count += 1;
        }
        assert!(count > 10, "{count} files in {}", folder.display());
    }
}

/// The same inputs in each run: numbers by xorshift.
#[test]
fn what_a_seed_makes() {
    for target in &TARGETS {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for number in 0..target.inputs {
            let length = next() % LENGTH;
            let input: Vec<u8> = (0..length).map(|_| (next() >> 24) as u8).collect();
            run(target, &input, &format!("the seed's input {number}"));
        }
    }
}
