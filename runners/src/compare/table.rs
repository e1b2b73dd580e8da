//! The results as tables: on a terminal, and as Markdown, where there is room for the least and
//! the most beside each median.

mod http;

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_HORIZONTAL_ONLY};
use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, TableComponent};

use super::contestant::Contestant;
use super::figures::{self, Ratio, Spread};
use super::plan::Kind;
use super::results::{Entry, Measured, Ratios, Results, Summary, TO_NO_IDLE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Terminal,
    Markdown,
}

#[derive(Debug)]
pub struct Table {
    pub title: &'static str,
    /// What one must know to read it.
    pub note: &'static str,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The ratios that have a column, and its head.
const COLUMNS: [(&str, &str); 4] = [
    ("ours/published", "ours /\n0.8.9"),
    ("ours/upstream", "ours /\nmio"),
    ("native/upstream", "native /\nmio"),
    (TO_NO_IDLE, "ours /\n0 idle"),
];

/// All tables that have rows.
pub fn all(results: &Results, style: Style) -> Vec<Table> {
    let tables = [
        throughput(results, style),
        latency(results, style),
        costs(results),
        floor(results, style),
        guests(results),
        http::rates(results, style),
        http::goals(results),
        http::costs(results, style),
    ];
    tables
        .into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

impl Table {
    pub fn render(&self, style: Style) -> String {
        let mut grid = Grid::new();
        grid.load_preset(match style {
            Style::Terminal => UTF8_HORIZONTAL_ONLY,
            Style::Markdown => ASCII_MARKDOWN,
        });
        if style == Style::Terminal {
            // No lines between the rows.
            for part in [
                TableComponent::HorizontalLines,
                TableComponent::MiddleIntersections,
                TableComponent::LeftBorderIntersections,
                TableComponent::RightBorderIntersections,
            ] {
                grid.remove_style(part);
            }
        }
        grid.set_content_arrangement(ContentArrangement::Disabled);
        let head = self.head.iter().map(|name| match style {
            Style::Terminal => name.clone(),
            Style::Markdown => name.replace('\n', " "),
        });
        grid.set_header(head);
        grid.add_rows(&self.rows);
        for column in grid.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let text = grid.to_string();
        match style {
            Style::Terminal => text,
            // Its rule does not tell how the columns are aligned.
            Style::Markdown => aligned(&text),
        }
    }
}

/// The second line of a Markdown table made to align all columns but the first to the right.
fn aligned(table: &str) -> String {
    let mut lines: Vec<String> = table.lines().map(String::from).collect();
    if let Some(rule) = lines.get_mut(1) {
        let columns = rule.matches('|').count().saturating_sub(1);
        *rule = format!("|---|{}", "--:|".repeat(columns.saturating_sub(1)));
    }
    lines.join("\n")
}

fn throughput(results: &Results, style: Style) -> Table {
    let figure = |summary: &Summary, kind: Kind| match kind {
        Kind::Stream => spread(&summary.bytes_per_second, figures::byte_rate, style),
        _ => spread(&summary.throughput, figures::rate, style),
    };
    Table {
        title: "Throughput",
        note: "Requests a second, of all connections together; medians of the runs. \
               `~`: the two ranges overlap, or \
               there is one run only, so the difference may be noise.",
        head: head("", true),
        rows: rows(results, figure, |ratios| ratios.throughput),
    }
}

fn latency(results: &Results, style: Style) -> Table {
    let figure = |summary: &Summary, _| {
        let p50 = spread(&summary.p50_us, figures::latency, Style::Terminal);
        format!(
            "{p50} / {}",
            spread(&summary.p99_us, figures::latency, style)
        )
    };
    Table {
        title: "Latency",
        note: "p50 / p99 of a request, medians of the runs; the ratios are of p99, \
               so less is better.",
        head: head("", true),
        rows: rows(results, figure, |ratios| ratios.p99),
    }
}

fn costs(results: &Results) -> Table {
    let sum = |calls: &Option<super::counts::PerRequest>| match calls {
        Some(calls) => figures::count(calls.values().sum()),
        None => "–".into(),
    };
    let cell = |entry: &Entry| {
        let summary = entry.summary.as_ref();
        let allocations = summary.and_then(|summary| summary.allocations_per_request);
        let allocations = allocations.map(|spread| figures::count(spread.median));
        let counts = &entry.counts;
        if counts.host_calls.is_none() && counts.system_calls.is_none() && allocations.is_none() {
            return "–".into();
        }
        let (host, system) = (sum(&counts.host_calls), sum(&counts.system_calls));
        format!("{host} / {system} / {}", allocations.unwrap_or("–".into()))
    };
    let row = |measured: &Measured| {
        let cells = Contestant::FOUR
            .iter()
            .map(|one| match measured.contestants.get(one) {
                Some(entry) => cell(entry),
                None => "–".into(),
            });
        std::iter::once(measured.workload.title())
            .chain(cells)
            .collect::<Vec<String>>()
    };
    Table {
        title: "What a request costs",
        note: "Calls of the guest to its host / system calls of the process / allocations of the \
               server; counted apart from the timed runs. System calls are counted under strace, \
               which makes a server many times slower: what a guest does for each time span, such \
               as looking at idle connections, is then spread over fewer requests.",
        head: head("", false),
        rows: results.made().map(row).collect(),
    }
}

fn floor(results: &Results, style: Style) -> Table {
    let row = |measured: &Measured| {
        measured
            .summary(Contestant::Floor)
            .or(measured.summary(Contestant::DrainedFloor))?;
        let rate = |one: Contestant| {
            let summary = measured.summary(one);
            let shown = |summary: &Summary| spread(&summary.throughput, figures::rate, style);
            summary.map_or("–".into(), shown)
        };
        let ratio = |name: &str| shown(measured.ratios.get(name), |ratios| ratios.throughput);
        Some(vec![
            measured.workload.title(),
            rate(Contestant::Ours),
            rate(Contestant::Floor),
            rate(Contestant::DrainedFloor),
            ratio("ours/floor"),
            ratio("ours/drained-floor"),
        ])
    };
    let head = [
        "",
        "mio_wasi",
        "floor",
        "drained\nfloor",
        "ours /\nfloor",
        "ours /\ndrained",
    ];
    Table {
        title: "The host's floor",
        note: "A hand-written guest over the host's bare calls: it reads until there is nothing, \
               as Mio's users do; drained, it leaves out the read that would find nothing.",
        head: head.map(String::from).to_vec(),
        rows: results.made().filter_map(row).collect(),
    }
}

fn guests(results: &Results) -> Table {
    let row = |contestant: &Contestant| {
        let [module, compiled] = sizes(results, *contestant, Kind::Echo);
        let crowded = results.made().filter(|it| it.workload.idle > 0);
        let crowded = crowded.filter_map(|measured| {
            let live = measured.summary(*contestant)?.live_bytes_per_connection?;
            Some((measured.workload.connections(), live.median))
        });
        let live = crowded.max_by_key(|(connections, _)| *connections);
        vec![
            contestant.title(),
            module,
            compiled,
            live.map_or("–".into(), |(_, bytes)| format!("{bytes:.0} B")),
        ]
    };
    let head = ["", "module", "compiled", "memory of a\nconnection"];
    Table {
        title: "Sizes",
        note: "The memory is all that the server holds for a registered connection, its own \
               place for it included; the kernel's and the host's are not.",
        head: head.map(String::from).to_vec(),
        rows: match results.made().next() {
            Some(_) => Contestant::FOUR.iter().map(row).collect(),
            None => Vec::new(),
        },
    }
}

/// How large a contestant's module is, as it is built and compiled ahead of time.
fn sizes(results: &Results, contestant: Contestant, kind: Kind) -> [String; 2] {
    let name = contestant.program(kind).name;
    let mut modules = results.modules.iter();
    let module = modules.find(|module| contestant.is_guest() && module.name == name);
    let bytes = module.map(|module| [module.wasm_bytes, module.compiled_bytes]);
    let shown = |bytes: [u64; 2]| bytes.map(|it| figures::bytes(it as f64));
    bytes.map_or(["–".into(), "–".into()], shown)
}

fn head(first: &str, ratios: bool) -> Vec<String> {
    let contestants = Contestant::FOUR.map(|one| two_lines(&one.title()));
    let mut head = vec![first.to_string()];
    head.extend(contestants);
    if ratios {
        head.extend(COLUMNS.map(|(_, name)| name.to_string()));
    }
    head
}

/// The title with its last words on a line of their own.
fn two_lines(title: &str) -> String {
    title
        .replacen(" in ", "\nin ", 1)
        .replacen(" native", "\nnative", 1)
}

fn rows(
    results: &Results,
    figure: impl Fn(&Summary, Kind) -> String,
    ratio: impl Fn(&Ratios) -> Option<Ratio>,
) -> Vec<Vec<String>> {
    let row = |measured: &Measured| {
        let mut row = vec![measured.workload.title()];
        row.extend(
            Contestant::FOUR
                .iter()
                .map(|one| match measured.contestants.get(one) {
                    None => "no UDP".into(),
                    Some(entry) => match &entry.summary {
                        Some(summary) => figure(summary, measured.workload.kind),
                        None => absent(entry),
                    },
                }),
        );
        row.extend(
            COLUMNS
                .iter()
                .map(|(name, _)| shown(measured.ratios.get(*name), &ratio)),
        );
        row
    };
    results.made().map(row).collect()
}

/// What stands in the place of a figure; the whole reason is among the notes.
fn absent(entry: &Entry) -> String {
    match &entry.failure {
        Some(why) if entry.given_up => why.clone(),
        Some(_) => "failed".into(),
        None => "–".into(),
    }
}

fn shown(ratios: Option<&Ratios>, ratio: impl Fn(&Ratios) -> Option<Ratio>) -> String {
    ratios
        .and_then(ratio)
        .map_or("–".into(), |ratio| ratio.shown())
}

fn spread(spread: &Spread, write: fn(f64) -> String, style: Style) -> String {
    let median = write(spread.median);
    match style {
        Style::Terminal => median,
        Style::Markdown => format!("{median} ({} – {})", write(spread.min), write(spread.max)),
    }
}
