//! A simulated host: some descriptors are ready, and the next calls may go wrong.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use wasi::{ERRNO_EXIST, ERRNO_INTR, ERRNO_NOENT, ERRNO_SUCCESS, Errno, Fd, Subscription};

use super::row::{Key, Role};
use super::wait::{Host, Waiter};
pub use super::wire::{Row, decode, event};
use crate::ready::Ready;
use crate::{Interest, Token};

pub const READ: Interest = Interest::READABLE;
pub const WRITE: Interest = Interest::WRITABLE;

/// The descriptor of the spare socket.
pub const SPARE: Fd = 999;

/// What the next call does instead of answering.
pub enum Fault {
    /// The process was stopped and continued: 27 for every row, after so many nanoseconds.
    Interrupted(u64),
    /// This answer, whatever is ready.
    Answer(Vec<wasi::Event>),
    /// No event, at once.
    Nothing,
    /// The call itself fails with this errno.
    Fails(Errno),
}

#[derive(Default)]
pub struct World {
    pub readable: Vec<Fd>,
    pub writable: Vec<Fd>,
    /// An error pends that matches no read row: ends each wait that has only its read row.
    pub silent_reader: Option<Fd>,
    /// A half-closed peer and a full buffer: ends each wait that has only its write row.
    pub silent_writer: Option<Fd>,
    /// Rows of these say 44 until a call without descriptors.
    pub lost: Vec<Fd>,
    pub faults: VecDeque<Fault>,
    pub no_spare: bool,
    /// How long each answer claims to be.
    pub claims: Option<usize>,
    pub now: u64,
    /// Every call's list.
    pub calls: Vec<Vec<Row>>,
}

#[derive(Clone, Default)]
pub struct Sim(pub Rc<RefCell<World>>);

impl Host for Sim {
    fn poll(&mut self, rows: &[Subscription], events: &mut [wasi::Event]) -> io::Result<usize> {
        assert!(!rows.is_empty(), "an empty list poisons WasmEdge's poller");
        assert!(
            events.len() >= rows.len(),
            "the answer may be as long as the list"
        );
        let mut world = self.0.borrow_mut();
        let list: Vec<Row> = rows.iter().map(decode).collect();
        for (index, row) in list.iter().enumerate() {
            assert!(
                !list[..index].contains(row),
                "{row:?} is there twice: errno 20"
            );
        }
        world.calls.push(list.clone());
        let answer = world.answer(rows, &list)?;
        events[..answer.len()].copy_from_slice(&answer);
        Ok(world.claims.unwrap_or(answer.len()))
    }

    fn now(&mut self) -> u64 {
        self.0.borrow().now
    }

    fn spare(&mut self) -> Option<Fd> {
        (!self.0.borrow().no_spare).then_some(SPARE)
    }
}

impl World {
    fn answer(&mut self, rows: &[Subscription], list: &[Row]) -> io::Result<Vec<wasi::Event>> {
        match self.faults.pop_front() {
            Some(Fault::Interrupted(after)) => {
                self.now += after;
                let all = rows.iter().map(|row| event(row.userdata, ERRNO_INTR));
                return Ok(all.collect());
            }
            Some(Fault::Answer(events)) => return Ok(events),
            Some(Fault::Nothing) => return Ok(Vec::new()),
            Some(Fault::Fails(errno)) => {
                return Err(io::Error::from_raw_os_error(errno.raw().into()));
            }
            None => {}
        }
        if list.iter().all(|row| matches!(row, Row::Clock(_))) {
            self.lost.clear();
        }
        let mut answer = Vec::new();
        for (row, subscription) in list.iter().zip(rows) {
            match row {
                Row::Read(fd) | Row::Write(fd) if self.lost.contains(fd) => {
                    answer.push(event(subscription.userdata, ERRNO_NOENT));
                }
                Row::Read(fd) if self.readable.contains(fd) => {
                    answer.push(event(subscription.userdata, ERRNO_SUCCESS));
                }
                Row::Write(fd) if *fd == SPARE || self.writable.contains(fd) => {
                    answer.push(event(subscription.userdata, ERRNO_SUCCESS));
                }
                _ => {}
            }
        }
        let silent = |fd: Option<Fd>, own: fn(Fd) -> Row, other: fn(Fd) -> Row| {
            fd.is_some_and(|fd| list.contains(&own(fd)) && !list.contains(&other(fd)))
        };
        if answer.is_empty()
            && !silent(self.silent_reader, Row::Read, Row::Write)
            && !silent(self.silent_writer, Row::Write, Row::Read)
        {
            let Some(Row::Clock(timeout)) = list.first() else {
                panic!("the host would sleep for ever with {list:?}");
            };
            self.now += timeout;
            answer.push(event(rows[0].userdata, ERRNO_SUCCESS));
        }
        Ok(answer)
    }
}

/// Every row of this role says that it is watched already.
pub fn still_watched(userdata: u64) -> wasi::Event {
    event(userdata, ERRNO_EXIST)
}

/// A waiter with its simulated host.
pub struct Bench {
    pub waiter: Waiter<Sim>,
    pub sim: Sim,
    pub capacity: usize,
}

impl Bench {
    pub fn new() -> Bench {
        let sim = Sim::default();
        let waiter = Waiter::new(sim.clone());
        let capacity = 16;
        Bench {
            waiter,
            sim,
            capacity,
        }
    }

    pub fn world<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        change(&mut self.sim.0.borrow_mut())
    }

    /// A stream.
    pub fn add(&mut self, fd: Fd, interest: Interest) -> Key {
        self.insert(fd, Role::Stream, interest)
    }

    /// A socket that takes datagrams.
    pub fn add_datagrams(&mut self, fd: Fd, interest: Interest) -> Key {
        self.insert(fd, Role::Datagrams, interest)
    }

    fn insert(&mut self, fd: Fd, role: Role, interest: Interest) -> Key {
        let token = Token(fd as usize);
        let key = self.waiter.table.insert(fd, role, token, interest);
        key.expect("no descriptor is added twice")
    }

    /// One wait: each event's token and what it says.
    pub fn try_wait(&mut self, timeout: Option<Duration>) -> io::Result<Vec<(usize, Ready)>> {
        let mut out = Vec::with_capacity(self.capacity);
        let room = out.capacity();
        let result = self.waiter.wait(&mut out, timeout);
        assert_eq!(out.capacity(), room, "a wait allocates nothing");
        result?;
        let events = out.iter().map(|event: &crate::event::Event| event.raw);
        Ok(events.map(|raw| (raw.token.0, raw.ready)).collect())
    }

    pub fn wait(&mut self, timeout: Option<Duration>) -> Vec<(usize, Ready)> {
        self.try_wait(timeout)
            .expect("the wait itself does not fail")
    }

    /// The lists of the calls since the last time this was asked.
    pub fn calls(&self) -> Vec<Vec<Row>> {
        self.world(|world| std::mem::take(&mut world.calls))
    }
}
