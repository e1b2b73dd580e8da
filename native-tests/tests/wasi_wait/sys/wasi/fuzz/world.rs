//! The host below a fuzzed program, and what it has seen of the waiter: it is honest until it is
//! told what to say instead, and looks at each list that it is handed.

mod verdict;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::rc::Rc;

use wasi::{Fd, Subscription};

use super::super::model::{Any, Model, State};
use super::super::row::{FIRST, Key};
use super::super::wait::Host;
use super::super::wire::{Row, decode};
use super::answer::{Answer, said};
use crate::ready::Ready;
use crate::sys::Direction;
use crate::{Token, counting};

const SPARE: Fd = Fd::MAX;
pub const NEVER: u64 = u64::MAX;
/// How long parked rows stay away, without what they and the others add to it.
pub const PAUSE: u64 = 10_000_000;

/// What a call takes, and each row of it, and a clock that runs out.
const CALL: u64 = 1_000;
const ROW: u64 = 1_500;
const EXPIRED: u64 = 30_000;

/// A row, by its source in the model and its direction.
pub type Id = (usize, usize);

#[derive(Clone)]
pub struct Machine(pub Rc<RefCell<World>>);

#[derive(Default)]
pub struct World {
    pub model: Model,
    /// What time it is; and what the library is told, since its clock may stand still.
    pub now: u64,
    clock: u64,
    pub frozen: bool,
    /// From when on a row is ready; never, if it is not here.
    ready: BTreeMap<Id, u64>,
    /// What the next calls do instead, and how often.
    script: VecDeque<(u8, Answer)>,
    /// It had such instructions, and nothing is promised of when a row is handed over.
    lying: bool,
    /// Whose a token, and a slot, is.
    tokens: BTreeMap<Token, usize>,
    slots: Vec<usize>,
    /// When each row that is watched was handed over last, or began to wait for that.
    seen: BTreeMap<Id, Seen>,
    /// What the last answer said of whom, and whom it is still owed to, since which wait.
    answered: BTreeMap<Id, Ready>,
    owed: BTreeMap<Id, u64>,
    waits: u64,
    asks: u64,
    /// The end of the last call, and the longest time between two.
    last: u64,
    longest: u64,
    /// The most rows there were; and the least room for events since the last call.
    most: usize,
    tightest: usize,
    call: u64,
    /// By source: the last call that had its rows.
    handed: Vec<[u64; 2]>,
    turn: usize,
    /// How many rows all calls were handed.
    pub rows: u64,
    /// This wait.
    this: Wait,
}

#[derive(Copy, Clone)]
struct Seen {
    clock: u64,
    ask: u64,
    /// It was parked since, which lasts.
    parked: bool,
}

#[derive(Default)]
struct Wait {
    began: u64,
    calls: u64,
    /// How many calls were not interrupted.
    heard: u64,
    /// How many calls in a row were.
    interrupted: u64,
    rows: usize,
    allocated: usize,
    lied: bool,
    /// What the last call said for itself, or its clock.
    failure: Option<u16>,
}

impl Host for Machine {
    fn poll(&mut self, rows: &[Subscription], events: &mut [wasi::Event]) -> io::Result<usize> {
        let before = counting::allocations();
        let mut world = self.0.borrow_mut();
        let answer = world.poll(rows, events);
        world.this.allocated += counting::allocations() - before;
        answer
    }

    fn now(&mut self) -> u64 {
        self.0.borrow().clock
    }

    fn spare(&mut self) -> Option<Fd> {
        Some(SPARE)
    }
}

impl World {
    pub fn pick(&self, any: Any) -> usize {
        any.index(self.model.sources.len())
    }

    pub fn pass(&mut self, nanos: u64) {
        self.now += nanos;
        if !self.frozen {
            self.clock += nanos;
        }
    }

    pub fn ready_in(&mut self, at: usize, direction: Direction, micros: u64) {
        let time = self.now + micros * 1_000;
        self.ready.insert((at, direction as usize), time);
    }

