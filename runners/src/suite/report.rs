//! What passed, failed and was skipped, where; and how it is shown.

use std::fmt::Write;

use anyhow::Error;

use crate::explain::explain;
use crate::process;

/// The verdict on one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// With what it printed, or why.
    Failed(String),
    /// With the reason.
    Skipped(String),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    pub name: String,
    pub tally: Tally,
    failures: Vec<String>,
    skips: Vec<(String, String)>,
}

impl Row {
    pub fn new(name: &str) -> Row {
        let tally = Tally::default();
        Row {
            name: name.into(),
            tally,
            failures: Vec::new(),
            skips: Vec::new(),
        }
    }

    /// A row that could not even start.
    pub fn failed(name: &str, step: &str, error: &Error) -> Row {
        let mut row = Row::new(name);
        row.add(step, Outcome::Failed(explain(error)));
        row
    }

    /// Counts one verdict. A failure's output is shown at once: nobody should wait for it.
    pub fn add(&mut self, case: &str, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.tally.passed += 1,
            Outcome::Failed(output) => {
                eprintln!(
                    "FAILED  {}: {case}\n{}",
                    self.name,
                    process::indent(&output)
                );
                self.tally.failed += 1;
                self.failures.push(case.into());
            }
            Outcome::Skipped(why) => {
                self.tally.skipped += 1;
                self.skips.push((case.into(), why));
            }
        }
    }

    /// Counts many that passed.
    pub fn add_passed(&mut self, count: usize) {
        self.tally.passed += count;
    }
}

#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Something to be read at the end, and now.
    pub fn note(&mut self, note: &str) {
        eprintln!("  {note}");
        self.notes.push(note.into());
    }

    pub fn total(&self) -> Tally {
        self.rows.iter().fold(Tally::default(), |sum, row| Tally {
            passed: sum.passed + row.tally.passed,
            failed: sum.failed + row.tally.failed,
            skipped: sum.skipped + row.tally.skipped,
        })
    }

    /// Prints everything; the last line is the closing line.
    pub fn finish(&self) {
        print!("{}", self.text());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.list_skips(&mut text);
        for note in &self.notes {
            let _ = writeln!(text, "\nnote: {note}");
        }
        for row in self.rows.iter().filter(|row| !row.failures.is_empty()) {
            let _ = writeln!(text, "\nfailed, {}:", row.name);
            for case in &row.failures {
                let _ = writeln!(text, "    {case}");
            }
        }
        let width = self
            .rows
            .iter()
            .map(|row| row.name.len())
            .max()
            .unwrap_or(0);
        let _ = writeln!(text, "\n{:width$}  passed  failed  skipped", "");
        for row in &self.rows {
            let Tally {
                passed,
                failed,
                skipped,
            } = row.tally;
            let _ = writeln!(
                text,
                "{:width$}  {passed:6}  {failed:6}  {skipped:7}",
                row.name
            );
        }
        let Tally {
            passed,
            failed,
            skipped,
        } = self.total();
        let _ = writeln!(
            text,
            "\n{passed} passed, {failed} failed, {skipped} skipped"
        );
        text
    }

    /// Neighbours with one reason, such as all cases of an absent host, share a line.
    fn list_skips(&self, text: &mut String) {
        for row in self.rows.iter().filter(|row| !row.skips.is_empty()) {
            let _ = writeln!(text, "\nskipped, {}:", row.name);
            for group in row.skips.chunk_by(|a, b| a.1 == b.1) {
                let (case, why) = &group[0];
                let _ = match group.len() {
                    1 => writeln!(text, "    {case}: {why}"),
                    count => writeln!(text, "    {case} and {} more: {why}", count - 1),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Report {
        let mut report = Report::default();
        let mut row = Row::new("here");
        row.add("one", Outcome::Passed);
        row.add("two", Outcome::Skipped("no such call".into()));
        row.add("three", Outcome::Skipped("no such call".into()));
        report.push(row);
        let mut row = Row::new("a longer name");
        row.add_passed(10);
        report.push(row);
        report
    }

    #[test]
    fn the_closing_line_stands_alone_at_the_end() {
        let text = sample().text();
        assert_eq!(text.lines().last(), Some("11 passed, 0 failed, 2 skipped"));
        assert!(
            text.contains("\nhere                1       0        2\n"),
            "{text}"
        );
        assert!(text.contains("two and 1 more: no such call"), "{text}");
    }

    #[test]
    fn failures_are_named_and_counted() {
        let mut report = sample();
        let mut row = Row::new("there");
        row.add("four", Outcome::Failed("it broke".into()));
        report.push(row);
        let text = report.text();
        assert!(text.contains("failed, there:\n    four\n"), "{text}");
        assert!(text.ends_with("11 passed, 1 failed, 2 skipped\n"), "{text}");
    }
}
