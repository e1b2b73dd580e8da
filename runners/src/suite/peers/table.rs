//! What came of a peer's tests, as Markdown: by families of test binaries, and each binary.

use std::collections::BTreeMap;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

use super::compare::Compared;
use super::sources::Sides;

/// Both tables of a peer.
#[derive(Debug)]
pub struct Tables {
    pub families: String,
    pub binaries: String,
}

/// A row's figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Figures {
    binaries: usize,
    passed: usize,
    passed_there: usize,
    failed_here: usize,
    failed_both: usize,
    ignored: usize,
}

pub fn of(title: &str, sides: &Sides, compared: &[Compared]) -> Tables {
    let families = families(compared);
    let total = families
        .values()
        .fold(Figures::default(), |sum, one| sum.plus(*one));
    let rows = families.into_iter().chain([("all".to_string(), total)]);
    let each = compared
        .iter()
        .map(|one| (one.name.clone(), Figures::of(one)));
    Tables {
        families: render(title, sides, rows.collect()),
        binaries: render("test binary", sides, each.collect()),
    }
}

/// Binaries of one first word share a row: `tcp_*`.
fn families(compared: &[Compared]) -> BTreeMap<String, Figures> {
    let mut families: BTreeMap<&str, Vec<&Compared>> = BTreeMap::new();
    for binary in compared {
        let (family, _) = binary.name.split_once('_').unwrap_or((&binary.name, ""));
        families.entry(family).or_default().push(binary);
    }
    let named = families.into_iter().map(|(family, members)| {
        let name = match &members[..] {
            [alone] => alone.name.clone(),
            _ => format!("{family}_*"),
        };
        let figures = members.into_iter().map(Figures::of);
        (name, figures.fold(Figures::default(), Figures::plus))
    });
    named.collect()
}

impl Figures {
    fn of(compared: &Compared) -> Figures {
        Figures {
            binaries: 1,
            passed: compared.passed,
            passed_there: compared.passed_there,
            failed_here: compared.failures.len(),
            failed_both: compared.failed_both.len(),
            ignored: compared.ignored.len(),
        }
    }

    fn plus(self, other: Figures) -> Figures {
        Figures {
            binaries: self.binaries + other.binaries,
            passed: self.passed + other.passed,
            passed_there: self.passed_there + other.passed_there,
            failed_here: self.failed_here + other.failed_here,
            failed_both: self.failed_both + other.failed_both,
            ignored: self.ignored + other.ignored,
        }
    }
}

fn render(title: &str, sides: &Sides, rows: Vec<(String, Figures)>) -> String {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    let passed = |side: &str| format!("passed over {side}");
    table.set_header([
        title,
        "binaries",
        &passed(&sides.here.name),
        &passed(&sides.there.name),
        "failed here only",
        "failed on both",
        "ignored",
    ]);
    for (name, figures) in rows {
        let figures = [
            figures.binaries,
            figures.passed,
            figures.passed_there,
            figures.failed_here,
            figures.failed_both,
            figures.ignored,
        ];
        table.add_row(
            [name]
                .into_iter()
                .chain(figures.map(|figure| figure.to_string())),
        );
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(name: &str, passed: usize) -> Compared {
        Compared {
            name: name.into(),
            passed,
            passed_there: passed,
            failures: vec![("x".into(), "why".into())],
            ..Compared::default()
        }
    }

    #[test]
    fn binaries_of_one_family_are_summed() {
        let binaries = [
            binary("tcp_a", 3),
            binary("tcp_b", 4),
            binary("uds_x", 1),
            binary("udp", 2),
        ];
        let families = families(&binaries);
        assert_eq!(
            families.keys().collect::<Vec<_>>(),
            ["tcp_*", "udp", "uds_x"]
        );
        let tcp = families["tcp_*"];
        assert_eq!(
            (tcp.binaries, tcp.passed, tcp.passed_there, tcp.failed_here),
            (2, 7, 7, 2)
        );
    }
}
