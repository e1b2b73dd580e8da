//! Checks that look at guests from outside, in groups.

use std::time::Instant;

use super::Setting;
use super::only::Only;
use super::report::{Outcome, Row};
use crate::explain::explain;

/// One named check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub name: &'static str,
    /// An error is a failure, as is `Outcome::Failed`.
    pub run: fn(&Setting) -> anyhow::Result<Outcome>,
}

/// The groups: the name of a row in the table, and its checks.
const GROUPS: &[(&str, &[Check])] = &[
    ("imports of modules", super::imports::CHECKS),
    ("small programs", super::programs::CHECKS),
    ("two hosts, asked the same", super::differential::CHECKS),
    #[cfg(target_os = "linux")]
    ("calls of operations", super::budget::CHECKS),
    #[cfg(target_os = "linux")]
    ("calls in a trace", super::traced::CHECKS),
    #[cfg(target_os = "linux")]
    ("scenarios from outside", super::outside::CHECKS),
    #[cfg(target_os = "linux")]
    ("real programs", super::real::CHECKS),
    #[cfg(target_os = "linux")]
    ("old programs", super::old::CHECKS),
    #[cfg(target_os = "linux")]
    ("the embedded host", super::embedding::CHECKS),
    #[cfg(target_os = "linux")]
    ("containers", super::containers::CHECKS),
];

/// The names of all groups, and of the tests that have rows of their own.
pub fn rows() -> impl Iterator<Item = &'static str> {
    let groups = GROUPS.iter().map(|(name, _)| *name);
    groups.chain(super::guest_tests::rows())
}

/// Runs every group that is wanted, and the tests that have rows of their own.
pub fn run(setting: &Setting, only: &Only) -> Vec<Row> {
    let groups = GROUPS
        .iter()
        .filter(|(name, _)| only.takes(name))
        .map(|(name, checks)| run_group(setting, name, checks));
    groups
        .chain(super::guest_tests::run(setting, only))
        .collect()
}

fn run_group(setting: &Setting, name: &str, checks: &[Check]) -> Row {
    let mut row = Row::new(name);
    let start = Instant::now();
    for check in checks {
        let outcome = (check.run)(setting);
        let failed = |error| Outcome::Failed(explain(&error));
        row.add(check.name, outcome.unwrap_or_else(failed));
    }
    let seconds = start.elapsed().as_secs_f64();
    eprintln!(
        "  {name}: {} checks, {} failed, {seconds:.1} s",
        checks.len(),
        row.tally.failed
    );
    row
}
