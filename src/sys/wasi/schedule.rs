//! Which rows a call hands over: the cost of idle connections on a host whose every call is
//! O(rows).
//!
#![doc = include_str!("schedule.md")]

use super::rows::Rows;

/// What it costs the host, in nanoseconds, that a row enters its set and leaves it again.
const ROW: u64 = 2_500;
/// The share of a busy loop's time that goes into looks at cold rows: one part in so many.
const SHARE: u64 = 64;
/// Time counts so many times as much after a wait in vain: there is little else to be done.
const VAIN: u64 = 8;
/// The fewest cold rows that are worth a look, while the hot ones keep the loop busy.
const LOOK: usize = 8;
/// How many cold rows are looked at in turn while the hot ones are slow, and after how long a nap
/// with the hot ones, in nanoseconds: so the looks take a quarter of the time.
const SLICE: usize = 64;
const NAP: u64 = 3 * SLICE as u64 * ROW;
/// What a wait takes at least, in nanoseconds, whatever the clock says.
const WAIT: u64 = 1_000;
/// How many waits at most do not try to do without a clock, after one that tried in vain.
const REST: u32 = 31;

#[derive(Default)]
pub(super) struct Schedule {
    stage: Stage,
    /// Whether the last wait that handed over everything slept for long.
    slow: bool,
    vain: bool,
    /// When this wait began, by the host's clock.
    began: u64,
    /// The time of which one part in [`SHARE`] may be spent on looks, in nanoseconds.
    credit: u64,
    /// How many waits go by before the next that tries to do without a clock; and the next time.
    rest: u32,
    next_rest: u32,
}

/// How far a wait has come.
#[derive(Copy, Clone, Default, PartialEq, Eq)]
enum Stage {
    /// Everything is handed over, since it is not much.
    #[default]
    Aside,
    Begin,
    /// Hot rows were not ready when asked without sleeping.
    Tried,
    /// The hot rows are slow; everything is worth its price after so many nanoseconds more.
    Slow(u64),
    All,
}

/// One call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// How many cold rows are handed over.
    pub(super) cold: usize,
    /// How long it may sleep, in nanoseconds.
    pub(super) sleep: Option<u64>,
}

impl Schedule {
    /// A wait begins with few rows: all are handed over.
    pub(super) fn step_aside(&mut self) {
        self.stage = Stage::Aside;
        self.slow = false;
    }

    /// A wait begins at `now`, with many rows.
    pub(super) fn begin(&mut self, now: u64, rows: &Rows) {
        let elapsed = now.saturating_sub(self.began).max(WAIT);
        let worth = elapsed.saturating_mul(if self.vain { VAIN } else { 1 });
        let most = price(rows.cold()) * SHARE;
        self.credit = self.credit.saturating_add(worth).min(most);
        self.began = now;
        self.stage = if self.slow { Stage::All } else { Stage::Begin };
    }

    /// The next call of the wait, which may sleep for `limit` and found nothing before.
    pub(super) fn step(&mut self, cold: usize, limit: Option<u64>) -> Step {
        let price = price(cold);
        let nap = Some(NAP.min(price).min(limit.unwrap_or(NAP)));
        let slow = Stage::Slow(price.saturating_sub(NAP));
        let (cold, sleep) = match self.stage {
            Stage::Aside | Stage::All => (cold, limit),
            _ if limit == Some(0) => (self.look(cold), limit),
            Stage::Begin if self.rest == 0 => {
                self.stage = Stage::Tried;
                (self.look(cold), Some(0))
            }
            Stage::Begin => {
                self.rest -= 1;
                self.stage = slow;
                (self.look(cold), nap)
            }
            Stage::Tried => {
                self.next_rest = (self.next_rest * 2 + 1).min(REST);
                self.rest = self.next_rest;
                self.stage = slow;
                (0, nap)
            }
            Stage::Slow(left) if left > 0 => {
                self.stage = Stage::Slow(left.saturating_sub(NAP + SLICE as u64 * ROW));
                (SLICE.min(cold), nap)
            }
            Stage::Slow(_) => {
                self.stage = Stage::All;
                (cold, limit)
            }
        };
        Step { cold, sleep }
    }

    /// How many cold rows a busy loop looks at now.
    fn look(&mut self, cold: usize) -> usize {
        let rows = (self.credit / (ROW * SHARE)) as usize;
        if rows < LOOK.min(cold) {
            return 0;
        }
        self.credit -= price(rows.min(cold)) * SHARE;
        rows.min(cold)
    }

    /// The wait is over, perhaps in vain; `now` is asked if it matters.
    pub(super) fn end(&mut self, vain: bool, rows: &Rows, now: impl FnOnce() -> u64) {
        self.vain = vain;
        if self.stage == Stage::Tried {
            self.next_rest /= 2;
        }
        if self.stage == Stage::All {
            let now = now();
            // One that found the way here slept for long before.
            let price = price(rows.cold());
            self.slow = !self.slow || now.saturating_sub(self.began) > price + price / 4;
            self.began = now;
            self.credit = 0;
        }
    }
}

fn price(rows: usize) -> u64 {
    rows as u64 * ROW
}
