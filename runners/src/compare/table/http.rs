//! The tables of the servers of HTTP: a row for each, since the one workload has no others.

use std::fmt::Write;

use super::{Style, Table, absent, shown, sizes, spread};
use crate::compare::contestant::Contestant;
use crate::compare::counts::PerRequest;
use crate::compare::figures;
use crate::compare::plan::Kind;
use crate::compare::results::{Measured, Results};

const CLOCK: &str = "clock_time_get";

/// A ratio by its name, what it compares, and the least that it is to be.
const GOALS: [(&str, &str, Option<f64>); 4] = [
    (
        "patched/published",
        "hyper_wasi in WasmEdge: mio_wasi / 0.8.9",
        Some(30.0),
    ),
    (
        "ours/patched",
        "mio_wasi in WasmEdge: hyper / hyper_wasi",
        Some(1.0),
    ),
    (
        "ours/upstream",
        "hyper: mio_wasi in WasmEdge / mio native",
        Some(0.6),
    ),
    ("native/upstream", "hyper native: mio_wasi / mio", None),
];

pub fn rates(results: &Results, style: Style) -> Table {
    let row = |measured: &Measured, contestant: Contestant| {
        let entry = measured.contestants.get(&contestant);
        let summary = entry.and_then(|entry| entry.summary.as_ref());
        let rate = summary.map(|it| spread(&it.throughput, figures::rate, style));
        let missing = || entry.map_or("–".into(), absent);
        let latency = |spread: figures::Spread| figures::latency(spread.median);
        let [module, compiled] = sizes(results, contestant, Kind::Http);
        vec![
            contestant.http_title(),
            rate.unwrap_or_else(missing),
            summary.map_or("–".into(), |it| latency(it.p50_us)),
            summary.map_or("–".into(), |it| {
                spread(&it.p99_us, figures::latency, style)
            }),
            module,
            compiled,
        ]
    };
    Table {
        title: "HTTP",
        note: "A greeting to each request over connections that are kept, by `wrk -t1 -c32`; \
               medians of the runs. hyper_wasi is one source, hyper another.",
        head: ["", "throughput", "p50", "p99", "module", "compiled"]
            .map(String::from)
            .to_vec(),
        rows: rows(results, row),
    }
}

pub fn goals(results: &Results) -> Table {
    let row = |(name, what, goal): &(&str, &str, Option<f64>)| {
        let ratios = results.http()?.ratios.get(*name)?;
        let reached = goal.zip(ratios.throughput).map(|(goal, ratio)| {
            let reached = if ratio.value >= goal { "yes" } else { "no" };
            (format!("≥ {goal}×"), reached.to_string())
        });
        let (goal, reached) = reached.unwrap_or(("–".into(), "–".into()));
        Some(vec![
            (*what).into(),
            shown(Some(ratios), |ratios| ratios.throughput),
            shown(Some(ratios), |ratios| ratios.p99),
            goal,
            reached,
        ])
    };
    Table {
        title: "HTTP, compared",
        note: "Ratios of the medians; of p99 less is better. The goals are for the throughput.",
        head: ["", "throughput", "p99", "goal", "reached"]
            .map(String::from)
            .to_vec(),
        rows: GOALS.iter().filter_map(row).collect(),
    }
}

pub fn costs(results: &Results, style: Style) -> Table {
    let cell = |calls: &Option<PerRequest>| match calls {
        Some(calls) => cost(calls, style),
        None => "–".into(),
    };
    let row = |measured: &Measured, contestant: Contestant| {
        let counts = measured.contestants.get(&contestant);
        let counts = counts.map(|entry| entry.counts.clone()).unwrap_or_default();
        vec![
            contestant.http_title(),
            cell(&counts.host_calls),
            cell(&counts.system_calls),
        ]
    };
    Table {
        title: "What a request over HTTP costs",
        note: "Over one connection that is kept, one request after another, under strace. How \
               often hyper and tokio look at the clock, which costs no system call, is told apart.",
        head: ["", "calls to the host", "system calls"]
            .map(String::from)
            .to_vec(),
        rows: rows(results, row),
    }
}

fn cost(calls: &PerRequest, style: Style) -> String {
    let clock = calls.get(CLOCK).copied().unwrap_or_default();
    let others = || calls.iter().filter(|(name, _)| *name != CLOCK);
    let mut cell = figures::count(others().map(|(_, count)| count).sum());
    if clock > 0.0 {
        let _ = write!(cell, " + {}", figures::small_count(clock));
    }
    if style == Style::Markdown {
        let each = others().map(|(name, count)| format!("{name} {}", figures::small_count(*count)));
        let _ = write!(cell, ": {}", each.collect::<Vec<_>>().join(", "));
    }
    cell
}

fn rows(results: &Results, row: impl Fn(&Measured, Contestant) -> Vec<String>) -> Vec<Vec<String>> {
    let measured = results.http().into_iter();
    let all = measured.flat_map(|measured| Contestant::HTTP.map(|one| row(measured, one)));
    all.collect()
}
