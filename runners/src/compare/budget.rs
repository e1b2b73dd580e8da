//! How the time is shared out: so many runs are left, each of which costs something beside what it
//! measures, and all of it must end in time.

use std::collections::HashMap;
use std::time::Duration;

use super::contestant::Contestant;
use super::plan::Workload;

/// A run that measures less tells nothing.
const LEAST: Duration = Duration::from_millis(100);

/// What each run costs beside its measuring: a process and its connections.
#[derive(Debug, Default)]
pub struct Overheads(HashMap<(Workload, Contestant), Duration>);

impl Overheads {
    /// Remembers what a run has cost; the longer ago, the less it counts.
    pub fn learn(&mut self, workload: Workload, contestant: Contestant, cost: Duration) {
        let known = self.0.entry((workload, contestant)).or_insert(cost);
        *known = (*known + cost) / 2;
    }

    pub fn expect(&self, workload: Workload, contestant: Contestant) -> Duration {
        let known = self.0.get(&(workload, contestant)).copied();
        known.unwrap_or_else(|| guess(workload, contestant))
    }
}

/// The first guess. The last release pays for every row it has while it takes in the next.
fn guess(workload: Workload, contestant: Contestant) -> Duration {
    let start = Duration::from_millis(if contestant.is_guest() { 130 } else { 60 });
    let connection = match contestant {
        Contestant::Published => Duration::from_micros(300),
        _ => Duration::from_micros(100),
    };
    start + connection * workload.connections()
}

/// How long each of `runs` may take, warm-up and measuring, so that they and their overhead fit
/// into what is left; but not less than makes sense.
pub fn slice(left: Duration, runs: usize, overhead: Duration, most: Duration) -> Duration {
    let runs = u32::try_from(runs.max(1)).unwrap_or(u32::MAX);
    (left.saturating_sub(overhead) / runs).clamp(LEAST, most)
}

/// A run's time as warm-up and measuring.
pub fn split(slice: Duration) -> (Duration, Duration) {
    let warmup = slice / 5;
    (warmup, slice - warmup)
}

/// `1 min 55 s`.
pub fn shown(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::plan::Kind;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn runs_share_what_their_overhead_leaves() {
        let of = |left: u32| slice(left * SECOND, 50, 10 * SECOND, 3 * SECOND);
        assert_eq!(of(60), SECOND);
        assert_eq!(of(600), 3 * SECOND);
        assert_eq!(of(11), LEAST);
        assert_eq!(of(9), LEAST);
        let (warmup, time) = split(SECOND);
        assert_eq!((warmup, warmup + time), (SECOND / 5, SECOND));
    }

    #[test]
    fn what_was_learnt_replaces_the_guess() {
        let workload = Workload {
            kind: Kind::Echo,
            busy: 1,
            idle: 9000,
        };
        let mut overheads = Overheads::default();
        assert!(overheads.expect(workload, Contestant::Published) > SECOND);
        overheads.learn(workload, Contestant::Published, SECOND / 2);
        overheads.learn(workload, Contestant::Published, SECOND / 4);
        assert_eq!(
            overheads.expect(workload, Contestant::Published),
            SECOND * 3 / 8
        );
    }

    #[test]
    fn times_are_told_in_minutes() {
        assert_eq!(shown(Duration::from_millis(59_400)), "59 s");
        assert_eq!(shown(115 * SECOND), "1 min 55 s");
        assert_eq!(shown(120 * SECOND), "2 min");
    }
}
