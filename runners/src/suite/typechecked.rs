//! The library's types and API for systems that are not at hand: the few that matter most, and
//! every one in a run in full.

use super::report::{Outcome, Row};
use crate::explain::explain;
use crate::prepare::checked;
use crate::typecheck;

pub const NAME: &str = "types of other systems";

/// One row; a check of a target is a case of it.
pub fn run(full: bool) -> Row {
    let mut row = Row::new(NAME);
    for target in typecheck::targets(full) {
        if let Some(why) = checked::obstacle(target.name) {
            row.add(target.name, Outcome::Skipped(explain(&why)));
            continue;
        }
        for (check, result) in target.check(full) {
            let failed = |error| Outcome::Failed(explain(&error));
            let outcome = result.map_or_else(failed, |()| Outcome::Passed);
            row.add(&format!("{}, {check}", target.name), outcome);
        }
    }
    row
}
