//! The files: `results.json`, `results.md` and the plots; and what the terminal shows.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::plan::Workload;
use super::results::Results;
use super::table::{self, Style};
use super::{bars, plot};
use crate::project;

const JSON: &str = "results.json";
const MARKDOWN: &str = "results.md";
/// What draws a plot, its file, and what it shows.
type Plot = (
    fn(&Results) -> Result<Option<String>>,
    &'static str,
    &'static str,
);
const PLOTS: [Plot; 2] = [
    (
        plot::draw,
        "throughput.svg",
        "Throughput over idle connections",
    ),
    (bars::draw, "http.svg", "Throughput over HTTP"),
];

/// The folder whose files the README shows.
pub fn published() -> PathBuf {
    project::root().join("docs").join("compare")
}

/// Writes all files to `folder`. A plot that was there and cannot be drawn now is taken away: it
/// would show something else than the tables.
pub fn write(results: &mut Results, folder: &Path) -> Result<()> {
    results.summarize();
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    results.write(&folder.join(JSON))?;
    let mut plots = Vec::new();
    for (draw, name, what) in PLOTS {
        let file = folder.join(name);
        match draw(results)? {
            Some(svg) => {
                fs::write(&file, svg).context("cannot write a plot")?;
                plots.push(format!("![{what}]({name})"));
            }
            None => drop(fs::remove_file(&file)),
        }
    }
    let text = markdown(results, &plots);
    fs::write(folder.join(MARKDOWN), text).context("cannot write the tables")
}

/// Prints the tables and what they were made on.
pub fn print(results: &Results) {
    for line in conditions(results) {
        println!("{line}");
    }
    for table in table::all(results, Style::Terminal) {
        println!("\n{}: {}", table.title, table.note);
        println!("{}", table.render(Style::Terminal));
    }
    for note in notes(results) {
        println!("{note}");
    }
}

fn markdown(results: &Results, plots: &[String]) -> String {
    let mut text = String::from("# Measured by `cargo compare`\n\n");
    for line in conditions(results) {
        let _ = writeln!(text, "- {line}");
    }
    for plot in plots {
        let _ = writeln!(text, "\n{plot}");
    }
    for table in table::all(results, Style::Markdown) {
        let rows = table.render(Style::Markdown);
        let _ = writeln!(text, "\n## {}\n\n{}\n\n{rows}", table.title, table.note);
    }
    let notes = notes(results);
    if !notes.is_empty() {
        let _ = writeln!(text, "\n## Notes\n");
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
    }
    text
}

fn conditions(results: &Results) -> Vec<String> {
    let (machine, versions) = (&results.machine, &results.versions);
    let mut lines = vec![
        format!(
            "{}, {} processors, {}; {}",
            machine.processor, machine.processors, machine.kernel, machine.pinning
        ),
        format!(
            "mio_wasi {} against mio_wasi {} and mio {}; WasmEdge {}, compiled ahead of time",
            versions.mio_wasi, versions.published, versions.mio, versions.wasmedge
        ),
        format!("{}; guests by {}", versions.rustc, versions.guests),
        format!(
            "{} mode, {} interleaved runs of each",
            results.mode,
            rounds(results)
        ),
    ];
    if results.http().is_some() {
        lines.push(format!("HTTP: {}", versions.http.join(", ")));
    }
    lines
}

/// How many rounds there were in the end.
fn rounds(results: &Results) -> String {
    let entries = results
        .workloads
        .iter()
        .flat_map(|measured| measured.contestants.values());
    let counts = entries
        .map(|entry| entry.runs.len())
        .filter(|count| *count > 0);
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    match least == most {
        true => format!("{most}"),
        false => format!("{least} to {most}"),
    }
}

/// What is missing, and why.
fn notes(results: &Results) -> Vec<String> {
    let mut notes = results.notes.clone();
    for measured in &results.workloads {
        for (contestant, entry) in &measured.contestants {
            if let Some(why) = &entry.failure {
                let title = Workload::title(&measured.workload);
                let runs = entry.runs.len();
                let name = measured.workload.title_of(*contestant);
                let rest = format!("{name}: {why} ({runs} runs count).");
                notes.push(format!("{title}, {rest}"));
            }
        }
    }
    notes
}
