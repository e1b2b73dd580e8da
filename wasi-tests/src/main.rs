//! The guest's entry, which runs natively too: `suite --list` names the cases, `suite CASE` runs
//! one. It exits with 0 when the case passed and with 77 when it was skipped; a failed case
//! panics.

use std::io::Write;
use std::process::ExitCode;

use wasi_tests::{CASES, Outcome};

/// What test drivers understand as "skipped".
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    if argument == "--list" {
        list();
        return ExitCode::SUCCESS;
    }
    let Some(case) = CASES.iter().find(|case| case.name == argument) else {
        eprintln!("usage: suite --list | suite CASE; there is no case `{argument}`");
        return ExitCode::from(2);
    };
    match (case.run)() {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Skipped(why) => {
            println!("skipped: {why}");
            ExitCode::from(SKIPPED)
        }
    }
}

/// One case per line, with its flags after a tab. A fault that it is not to meet is a flag as well.
fn list() {
    let lines = CASES.iter().map(|case| {
        let spared = wasi_tests::spared(case).map(|fault| format!("not-{fault}"));
        let flags: Vec<String> = case
            .flags
            .iter()
            .map(|flag| (*flag).into())
            .chain(spared)
            .collect();
        match &flags[..] {
            [] => format!("{}\n", case.name),
            flags => format!("{}\t{}\n", case.name, flags.join(",")),
        }
    });
    let text: String = lines.collect();
    std::io::stdout()
        .write_all(text.as_bytes())
        .expect("standard output is open");
}