    pub fn quiet(&mut self, at: usize, direction: Direction) {
        self.ready.remove(&(at, direction as usize));
    }

    pub fn instruct(&mut self, answers: Vec<(u8, Answer)>) {
        self.lying = true;
        self.script.extend(answers);
    }

    /// The last source of the model is new.
    pub fn added(&mut self) {
        let at = self.model.sources.len() - 1;
        let slot = self.model.sources[at].0.slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, usize::MAX);
        }
        self.slots[slot] = at;
        self.handed.push([0; 2]);
        self.changed(at);
    }

    /// The program did something with a source.
    pub fn changed(&mut self, at: usize) {
        let now = Seen {
            clock: self.clock,
            ask: self.asks,
            parked: false,
        };
        for direction in [0, 1] {
            let id = (at, direction);
            let source = self.model.source(at);
            match source.map_or(State::Unwanted, |source| source.states[direction]) {
                State::Armed => drop(self.seen.entry(id).or_insert(now)),
                State::Parked => drop(self.seen.insert(
                    id,
                    Seen {
                        parked: true,
                        ..now
                    },
                )),
                State::Unwanted | State::Disarmed => {
                    self.seen.remove(&id);
                    self.owed.remove(&id);
                }
            }
        }
        if let Some(source) = self.model.source(at) {
            self.tokens.insert(source.token, at);
        }
        self.most = self.most.max(self.seen.len());
    }

    pub fn is_anybody_watched(&self) -> bool {
        !self.seen.is_empty()
    }

    pub fn watched(&self) -> BTreeSet<Id> {
        self.seen.keys().copied().collect()
    }

    pub fn begin(&mut self) {
        self.waits += 1;
        self.model.begin();
        self.this = Wait {
            began: self.now,
            ..Wait::default()
        };
    }

    pub fn calls(&self) -> u64 {
        self.this.calls
    }

    /// How often the host itself allocated in this wait, and its longest list; nothing is known of
    /// one in which it lied.
    pub fn spent(&self) -> Option<(usize, usize)> {
        (!self.this.lied).then_some((self.this.allocated, self.this.rows))
    }

    /// From here on the host is honest, its clock goes, and everybody is ready.
    pub fn reform(&mut self) {
        self.script.clear();
        (self.lying, self.frozen) = (false, false);
        (self.last, self.longest) = (self.clock, 0);
        for (id, seen) in &mut self.seen {
            self.ready.insert(*id, self.now);
            (seen.clock, seen.ask, seen.parked) = (self.clock, self.asks, true);
        }
    }

    fn poll(&mut self, rows: &[Subscription], events: &mut [wasi::Event]) -> io::Result<usize> {
        assert!(events.len() >= rows.len(), "no room for the answer");
        self.call += 1;
        self.this.calls += 1;
        self.rows += rows.len() as u64;
        self.this.rows = self.this.rows.max(rows.len());
        let first = self.check_list(rows);
        self.pass(CALL + rows.len() as u64 * ROW);
        self.answered.clear();
        self.tightest = usize::MAX;
        let count = match self.next_answer() {
            Some(answer) => answer.give(self, rows, events),
            None => Ok(self.honest(first, rows, events)),
        };
        self.longest = self.longest.max(self.clock - self.last);
        self.last = self.clock;
        // They were watched for as long as the call slept.
        for row in rows {
            let seen = self.id(row.userdata).and_then(|id| self.seen.get_mut(&id));
            if let Some(seen) = seen {
                seen.clock = self.clock;
            }
        }
        match count {
            Ok(count) => self.hear(rows, &events[..count.min(rows.len())]),
            Err(errno) => {
                self.this.heard += 1;
                self.this.failure = Some(errno);
            }
        }
        count.map_err(|errno| io::Error::from_raw_os_error(errno.into()))
    }

    fn next_answer(&mut self) -> Option<Answer> {
        let (times, answer) = self.script.front_mut()?;
        let answer = answer.clone();
        self.this.lied = true;
        match times.checked_sub(1) {
            Some(left) if left > 0 => *times = left,
            _ => drop(self.script.pop_front()),
        }
        Some(answer)
    }

    /// The list has rows that are watched, each once. Without a clock it has all of them.
    fn check_list(&mut self, rows: &[Subscription]) -> Option<Row> {
        assert!(!rows.is_empty(), "an empty list poisons WasmEdge's poller");
        let first = (rows[0].userdata == FIRST).then(|| decode(&rows[0]));
        let sources = &rows[usize::from(first.is_some())..];
        self.asks += u64::from(!sources.is_empty());
        for row in sources {
            let (key, direction) = Key::unpack(row.userdata);
            let id = (
                self.find(key).expect("a row of a source"),
                direction as usize,
            );
            let source = self.model.source(id.0).expect("it lives");
            let expected = match direction {
                Direction::Read => Row::Read(source.fd),
                Direction::Write => Row::Write(source.fd),
            };
            assert_eq!(decode(row), expected);
            match source.states[id.1] {
                State::Armed => {}
                State::Parked => self.model.unpark(),
                state => panic!("{expected:?} is {state:?} and yet handed over"),
            }
            let call = std::mem::replace(&mut self.handed[id.0][id.1], self.call);
            assert_ne!(call, self.call, "{expected:?} is there twice: errno 20");
            if !self.lying {
                self.check_gap(id);
            }
            let now = Seen {
                clock: self.clock,
                ask: self.asks,
                parked: false,
            };
            self.seen.insert(id, now);
        }
        if first.is_none() {
            assert_eq!(sources.len(), self.seen.len(), "it may sleep for ever");
        }
        first
    }

    /// Whom a key names.
    fn find(&self, key: Key) -> Option<usize> {
        let at = *self.slots.get(key.slot as usize)?;
        let (own, source) = self.model.sources.get(at)?;
        (source.is_some() && *own == key).then_some(at)
    }

    /// What is so.
    fn honest(
        &mut self,
        first: Option<Row>,
        rows: &[Subscription],
        events: &mut [wasi::Event],
    ) -> usize {
        let end = match first {
            Some(Row::Clock(nanos)) => self.now.saturating_add(nanos),
            Some(_) => self.now,
            None => NEVER,
        };
        let mut earliest = rows.iter().map(|row| self.ready_at(row)).min();
        if first.is_none() && earliest == Some(NEVER) {
            // Somebody has to do something at last.
            self.turn += 1;
            let row = &rows[self.turn % rows.len()];
            let id = self.id(row.userdata).expect("the list was looked at");
            self.ready.insert(id, self.now + 1_000_000);
            earliest = Some(self.now + 1_000_000);
        }
        let until = earliest.unwrap_or(NEVER).max(self.now).min(end);
        self.pass(until - self.now);
        let mut count = 0;
        for row in rows {
            let own = row.userdata == FIRST && end <= until;
            if own || self.ready_at(row) <= until {
                events[count] = said(row.userdata, 0);
                count += 1;
            }
        }
        if end <= until && matches!(first, Some(Row::Clock(_))) {
            self.pass(EXPIRED);
        }
        if !self.this.lied {
            for event in &events[..count] {
                if let Some(id) = self.id(event.userdata) {
                    self.owed.entry(id).or_insert(self.waits);
                }
            }
        }
        count
    }

    fn ready_at(&self, row: &Subscription) -> u64 {
        let id = self.id(row.userdata);
        let time = id.and_then(|id| self.ready.get(&id));
        time.copied().unwrap_or(NEVER)
    }

    /// Whose row carries this number.
    fn id(&self, userdata: u64) -> Option<Id> {
        let (key, direction) = Key::unpack(userdata);
        Some((self.find(key)?, direction as usize))
    }

    /// The number of a row, of anybody that there ever was.
    pub fn former(&self, any: Any, direction: Direction) -> Option<u64> {
        let count = self.model.sources.len();
        (count > 0).then(|| any.get(&self.model.sources).0.pack(direction))
    }
}
