//! The workflow of the public repository, which does not run here: it must be as the schema of such
//! files wants it, and, by the tests below, run nothing that is not there.

#[cfg(test)]
mod commands;

use std::process::Command;

use super::report::{Outcome, Row};
use crate::explain::explain;
use crate::prepare::python::Program;
use crate::{process, project};

pub const NAME: &str = "the public workflow";

/// It brings the schema with it.
const CHECKER: Program = Program {
    name: "check-jsonschema",
    version: "0.39.0",
};
const SCHEMA: &str = "vendor.github-workflows";
const WORKFLOW: &str = ".github/workflows/ci.yml";

pub fn run() -> Row {
    let mut row = Row::new(NAME);
    let outcome = match CHECKER.find_or_install() {
        Err(error) => Outcome::Skipped(explain(&error)),
        Ok(checker) => {
            let mut check = Command::new(checker);
            check.args(["--builtin-schema", SCHEMA, WORKFLOW]);
            match process::quiet(check.current_dir(project::root())) {
                Ok(_) => Outcome::Passed,
                Err(error) => Outcome::Failed(explain(&error)),
            }
        }
    };
    row.add("it is as its schema wants it", outcome);
    row
}
