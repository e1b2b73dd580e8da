//! What is measured: the workloads, and which of them a run of `cargo compare` takes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::contestant::Contestant;

/// Versions that `runners/compare/Cargo.lock` pins.
pub const PUBLISHED: &str = "0.8.9";
pub const UPSTREAM: &str = "1.2.4";

/// Descriptors that a server or the load generator needs beside one for each connection.
const SPARE_DESCRIPTORS: u64 = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// 64 bytes there and back.
    Echo,
    /// Connect, echo once, close.
    Churn,
    /// 1 MiB there and back.
    Stream,
    /// A header and a body by one gathering write.
    Response,
    /// Datagrams of 64 bytes there and back.
    Udp,
    /// Echoes on connections that were idle, while others are busy.
    FirstByte,
    /// A greeting by HTTP over connections that are kept.
    Http,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Echo => "echo",
            Kind::Churn => "churn",
            Kind::Stream => "stream",
            Kind::Response => "response",
            Kind::Udp => "udp",
            Kind::FirstByte => "first-byte",
            Kind::Http => "http",
        }
    }

    /// The workload as the server knows it.
    pub fn served_as(self) -> &'static str {
        match self {
            Kind::FirstByte => Kind::Echo.name(),
            other => other.name(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Workload {
    pub kind: Kind,
    pub busy: u32,
    pub idle: u32,
}

const fn workload(kind: Kind, busy: u32, idle: u32) -> Workload {
    Workload { kind, busy, idle }
}

const BUSY: [u32; 3] = [1, 16, 64];
const IDLE: [u32; 5] = [0, 100, 1000, 4000, 9000];

/// Those beside the echo with and without idle connections.
const OTHERS: [Workload; 6] = [
    workload(Kind::Churn, 16, 0),
    workload(Kind::Stream, 4, 0),
    workload(Kind::Response, 16, 0),
    workload(Kind::Udp, 16, 0),
    workload(Kind::FirstByte, 16, 4000),
    workload(Kind::Http, 32, 0),
];
/// The short mode's own: connections take longer to make than to measure.
const SHORT: [Workload; 9] = [
    workload(Kind::Echo, 16, 0),
    workload(Kind::Echo, 16, 1000),
    workload(Kind::Echo, 16, 4000),
    workload(Kind::Churn, 16, 0),
    workload(Kind::Stream, 4, 0),
    workload(Kind::Response, 16, 0),
    workload(Kind::Udp, 16, 0),
    workload(Kind::FirstByte, 16, 1000),
    workload(Kind::Http, 32, 0),
];

impl Workload {
    /// Its name in `--only` and in the files.
    pub fn id(&self) -> String {
        match self.kind {
            Kind::Echo => format!("echo-{}-{}", self.busy, self.idle),
            other => other.name().into(),
        }
    }

    pub fn title(&self) -> String {
        let idle = thousands(self.idle);
        match self.kind {
            Kind::Echo => format!("echo, {} busy, {idle} idle", self.busy),
            Kind::Churn => format!("accept, echo, close, {} at once", self.busy),
            Kind::Stream => format!("1 MiB both ways, {} at once", self.busy),
            Kind::Response => format!("two-piece response, {} busy", self.busy),
            Kind::Udp => format!("UDP echo, {} busy", self.busy),
            Kind::FirstByte => format!("first byte, {} busy, {idle} idle", self.busy),
            Kind::Http => format!("HTTP, {} busy", self.busy),
        }
    }

    /// What a contestant is called in it.
    pub fn title_of(&self, contestant: Contestant) -> String {
        match self.kind {
            Kind::Http => contestant.http_title(),
            _ => contestant.title(),
        }
    }

    pub fn contestants(&self) -> Vec<Contestant> {
        if self.kind == Kind::Http {
            return Contestant::HTTP.to_vec();
        }
        let mut all = Contestant::FOUR.to_vec();
        if self.kind == Kind::Udp {
            all.retain(|one| *one != Contestant::Published);
        }
        if self.kind == Kind::Echo && self.idle == 0 {
            all.extend(Contestant::FLOORS);
        }
        all
    }

    pub fn connections(&self) -> u32 {
        self.busy + self.idle
    }

    /// Whether its server keeps all the connections, so that they can be waited for.
    pub fn keeps_connections(&self) -> bool {
        matches!(self.kind, Kind::Echo | Kind::FirstByte)
    }

    fn is_meant_by(&self, word: &str) -> bool {
        let id = self.id();
        id == word
            || id
                .strip_prefix(word)
                .is_some_and(|rest| rest.starts_with('-'))
    }
}

/// How long everything may take, builds excluded.
#[derive(Debug, Clone, Copy)]
pub struct Lengths {
    pub all: Duration,
    /// What calls may be counted in.
    pub counting: Duration,
    /// One run with its warm-up, at most.
    pub run: Duration,
    /// What a server is watched for while calls are counted.
    pub window: Duration,
    /// After it a server that does not get its connections or answers is given up.
    pub patience: Duration,
}

pub const SHORT_LENGTHS: Lengths = Lengths {
    all: Duration::from_secs(115),
    counting: Duration::from_secs(25),
    run: Duration::from_millis(600),
    window: Duration::from_millis(100),
    patience: Duration::from_secs(15),
};
pub const FULL_LENGTHS: Lengths = Lengths {
    all: Duration::from_secs(19 * 60 + 30),
    counting: Duration::from_secs(5 * 60),
    run: Duration::from_secs(3),
    window: Duration::from_millis(400),
    patience: Duration::from_secs(30),
};

/// The workloads of a mode; or those of all that `only` names, whatever the mode.
pub fn workloads(full: bool, only: &[String]) -> Result<Vec<Workload>> {
    let echoes = BUSY
        .iter()
        .flat_map(|busy| IDLE.map(|idle| workload(Kind::Echo, *busy, idle)));
    let mut all: Vec<Workload> = echoes.chain(OTHERS).collect();
    for word in only {
        let names: Vec<String> = all.iter().map(Workload::id).collect();
        ensure!(
            all.iter().any(|workload| workload.is_meant_by(word)),
            "there is no workload {word:?}; these are: {}",
            names.join(", ")
        );
    }
    if only.is_empty() {
        return Ok(if full { all } else { SHORT.to_vec() });
    }
    all.retain(|workload| only.iter().any(|word| workload.is_meant_by(word)));
    Ok(all)
}

/// Takes out the workloads with more connections than a process may have descriptors for, and
/// says so of each.
pub fn within_limit(workloads: &mut Vec<Workload>, descriptors: u64) -> BTreeMap<String, String> {
    let mut left_out = BTreeMap::new();
    workloads.retain(|workload| {
        let needed = u64::from(workload.connections()) + SPARE_DESCRIPTORS;
        if needed > descriptors {
            let why = format!(
                "skipped: it needs {needed} descriptors in one process, and the hard limit is \
                 {descriptors} (`ulimit -Hn`)"
            );
            left_out.insert(workload.title(), why);
        }
        needed <= descriptors
    });
    left_out
}

/// `9000` as `9,000`.
pub fn thousands(number: u32) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{},{:03}", thousands(number / 1000), number % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(full: bool, only: &[&str]) -> Vec<String> {
        let only: Vec<String> = only.iter().map(ToString::to_string).collect();
        let chosen = workloads(full, &only).unwrap();
        chosen.iter().map(Workload::id).collect()
    }

    #[test]
    fn the_full_mode_has_every_workload() {
        let all = ids(true, &[]);
        assert_eq!(all.len(), 21);
        assert_eq!(all[0], "echo-1-0");
        assert_eq!(all[14], "echo-64-9000");
        assert_eq!(
            all[15..],
            ["churn", "stream", "response", "udp", "first-byte", "http"]
        );
        let short = ids(false, &[]);
        assert!(short.len() < 10 && short.iter().all(|id| all.contains(id)));
    }

    #[test]
    fn only_takes_whole_names_and_beginnings() {
        assert_eq!(
            ids(false, &["echo-64-9000", "udp"]),
            ["echo-64-9000", "udp"]
        );
        assert_eq!(ids(false, &["echo-1"]).len(), 5);
        assert_eq!(ids(false, &["echo"]).len(), 15);
        let error = workloads(false, &["ech".into()]).unwrap_err().to_string();
        assert!(error.contains("first-byte"), "{error}");
    }

    #[test]
    fn a_low_limit_takes_out_what_it_must() {
        let mut all = workloads(true, &[]).unwrap();
        let why = within_limit(&mut all, 4096);
        assert_eq!(all.len(), 14);
        assert!(
            why["echo, 64 busy, 9,000 idle"].contains("9192 descriptors"),
            "{why:?}"
        );
        assert!(within_limit(&mut all, 4096).is_empty());
    }

    #[test]
    fn each_workload_has_its_contestants() {
        for workload in workloads(true, &[]).unwrap() {
            let all = workload.contestants();
            let is_udp = workload.kind == Kind::Udp;
            assert_eq!(all.contains(&Contestant::Published), !is_udp);
            let is_http = workload.kind == Kind::Http;
            assert_eq!(all.contains(&Contestant::Patched), is_http);
            let bare = workload.kind == Kind::Echo && workload.idle == 0;
            assert_eq!(all.contains(&Contestant::Floor), bare);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 9000, 1_234_005].map(thousands),
            ["0", "999", "9,000", "1,234,005"]
        );
    }
}
