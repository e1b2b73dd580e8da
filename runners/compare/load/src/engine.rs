//! The event loop that drives the clients.
//!
//! Busy clients are closed loops: each begins its next request when the reply to its last is
//! complete and right. A phase ends with no request under way, so that what the server counts
//! between two phases is exactly what was asked of it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mio::{Events, Poll};

use crate::crowd::Crowd;
use crate::workload::Workload;

const EVENTS: usize = 1024;
/// How many connections are made at once: mio_wasi 0.8.9 lets 128 wait to be accepted.
const AT_ONCE: usize = 64;
/// A phase whose last reply is later than this after its time is a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Engine {
    poll: Poll,
    events: Events,
    /// The busy clients, then the idle ones.
    crowd: Crowd,
    busy: usize,
    takes_turns: bool,
    /// The pause between two turns of idle clients.
    gap: Duration,
}

/// What one phase saw.
#[derive(Default)]
pub struct Outcome {
    /// From its beginning to its last reply.
    pub elapsed: Duration,
    /// How long each reply took, in nanoseconds: the busy clients' and the idle ones'.
    pub busy: Vec<u64>,
    pub idle: Vec<u64>,
}

impl Engine {
    pub fn new(workload: Workload, server: SocketAddr, gap: Duration) -> Result<Engine> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        Ok(Engine {
            poll,
            events: Events::with_capacity(EVENTS),
            crowd: Crowd::new(workload, server, registry),
            busy: 0,
            takes_turns: workload == Workload::FirstByte,
            gap,
        })
    }

    pub fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    /// Connects all. With `ask` each has had a reply when this returns, so the server has accepted
    /// and registered it.
    pub fn open(&mut self, busy: usize, idle: usize, ask: bool) -> Result<()> {
        self.busy = busy;
        while self.crowd.len() < busy + idle {
            let from = self.crowd.len();
            for _ in from..(from + AT_ONCE).min(busy + idle) {
                self.crowd.add()?;
            }
            if ask {
                self.ask(from..self.crowd.len())?;
            }
        }
        Ok(())
    }

    /// One request on every idle connection: none was lost, none was mixed up with another.
    pub fn ask_idle(&mut self) -> Result<()> {
        let all = self.crowd.len();
        for from in (self.busy..all).step_by(AT_ONCE) {
            self.ask(from..(from + AT_ONCE).min(all))?;
        }
        Ok(())
    }

    fn ask(&mut self, clients: Range<usize>) -> Result<()> {
        let begin = Instant::now();
        let mut left = clients.len();
        for index in clients {
            self.crowd.begin(index, begin)?;
        }
        while left > 0 {
            self.wait(begin + PATIENCE, None)?;
            for event in &self.events {
                left -= usize::from(self.crowd.progress(event.token())?.is_some());
            }
        }
        Ok(())
    }

    /// Busy clients work for `time`. With the workload `first-byte` the idle ones take turns
    /// meanwhile, one after another with a pause in between.
    pub fn run(&mut self, time: Duration) -> Result<Outcome> {
        let begin = Instant::now();
        let end = begin + time;
        let mut now = begin;
        let mut outcome = Outcome::default();
        let mut active = self.busy;
        for index in 0..self.busy {
            self.crowd.begin(index, now)?;
        }
        let mut turn = self.busy;
        let mut due = self.takes_turns.then_some(begin);
        while active > 0 || due.is_some() {
            if due.is_some_and(|due| due <= now) {
                due = None;
                if now >= end {
                    continue;
                }
                self.crowd.begin(turn, now)?;
                active += 1;
            }
            self.wait(end + PATIENCE, due.map(|due| due - now))?;
            now = Instant::now();
            for event in &self.events {
                let Some(began) = self.crowd.progress(event.token())? else {
                    continue;
                };
                now = Instant::now();
                let index = event.token().0;
                let took = (now - began).as_nanos() as u64;
                outcome.elapsed = now - begin;
                if index >= self.busy {
                    outcome.idle.push(took);
                    active -= 1;
                    turn = if index + 1 < self.crowd.len() {
                        index + 1
                    } else {
                        self.busy
                    };
                    due = Some(now + self.gap);
                    continue;
                }
                outcome.busy.push(took);
                if now < end {
                    self.crowd.begin(index, now)?;
                } else {
                    active -= 1;
                }
            }
        }
        Ok(outcome)
    }

    fn wait(&mut self, deadline: Instant, timeout: Option<Duration>) -> Result<()> {
        match self.poll.poll(&mut self.events, timeout.or(Some(PATIENCE))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let late = self.events.is_empty() && Instant::now() > deadline;
        ensure!(
            !late,
            "a reply did not come within {} seconds",
            PATIENCE.as_secs()
        );
        Ok(())
    }
}
