//! What `cargo test` prints, as figures.

/// One test binary, or one package's doc tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Binary {
    /// As cargo names it: `unittests src/lib.rs`, `tests/threads.rs`, `Doc-tests mio`.
    pub name: String,
    pub passed: usize,
    pub failed: usize,
    /// Whether it reached its closing line; one that was killed or crashed did not.
    pub ended: bool,
    /// Tests that were not run, or gave up, with their reasons.
    pub skipped: Vec<(String, String)>,
    /// Failed tests with what they printed.
    pub failures: Vec<(String, String)>,
    /// Those of `skipped` that libtest calls passed.
    pub gave_up: usize,
}

/// The binaries in the output of `cargo test`, both streams in one.
pub fn parse(output: &str) -> Vec<Binary> {
    let mut binaries: Vec<Binary> = Vec::new();
    let mut in_failure = false;
    for line in output.lines() {
        if let Some(name) = binary_name(line.trim()) {
            binaries.push(Binary {
                name,
                ..Binary::default()
            });
            in_failure = false;
            continue;
        }
        let Some(current) = binaries.last_mut() else {
            continue;
        };
        if let Some((passed, failed)) = closing_line(line) {
            current.passed += passed;
            current.failed += failed;
            current.ended = true;
        } else if let Some(name) = failure(line) {
            // A test that runs a test binary may quote such a line about itself.
            if current.failures.iter().all(|(known, _)| *known != name) {
                current.failures.push((name, String::new()));
            }
            in_failure = true;
        } else if line == "failures:" {
            in_failure = false;
        } else if in_failure {
            if let Some((_name, output)) = current.failures.last_mut() {
                output.push_str(line);
                output.push('\n');
            }
        } else if let Some(skipped) = ignored(line) {
            current.skipped.push(skipped);
        } else if let Some(skipped) = gave_up(line) {
            current.gave_up += 1;
            current.skipped.push(skipped);
        }
    }
    for binary in &mut binaries {
        binary.passed = binary.passed.saturating_sub(binary.gave_up);
    }
    binaries
}

/// `---- name stdout ----` opens what a failed test has printed.
fn failure(line: &str) -> Option<String> {
    Some(
        line.strip_prefix("---- ")?
            .strip_suffix(" stdout ----")?
            .to_string(),
    )
}

fn binary_name(line: &str) -> Option<String> {
    if let Some(crate_name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("Doc-tests {crate_name}"));
    }
    let (name, file) = line.strip_prefix("Running ")?.rsplit_once(" (")?;
    file.ends_with(')').then(|| name.to_string())
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; …`. The suite never filters, so a line that
/// tells of filtered tests is a quotation in some test's output.
fn closing_line(line: &str) -> Option<(usize, usize)> {
    let (_verdict, figures) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let figure = |name: &str| -> Option<usize> {
        let part = figures
            .split(';')
            .find_map(|part| part.trim().strip_suffix(name))?;
        part.trim().parse().ok()
    };
    (figure("filtered out")? == 0).then_some((figure("passed")?, figure("failed")?))
}

/// `test name ... ignored` or `test name ... ignored, reason`.
fn ignored(line: &str) -> Option<(String, String)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let reason = verdict.strip_prefix("ignored")?;
    let reason = reason
        .strip_prefix(", ")
        .unwrap_or("ignored, and the test does not say why");
    Some((name.into(), reason.into()))
}

/// `case: skipped: reason`: what a driver of the suite's cases prints for one that gives up.
fn gave_up(line: &str) -> Option<(String, String)> {
    let (name, why) = line.split_once(": skipped: ")?;
    let one_word = !name.is_empty() && !name.contains(char::is_whitespace);
    one_word.then(|| (name.into(), why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "   Compiling mio_wasi v0.8.10 (/p)
    Finished `test` profile [unoptimized + debuginfo] target(s) in 2.27s
     Running unittests src/lib.rs (target/debug/deps/mio-1a2b)

running 3 tests
test table::one ... ok
test table::two ... ignored, needs a host
test table::three ... FAILED

failures:

---- table::three stdout ----
assertion failed at src/table.rs:7
---- table::three stdout ----
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.01s
test like ... ignored, in its output

failures:
    table::three

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

     Running tests/crash.rs (target/debug/deps/crash-3c4d)

running 1 test
   Doc-tests mio

running 1 test
test src/poll.rs - poll::Poll (line 12) - compile ... ok
test src/poll.rs - x (line 3) ... ignored
tcp::v6: skipped: no IPv6 here

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.20s
";

    #[test]
    fn every_binary_is_counted() {
        let binaries = parse(OUTPUT);
        let names: Vec<_> = binaries.iter().map(|binary| &*binary.name).collect();
        assert_eq!(
            names,
            ["unittests src/lib.rs", "tests/crash.rs", "Doc-tests mio"]
        );
        assert_eq!((binaries[0].passed, binaries[0].failed), (1, 1));
        assert_eq!((binaries[2].passed, binaries[2].failed), (1, 0));
    }

    #[test]
    fn a_crash_has_no_closing_line() {
        let ended: Vec<_> = parse(OUTPUT).iter().map(|binary| binary.ended).collect();
        assert_eq!(ended, [true, false, true]);
    }

    #[test]
    fn ignored_tests_keep_their_reasons() {
        let binaries = parse(OUTPUT);
        let reason = ("table::two".to_string(), "needs a host".to_string());
        assert_eq!(binaries[0].skipped, [reason]);
        assert!(binaries[2].skipped[0].1.contains("does not say why"));
        assert_eq!(binaries[2].skipped[0].0, "src/poll.rs - x (line 3)");
    }

    #[test]
    fn a_case_that_gives_up_is_skipped_and_not_passed() {
        let doc_tests = &parse(OUTPUT)[2];
        assert_eq!(doc_tests.passed, 1);
        assert_eq!(
            doc_tests.skipped[1],
            ("tcp::v6".to_string(), "no IPv6 here".to_string())
        );
    }

    #[test]
    fn failures_keep_their_output() {
        let failures = &parse(OUTPUT)[0].failures;
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].0, "table::three");
        assert!(
            failures[0]
                .1
                .starts_with("assertion failed at src/table.rs:7\n")
        );
    }

    #[test]
    fn a_test_that_prints_such_words_is_no_closing_line() {
        assert_eq!(closing_line("test result: perhaps"), None);
        assert_eq!(closing_line("3 passed; 0 failed"), None);
        assert_eq!(binary_name("Running late"), None);
    }
}
