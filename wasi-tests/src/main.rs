//! The guest's entry, which runs natively too: `suite --list` names the cases, `suite CASE` runs
//! one. It exits with 0 when the case passed and with 77 when it was skipped; a failed case
//! panics.

use std::io::Write;
use std::panic;
use std::process::{self, ExitCode};

use wasi_tests::{CASES, Outcome};

/// What test drivers understand as "skipped".
const SKIPPED: u8 = 77;
/// What the library's errors say where a call needs the feature, and where it has it not.
const FEATURE: &str = "build mio_wasi with its feature `wasmedge`";
const PLAIN: bool = cfg!(all(target_env = "p1", not(feature = "wasmedge")));

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
    if PLAIN {
        skip_what_needs_wasmedge();
    }
    match (case.run)() {
        Outcome::Passed => ExitCode::SUCCESS,
        Outcome::Skipped(why) => {
            println!("skipped: {why}");
            ExitCode::from(SKIPPED)
        }
    }
}

/// Standard preview 1 opens no socket. A case that needs one finds that out by an error, on which
/// it panics: that it was skipped is said in place of the panic.
fn skip_what_needs_wasmedge() {
    let fail = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        if text.is_some_and(|text| text.contains(FEATURE)) {
            println!("skipped: standard preview 1 cannot bind or connect a socket");
            process::exit(SKIPPED.into());
        }
        fail(panic);
    }));
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
