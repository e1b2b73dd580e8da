//! What the fuzzers found worth keeping, again, and some thousand inputs made from a seed: so each
//! run of the tests does some of their work.

use std::fs;
use std::path::Path;

use super::TARGETS;

/// How many inputs are made for each target, and how long they are at most.
const INPUTS: u64 = 600;
const LONGEST: u64 = 400;

#[test]
fn what_was_found_worth_keeping() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, run) in TARGETS {
        let Ok(files) = fs::read_dir(corpus.join(name)) else {
            // A guest sees no folder of the machine.
            assert!(cfg!(target_os = "wasi"), "no corpus of {name}");
            println!("what_was_found_worth_keeping: skipped: a guest has no files");
            return;
        };
        let mut count = 0;
        for file in files {
            let path = file.expect("a readable folder").path();
            println!("{}", path.display());
            run(&fs::read(path).expect("a readable file"));
            count += 1;
        }
        assert!(count > 10, "{count} files of {name}");
    }
}

/// The same inputs in each run: numbers by xorshift.
#[test]
fn what_a_seed_makes() {
    for (name, run) in TARGETS {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for number in 0..INPUTS {
            let length = next() % LONGEST;
            let input: Vec<u8> = (0..length).map(|_| (next() >> 24) as u8).collect();
            println!("{name} {number}");
            fs::write("/tmp/fz/last", &input).unwrap();
            run(&input);
        }
    }
}

#[test]
fn one_of_them() {
    let name = std::env::var("ONE").unwrap();
    let run = TARGETS.iter().find(|t| t.0 == name).unwrap().1;
    run(&fs::read("/tmp/fz/last").unwrap());
}
