//! One test binary over both Mios. What fails here is run again, alone and by turns on both
//! sides; how often it failed is told, whatever the verdict.

use anyhow::{Result, ensure};

use super::binaries::{Binary, Ran, Verdict};

/// How often a test that failed is run again on each side.
const AGAIN: usize = 5;
/// So many failures say that the library is broken: nothing is run again, or any more.
pub const ENOUGH: usize = 10;
/// A name for all tests in one process, whose end is a test too.
const WHOLE: &str = "(all in one process)";

#[derive(Debug, Default)]
pub struct Compared {
    pub name: String,
    pub passed: usize,
    pub passed_there: usize,
    /// Tests with the reason.
    pub ignored: Vec<(String, String)>,
    /// Tests with the reason, here.
    pub failed_both: Vec<(String, String)>,
    /// Tests that only fail here, with what they printed.
    pub failures: Vec<(String, String)>,
    /// What else must be known.
    pub told: Vec<String>,
}

/// How often a test failed when it was run again.
#[derive(Debug, Clone, Copy, Default)]
struct Again {
    times: usize,
    here: usize,
    there: usize,
    /// It did, here; there is no use in waiting for that once more.
    hung: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// It was the machine.
    Passes,
    FailsOnBoth,
    FailsHere,
}

pub fn run(here: &Binary, there: &Binary) -> Result<Compared> {
    let tests = here.tests()?;
    ensure!(
        tests == there.tests()?,
        "it has other tests over {} than over {}",
        here.side,
        there.side
    );
    let ran = here.run(&tests)?;
    let ran_there = there.run(&tests)?;
    let mut compared = Compared {
        name: here.name.clone(),
        passed_there: count_passed(&ran_there),
        ..Compared::default()
    };
    for (test, verdict) in &ran.verdicts {
        let there_too = &ran_there.verdicts[test];
        match verdict {
            Verdict::Passed => {
                compared.passed += 1;
                if let Some(output) = there_too.failure() {
                    let told = format!("{test} fails over {} only: {}", there.side, why(output));
                    compared.tell(told);
                }
            }
            Verdict::Ignored(why) => compared.ignored.push((test.clone(), why.clone())),
            Verdict::Failed(output) | Verdict::Hung(output) => {
                let at_first = there_too.failure().is_some();
                compared.again(here, there, Some(test), output, at_first)?;
            }
        }
    }
    match (&ran.broken, &ran_there.broken) {
        // That tests which hang keep the others from ending is known.
        (Some(_), _) if !compared.failures.is_empty() => {}
        (Some(how), there_too) => compared.again(here, there, None, how, there_too.is_some())?,
        (None, Some(how)) => compared.tell(format!("over {} only: {}", there.side, why(how))),
        (None, None) => {}
    }
    Ok(compared)
}

impl Compared {
    /// Of a binary that comes after enough failures.
    pub fn not_run(name: &str) -> Compared {
        Compared {
            name: name.into(),
            failures: vec![(WHOLE.into(), "not run after so many failures".into())],
            ..Compared::default()
        }
    }

    /// Runs a test again that has failed here, and puts it where it belongs.
    fn again(
        &mut self,
        here: &Binary,
        there: &Binary,
        test: Option<&str>,
        output: &str,
        failed_there: bool,
    ) -> Result<()> {
        let name = test.unwrap_or(WHOLE);
        if self.failures.len() >= ENOUGH {
            self.failures.push((name.into(), output.into()));
            return Ok(());
        }
        let mut again = Again::default();
        while again.times < AGAIN && !again.hung {
            let verdict = here.alone(test)?;
            again.times += 1;
            again.hung = matches!(verdict, Verdict::Hung(_));
            again.here += usize::from(verdict.failure().is_some());
            again.there += usize::from(there.alone(test)?.failure().is_some());
        }
        let told = format!(
            "run again alone {} of {} times, over {} {}: {}",
            again.here,
            again.times,
            there.side,
            again.there,
            why(output)
        );
        match judge(again, failed_there) {
            Judgement::Passes => {
                self.passed += usize::from(test.is_some());
                self.tell(format!("{name} failed here once, and {told}"));
            }
            Judgement::FailsOnBoth => {
                self.failed_both
                    .push((name.into(), format!("fails on both sides, {told}")));
            }
            Judgement::FailsHere => {
                let output = format!("fails here, {told}\n{output}");
                self.failures.push((name.into(), output));
            }
        }
        Ok(())
    }

    fn tell(&mut self, told: String) {
        self.told.push(format!("{}: {told}", self.name));
    }
}

/// A test that never fails there must not fail here twice, and one that always fails here must
/// always fail there.
fn judge(again: Again, failed_there: bool) -> Judgement {
    let never_there = !failed_there && again.there == 0;
    let always_here = again.here == again.times;
    if again.here == 0 {
        Judgement::Passes
    } else if never_there || always_here && again.there < again.times {
        Judgement::FailsHere
    } else {
        Judgement::FailsOnBoth
    }
}

fn count_passed(ran: &Ran) -> usize {
    let verdicts = ran.verdicts.values();
    verdicts
        .filter(|verdict| **verdict == Verdict::Passed)
        .count()
}

/// The line that tells most: what follows the place of a panic, or the first that says anything.
fn why(output: &str) -> &str {
    let mut lines = output.lines().map(str::trim);
    let panic = lines.find(|line| line.contains(" panicked at "));
    let line = panic.and_then(|_| lines.find(|line| !line.is_empty()));
    let first = || output.lines().find(|line| !line.trim().is_empty());
    line.or_else(first).unwrap_or("it says nothing").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(here: usize, failed_there: bool, there: usize) -> Judgement {
        let again = Again {
            times: AGAIN,
            here,
            there,
            hung: false,
        };
        judge(again, failed_there)
    }

    #[test]
    fn what_fails_again_and_never_there_fails() {
        assert_eq!(judged(1, false, 0), Judgement::FailsHere);
        assert_eq!(judged(AGAIN, false, 0), Judgement::FailsHere);
        // Always here, seldom there.
        assert_eq!(judged(AGAIN, true, 1), Judgement::FailsHere);
    }

    #[test]
    fn what_hangs_here_once_more_fails() {
        let again = |there| Again {
            times: 1,
            here: 1,
            there,
            hung: true,
        };
        assert_eq!(judge(again(0), false), Judgement::FailsHere);
        assert_eq!(judge(again(0), true), Judgement::FailsHere);
        assert_eq!(judge(again(1), true), Judgement::FailsOnBoth);
    }

    #[test]
    fn what_fails_there_too_is_not_ours() {
        assert_eq!(judged(AGAIN, true, AGAIN), Judgement::FailsOnBoth);
        assert_eq!(judged(1, true, 0), Judgement::FailsOnBoth);
        assert_eq!(judged(2, false, 1), Judgement::FailsOnBoth);
    }

    #[test]
    fn what_never_fails_again_passes() {
        assert_eq!(judged(0, false, 0), Judgement::Passes);
        assert_eq!(judged(0, true, AGAIN), Judgement::Passes);
    }

    #[test]
    fn the_line_of_a_panic_is_quoted() {
        let output = "noise\nthread 'x' (1) panicked at tests/x.rs:1:2:\n\nno network\nstack";
        assert_eq!(why(output), "no network");
        assert_eq!(why("\nit hung\nmore"), "it hung");
        assert_eq!(why(""), "it says nothing");
    }
}
