//! What the host has heard and seen, judged: whom its answers name, what each event may say, and
//! how late, how often and how a wait may end.

use std::io::{self, ErrorKind};
use std::time::Duration;

use wasi::Subscription;

use super::super::super::model::{DIRECTIONS, State};
use super::super::super::row::FIRST;
use super::super::super::wire::{Row, decode};
use super::super::answer::Said;
use super::{CALL, EXPIRED, Id, PAUSE, ROW, World};
use crate::Token;
use crate::ready::Ready;

const PAUSE_PER_ROW: u64 = 40_000;
/// The time in which a busy program has looked at one more cold row.
const PER_ROW: u64 = 2_500 * 64;
/// How many cold rows are looked at together, at least.
const LOOK: usize = 8;
/// What a wait counts for at least.
const WAIT: u64 = 1_000;

impl World {
    /// The stated time in which a busy program has looked at every row.
    pub fn bound(&self) -> u64 {
        (2 * self.most + LOOK + 1) as u64 * PER_ROW
    }

    /// Nobody is left out for longer than is stated.
    pub fn check_gap(&self, id: Id) {
        let seen = self.seen[&id];
        let pause = PAUSE + 2 * self.most as u64 * PAUSE_PER_ROW;
        // What lies between two calls is not the waiter's.
        let longest = self.longest.max(self.clock - self.last);
        let most = self.bound() + longest + if seen.parked { pause } else { 0 };
        let unseen = self.clock - seen.clock;
        assert!(unseen <= most, "{unseen} ns of {most}");
        let unasked = self.asks - seen.ask;
        let most = self.bound() / WAIT;
        assert!(seen.parked || unasked <= most, "{unasked} waits of {most}");
    }

    pub fn check_gaps(&self) {
        self.seen.keys().for_each(|id| self.check_gap(*id));
    }

    /// Notes what an answer says: of whom, and of the call itself.
    pub(super) fn hear(&mut self, rows: &[Subscription], events: &[wasi::Event]) {
        self.this.failure = None;
        let interrupted =
            !events.is_empty() && events.iter().all(|event| Said::of(event).errno == 27);
        self.this.interrupted = if interrupted {
            self.this.interrupted + 1
        } else {
            0
        };
        self.this.heard += u64::from(!interrupted);
        let clock = matches!(decode(&rows[0]), Row::Clock(_)) && rows[0].userdata == FIRST;
        let mut silent = true;
        for event in events {
            let Said { errno, ready } = Said::of(event);
            if event.userdata == FIRST {
                // What is said of a clock that nobody set names nobody.
                silent &= rows[0].userdata != FIRST;
                if clock && errno != 0 && self.this.failure.is_none() {
                    self.this.failure = Some(errno);
                }
                continue;
            }
            // It is watched already, or the call was interrupted: no event.
            if errno == 20 || errno == 27 {
                continue;
            }
            let Some(id) = self.id(event.userdata) else {
                continue;
            };
            if self.seen.contains_key(&id) {
                silent = false;
                let so_far = self.answered.entry(id).or_default();
                *so_far = *so_far | ready;
            }
        }
        // Where nobody is named, anybody may be told to look.
        if silent {
            let handed = rows.iter().filter_map(|row| self.id(row.userdata));
            self.answered = handed.map(|id| (id, DIRECTIONS[id.1].ready())).collect();
        }
    }

    /// An event: of whom. It says what the answer did, and what fired before and still is open.
    pub fn told(&mut self, token: Token, ready: Ready) -> usize {
        let at = self.tokens.get(&token).copied();
        let at = at.filter(|at| self.model.sources[*at].1.is_some());
        let at = at.expect("an event of nobody who is registered");
        let mut explained = Ready::NOTHING;
        let mut fired = false;
        for direction in DIRECTIONS {
            let id = (at, direction as usize);
            let source = self.model.source(at).expect("it lives");
            assert_eq!(source.token, token, "a token of before");
            if !ready.contains(direction.ready()) {
                continue;
            }
            if source.is_open(direction) {
                explained = explained | direction.ready();
                continue;
            }
            let word = self.answered.get(&id).copied();
            explained = explained | word.expect("nobody said that it is ready");
            fired = true;
            self.model.set(at, direction, State::Disarmed);
            self.changed(at);
        }
        assert!(fired, "what fired before is told again");
        assert!(explained.contains(ready), "{ready:?} of {explained:?}");
        at
    }

    /// No wait makes many calls, unless time passes.
    pub fn check_calls(&self) {
        let pauses = (self.now - self.this.began) / PAUSE;
        let rows = self.most as u64 / 64;
        let most = if self.this.lied {
            (40 + rows) * (2 + pauses)
        } else {
            8 + rows + 2 * pauses
        };
        let heard = self.this.heard;
        assert!(heard <= most, "{heard} calls of {most}");
    }

    /// A wait ended well, with so many events: not before its time, and whoever is owed an event
    /// gets it in the order of the answer.
    pub fn check_end(&mut self, count: usize, room: usize, timeout: Option<Duration>) {
        self.tightest = self.tightest.min(room);
        let most = 2 * (2 * self.most).div_ceil(self.tightest.max(1)) as u64 + 2;
        let late = self.owed.values().find(|since| self.waits - **since > most);
        assert!(late.is_none(), "an event was lost");
        // Of a clock that stands still a wait expects nothing for ever.
        if count > 0 || self.this.lied || self.frozen {
            return;
        }
        let limit = timeout.expect("it returned with nothing").as_nanos() as u64;
        let took = self.now - self.this.began;
        assert!(took >= limit, "it ended after {took} ns of {limit}");
        let call = CALL + EXPIRED + (self.most as u64 + 1) * ROW;
        let most = limit + 4 * call;
        assert!(took <= most, "it took {took} ns for {limit}");
    }

    /// Whether a call failed so, or its clock did.
    pub fn explains(&self, error: &io::Error) -> bool {
        if error.kind() == ErrorKind::Interrupted && error.raw_os_error().is_none() {
            return self.this.interrupted >= 1_024;
        }
        let failure = self.this.failure.map(i32::from);
        failure.is_some() && failure == error.raw_os_error()
    }
}
