//! `cargo suite --only ROW`: one row of the table instead of all.

use anyhow::{Result, bail};

/// What a run is about.
#[derive(Debug, Default)]
pub struct Only(Option<String>);

impl Only {
    /// The row called `name`, which must be one of `rows`; all of them if there is no name.
    pub fn named(name: Option<&str>, rows: &[String]) -> Result<Only> {
        match name {
            Some(name) if rows.iter().all(|row| row != name) => bail!(
                "there is no row {name:?}; the rows are:\n  {}",
                rows.join("\n  ")
            ),
            name => Ok(Only(name.map(String::from))),
        }
    }

    /// Whether `row` is to be run.
    pub fn takes(&self, row: &str) -> bool {
        self.0.as_deref().is_none_or(|only| only == row)
    }

    /// Whether a row is asked for by its name.
    pub fn is_one(&self) -> bool {
        self.0.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: Option<&str>) -> Result<Only> {
        Only::named(name, &["a", "ab"].map(String::from))
    }

    #[test]
    fn without_a_name_every_row_is_taken() {
        let all = named(None).unwrap();
        assert!(all.takes("a") && all.takes("ab") && !all.is_one());
    }

    #[test]
    fn a_name_takes_its_row_alone() {
        let one = named(Some("a")).unwrap();
        assert!(one.takes("a") && !one.takes("ab") && one.is_one());
    }

    #[test]
    fn an_unknown_name_lists_the_rows() {
        let error = named(Some("c")).expect_err("no such row");
        assert!(error.to_string().ends_with("the rows are:\n  a\n  ab"));
    }
}
