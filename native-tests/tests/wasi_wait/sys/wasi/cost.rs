//! A simulated host on which every call takes time, as WasmEdge's do.
//!
//! Time is simulated: it passes in the host's calls, in its sleep, and in the program where that
//! says so. A row is ready from a time on, for as long as nobody serves it. The host notes of each
//! watched row for how long, and for how many waits, it was not handed over.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use wasi::{ERRNO_SUCCESS, Fd, Subscription};

use super::host::{Row, decode, event};
use super::wait::Host;

const SPARE: Fd = Fd::MAX;
pub const NEVER: u64 = u64::MAX;

/// What the host's work takes, in nanoseconds, as it was measured on WasmEdge.
#[derive(Copy, Clone, Debug)]
pub struct Costs {
    pub call: u64,
    /// A row that was in the call before too, that was not, and that was and is no more.
    pub stay: u64,
    pub enter: u64,
    pub leave: u64,
    pub clock: u64,
    pub expired: u64,
    pub spare: u64,
}

pub const WASMEDGE: Costs = Costs {
    call: 1_000,
    stay: 400,
    enter: 1_400,
    leave: 1_000,
    clock: 3_000,
    expired: 30_000,
    spare: 1_000,
};

impl Costs {
    /// A third of it, as it is, and three times as much.
    pub fn all() -> [Costs; 3] {
        [(1, 3), (1, 1), (3, 1)].map(|(times, part)| WASMEDGE.scaled(times, part))
    }

    pub fn scaled(self, times: u64, part: u64) -> Costs {
        let scale = |cost: u64| cost * times / part;
        Costs {
            call: scale(self.call),
            stay: scale(self.stay),
            enter: scale(self.enter),
            leave: scale(self.leave),
            clock: scale(self.clock),
            expired: scale(self.expired),
            spare: scale(self.spare),
        }
    }

    /// A call with nothing but rows that stay.
    pub fn staying(&self, rows: usize) -> u64 {
        self.call + rows as u64 * self.stay
    }

    /// What it takes to hand over `cold` rows beside those that stay, and to let them go again.
    pub fn everything(&self, hot: usize, cold: usize) -> u64 {
        self.staying(hot) + cold as u64 * (self.enter + self.leave)
    }
}

/// One call.
#[derive(Copy, Clone, Debug)]
pub struct Call {
    /// How many rows of sources it was handed, and for how long it might sleep.
    pub rows: usize,
    pub sleep: Option<u64>,
    pub worked: u64,
    pub slept: u64,
}

#[derive(Copy, Clone)]
pub struct Source {
    pub ready: u64,
    /// The last call that had its row.
    call: u64,
    /// Whether the call before had it too.
    stays: bool,
    pub watched: bool,
    /// When it was handed over last, or began to wait for that; and in which wait.
    pub seen: (u64, u64),
}

pub struct Machine {
    pub costs: Costs,
    pub time: u64,
    /// The clock that the library sees stands still.
    pub frozen: bool,
    /// How often the library looked at it.
    pub looks: usize,
    pub waits: u64,
    /// Since it was emptied.
    pub calls: Vec<Call>,
    /// The longest that a watched row was not handed over: in nanoseconds, and in waits.
    pub worst: (u64, u64),
    pub sources: Vec<Source>,
    /// The number of this call.
    call: u64,
    /// How many rows the last call had.
    rows: usize,
}

#[derive(Clone)]
pub struct Simulated(pub Rc<RefCell<Machine>>);

impl Host for Simulated {
    fn poll(&mut self, rows: &[Subscription], events: &mut [wasi::Event]) -> io::Result<usize> {
        Ok(self.0.borrow_mut().poll(rows, events))
    }

    fn now(&mut self) -> u64 {
        let mut machine = self.0.borrow_mut();
        machine.looks += 1;
        if machine.frozen { 7 } else { machine.time }
    }

    fn spare(&mut self) -> Option<Fd> {
        Some(SPARE)
    }
}

impl Machine {
    pub fn new(costs: Costs) -> Machine {
        Machine {
            costs,
            time: 0,
            frozen: false,
            looks: 0,
            waits: 0,
            calls: Vec::with_capacity(256),
            worst: (0, 0),
            sources: Vec::new(),
            call: 1,
            rows: 0,
        }
    }

    /// A further source, which is never ready.
    pub fn add(&mut self) {
        self.sources.push(Source {
            ready: NEVER,
            call: 0,
            stays: false,
            watched: false,
            seen: (0, 0),
        });
    }

    fn poll(&mut self, rows: &[Subscription], events: &mut [wasi::Event]) -> usize {
        let asked = self.time;
        let mut work = self.costs.call;
        let (first, sources) = match decode(&rows[0]) {
            Row::Clock(timeout) => (Some(timeout), &rows[1..]),
            Row::Write(SPARE) => (Some(0), &rows[1..]),
            _ => (None, rows),
        };
        work += match first {
            Some(0) => self.costs.spare,
            Some(_) => self.costs.clock,
            None => 0,
        };
        self.call += 1;
        let mut stayed = 0;
        let mut earliest = NEVER;
        for row in sources {
            let source = self.hand_over(row, asked);
            earliest = earliest.min(source.ready);
            stayed += usize::from(source.stays);
        }
        let entered = sources.len() - stayed;
        let left = std::mem::replace(&mut self.rows, sources.len()) - stayed;
        work += stayed as u64 * self.costs.stay + entered as u64 * self.costs.enter;
        work += left as u64 * self.costs.leave;
        self.time += work;

        let end = first.map_or(NEVER, |sleep| self.time.saturating_add(sleep));
        let until = earliest.max(self.time).min(end);
        assert!(until < NEVER, "the host sleeps for ever");
        let slept = until - self.time;
        self.time = until;
        let mut count = 0;
        for row in rows {
            let ready = match decode(row) {
                Row::Read(fd) => {
                    let source = &mut self.sources[fd as usize];
                    source.seen = (until, self.waits);
                    source.ready
                }
                _ => end,
            };
            if ready <= until {
                events[count] = event(row.userdata, ERRNO_SUCCESS);
                count += 1;
            }
        }
        if end <= until && first != Some(0) {
            work += self.costs.expired;
            self.time += self.costs.expired;
        }
        if self.calls.len() < self.calls.capacity() {
            let rows = sources.len();
            let sleep = first;
            self.calls.push(Call {
                rows,
                sleep,
                worked: work,
                slept,
            });
        }
        count
    }

    /// Notes that a row is handed over.
    fn hand_over(&mut self, row: &Subscription, now: u64) -> Source {
        let Row::Read(fd) = decode(row) else {
            panic!("the program only reads");
        };
        let source = &mut self.sources[fd as usize];
        assert_ne!(source.call, self.call, "{fd} is there twice: errno 20");
        source.stays = source.call + 1 == self.call;
        source.call = self.call;
        let source = *source;
        if source.watched {
            self.note_gap(source, now);
        }
        source
    }

    fn note_gap(&mut self, source: Source, now: u64) {
        let (time, wait) = source.seen;
        self.worst.0 = self.worst.0.max(now - time);
        self.worst.1 = self.worst.1.max(self.waits - wait);
    }

    /// The longest that a watched row was not handed over, those that wait still included.
    pub fn worst(&mut self) -> (u64, u64) {
        for at in 0..self.sources.len() {
            if self.sources[at].watched {
                self.note_gap(self.sources[at], self.time);
            }
        }
        self.worst
    }

    /// The work of all calls since the last time this was asked.
    pub fn worked(&mut self) -> u64 {
        self.calls.drain(..).map(|call| call.worked).sum()
    }
}
