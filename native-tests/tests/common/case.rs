//! Runs one case of the suite in a process of its own, as hosts of guests do: a case may exhaust
//! its process's descriptors, and one that hangs is ended without the others.
//!
//! The process is this test binary once more, with the case's name in its environment. The crate
//! that includes this file calls the suite `suite`.

use std::io::Write;
use std::process::{Command, exit};
use std::time::Duration;
use std::{env, io, thread};

use crate::suite::{self, Outcome};

/// What a host of guests gives each case, too; and for Windows, whose calls are slow under Wine.
const LIMIT: Duration = Duration::from_secs(if cfg!(windows) { 30 } else { 10 });
const CASE: &str = "MIO_WASI_TEST_CASE";
const SKIPPED: i32 = 77;
const TOO_LONG: i32 = 78;

/// What became of a case.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Skipped,
    /// With everything that it said.
    Failed(String),
}

/// Runs the case that the calling test is named after, here if this is its process.
pub fn run(name: &str) -> Verdict {
    if env::var_os(CASE).is_some() {
        run_here(name);
        return Verdict::Passed;
    }
    let output = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CASE, name)
        .output()
        .expect("this test again");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // Without this line a wrong name, which runs no test at all, would pass for success.
    let began = said.lines().any(|line| line == format!("case {name}"));
    match output.status.code() {
        Some(0) if began => Verdict::Passed,
        Some(SKIPPED) => {
            let why = said.lines().find(|line| line.starts_with("skipped: "));
            // Past the harness, which keeps what a test that passes prints.
            let _ = writeln!(io::stderr(), "{name}: {}", why.unwrap_or("skipped"));
            Verdict::Skipped
        }
        _ => Verdict::Failed(format!("{name}: {}\n{said}", output.status)),
    }
}

fn run_here(name: &str) {
    let case = suite::case(name).unwrap_or_else(|| panic!("there is no case {name}"));
    thread::spawn(|| {
        thread::sleep(LIMIT);
        eprintln!("the case has not ended in {LIMIT:?}");
        exit(TOO_LONG);
    });
    limit_descriptors();
    println!("\ncase {name}");
    if let Outcome::Skipped(why) = (case.run)() {
        println!("\nskipped: {why}");
        exit(SKIPPED);
    }
}

/// A descriptor table that a case can fill, as most shells set it.
#[cfg(unix)]
fn limit_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls take a pointer to a struct that lives through them.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max.min(1024);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// There is no such limit.
#[cfg(not(unix))]
fn limit_descriptors() {}
