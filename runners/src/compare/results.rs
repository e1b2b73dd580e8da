//! What was measured: every run as it came, and what is made of the runs. It is also the format
//! of `results.json`, from which everything else can be made again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::contestant::Contestant;
use super::counts::Counts;
use super::figures::{Ratio, Spread};
use super::load::Report;
use super::machine::{Machine, Versions};
use super::plan::{Kind, Workload};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub versions: Versions,
    pub mode: String,
    pub rounds: usize,
    pub modules: Vec<Module>,
    #[serde(default)]
    pub interrupted: bool,
    pub workloads: Vec<Measured>,
    /// What is missing, and why.
    pub notes: Vec<String>,
}

/// The sizes of a guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Module {
    pub name: String,
    pub wasm_bytes: u64,
    pub compiled_bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    pub id: String,
    #[serde(flatten)]
    pub workload: Workload,
    pub contestants: BTreeMap<Contestant, Entry>,
    /// By their names: `ours/published`.
    #[serde(default)]
    pub ratios: BTreeMap<String, Ratios>,
}

/// What one contestant did in one workload.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Entry {
    pub runs: Vec<Run>,
    /// Why a run is missing: the last reason.
    #[serde(default)]
    pub failure: Option<String>,
    /// It does not answer in time, and is not asked again.
    #[serde(default)]
    pub given_up: bool,
    #[serde(default)]
    pub counts: Counts,
    #[serde(default)]
    pub summary: Option<Summary>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    pub round: usize,
    #[serde(flatten)]
    pub report: Report,
}

/// The medians of the runs, with the least and the most.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// Requests a second.
    pub throughput: Spread,
    pub bytes_per_second: Spread,
    pub p50_us: Spread,
    pub p99_us: Spread,
    pub allocations_per_request: Option<Spread>,
    pub live_bytes_per_connection: Option<Spread>,
    pub memory_bytes: Option<Spread>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Ratios {
    pub throughput: Option<Ratio>,
    pub p99: Option<Ratio>,
}

/// The ratios that are told for every workload with both, by their names.
const RATIOS: [(&str, Contestant, Contestant); 7] = [
    ("ours/published", Contestant::Ours, Contestant::Published),
    (
        "patched/published",
        Contestant::Patched,
        Contestant::Published,
    ),
    ("ours/patched", Contestant::Ours, Contestant::Patched),
    ("ours/upstream", Contestant::Ours, Contestant::Upstream),
    ("native/upstream", Contestant::Native, Contestant::Upstream),
    ("ours/floor", Contestant::Ours, Contestant::Floor),
    (
        "ours/drained-floor",
        Contestant::Ours,
        Contestant::DrainedFloor,
    ),
];
/// The ratio of this library in WasmEdge to itself without idle connections.
pub const TO_NO_IDLE: &str = "ours/ours without idle";

impl Results {
    /// Makes everything that follows from the runs.
    pub fn summarize(&mut self) {
        for measured in &mut self.workloads {
            for entry in measured.contestants.values_mut() {
                entry.summary = Summary::of(&entry.runs);
            }
        }
        let ours_at: BTreeMap<Workload, Summary> = self
            .workloads
            .iter()
            .filter_map(|measured| {
                Some((
                    measured.workload,
                    measured.summary(Contestant::Ours)?.clone(),
                ))
            })
            .collect();
        for measured in &mut self.workloads {
            let mut ratios = BTreeMap::new();
            for (name, upper, lower) in RATIOS {
                let both = measured.summary(upper).zip(measured.summary(lower));
                ratios.extend(both.map(|(upper, lower)| (name.into(), Ratios::of(upper, lower))));
            }
            let without = Workload {
                idle: 0,
                ..measured.workload
            };
            if measured.workload.kind == Kind::Echo && measured.workload != without {
                let both = ours_at.get(&measured.workload).zip(ours_at.get(&without));
                let ratio = both.map(|(upper, lower)| Ratios::of(upper, lower));
                ratios.extend(ratio.map(|ratio| (TO_NO_IDLE.into(), ratio)));
            }
            measured.ratios = ratios;
        }
    }

    pub fn write(&self, file: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self).context("the results are no JSON")?;
        fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))
    }

    pub fn read(file: &Path) -> Result<Results> {
        let json = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let read = serde_json::from_slice(&json);
        let mut results: Results =
            read.with_context(|| format!("{} holds no results of this version", file.display()))?;
        results.summarize();
        Ok(results)
    }

    /// The workloads of the servers that are made for the comparison.
    pub fn made(&self) -> impl Iterator<Item = &Measured> {
        let workloads = self.workloads.iter();
        workloads.filter(|measured| measured.workload.kind != Kind::Http)
    }

    /// The workload of real servers.
    pub fn http(&self) -> Option<&Measured> {
        let mut workloads = self.workloads.iter();
        workloads.find(|measured| measured.workload.kind == Kind::Http)
    }

    /// Whether anything was timed.
    pub fn has_runs(&self) -> bool {
        let mut entries = self
            .workloads
            .iter()
            .flat_map(|measured| measured.contestants.values());
        entries.any(|entry| !entry.runs.is_empty())
    }
}

impl Measured {
    pub fn new(workload: Workload) -> Measured {
        let entries = workload.contestants().into_iter();
        Measured {
            id: workload.id(),
            workload,
            contestants: entries.map(|one| (one, Entry::default())).collect(),
            ratios: BTreeMap::new(),
        }
    }

    pub fn summary(&self, contestant: Contestant) -> Option<&Summary> {
        self.contestants.get(&contestant)?.summary.as_ref()
    }
}

impl Summary {
    fn of(runs: &[Run]) -> Option<Summary> {
        let spread = |figure: fn(&Report) -> Option<f64>| {
            Spread::of(runs.iter().filter_map(|run| figure(&run.report)))
        };
        Some(Summary {
            throughput: spread(|report| Some(report.throughput))?,
            bytes_per_second: spread(|report| Some(report.bytes as f64 / report.seconds))?,
            p50_us: spread(|report| Some(report.p50_us))?,
            p99_us: spread(|report| Some(report.p99_us))?,
            allocations_per_request: spread(|report| report.allocations_per_request),
            live_bytes_per_connection: spread(|report| report.live_bytes_per_connection),
            memory_bytes: spread(|report| Some(report.server.as_ref()?.memory_bytes as f64)),
        })
    }
}

impl Ratios {
    fn of(upper: &Summary, lower: &Summary) -> Ratios {
        Ratios {
            throughput: Ratio::of(&upper.throughput, &lower.throughput),
            p99: Ratio::of(&upper.p99_us, &lower.p99_us),
        }
    }
}
