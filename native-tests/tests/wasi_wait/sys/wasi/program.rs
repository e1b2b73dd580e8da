//! A program over the simulated host: it waits, reads what is ready, and changes its mind.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

use wasi::Fd;

use super::cost::{Costs, Machine, NEVER, Simulated};
use super::host::READ;
use super::row::{Key, Role};
use super::wait::Waiter;
use crate::Token;
use crate::event::Event;
use crate::sys::{Direction, Outcome};

pub const ZERO: Option<Duration> = Some(Duration::ZERO);

/// A program that reads from sources, which are numbered from 0.
pub struct Program {
    pub waiter: Waiter<Simulated>,
    host: Simulated,
    keys: Vec<Key>,
    out: Vec<Event>,
}

impl Program {
    /// With room for so many events.
    pub fn new(costs: Costs, room: usize) -> Program {
        let host = Simulated(Rc::new(RefCell::new(Machine::new(costs))));
        Program {
            waiter: Waiter::new(host.clone()),
            host,
            keys: Vec::new(),
            out: Vec::with_capacity(room),
        }
    }

    pub fn machine(&self) -> RefMut<'_, Machine> {
        self.host.0.borrow_mut()
    }

    /// What time it is, and how many waits there were.
    pub fn clock(&self) -> (u64, u64) {
        let machine = self.machine();
        (machine.time, machine.waits)
    }

    /// Adds a source.
    pub fn add(&mut self) -> usize {
        let fd = self.keys.len();
        self.machine().add();
        self.keys.push(Key::NOBODY);
        self.insert(fd);
        fd
    }

    /// Adds again what was removed.
    pub fn insert(&mut self, fd: usize) {
        let table = &mut self.waiter.table;
        let key = table.insert(fd as Fd, Role::Stream, Token(fd), READ);
        self.keys[fd] = key.expect("it was removed");
        self.watch(fd);
    }

    pub fn remove(&mut self, fd: usize) {
        self.waiter.table.remove(self.keys[fd]);
        self.machine().sources[fd].watched = false;
    }

    pub fn modify(&mut self, fd: usize) {
        self.waiter.table.modify(self.keys[fd], Token(fd), READ);
        self.watch(fd);
    }

    fn watch(&mut self, fd: usize) {
        let mut machine = self.machine();
        let seen = (machine.time, machine.waits);
        let source = &mut machine.sources[fd];
        if !source.watched {
            (source.watched, source.seen) = (true, seen);
        }
    }

    /// Time passes in the program.
    pub fn work(&mut self, time: u64) {
        self.machine().time += time;
    }

    /// It will be ready so much later.
    pub fn ready_in(&mut self, fd: usize, delay: u64) {
        let mut machine = self.machine();
        machine.sources[fd].ready = machine.time + delay;
    }

    /// Reads all that there is; there will be more so much later.
    pub fn read(&mut self, fd: usize, delay: u64) {
        self.note(fd, Outcome::Drained);
        self.watch(fd);
        self.ready_in(fd, delay);
    }

    pub fn note(&mut self, fd: usize, outcome: Outcome) {
        let key = self.keys[fd];
        self.waiter.table.note(key, Direction::Read, outcome);
    }

    /// Where its row stands.
    pub fn place(&self, fd: usize) -> u32 {
        self.waiter
            .table
            .rows
            .at(self.keys[fd].slot, Direction::Read)
    }

    /// The last wait that handed it over, or the one after which it began to wait for that.
    pub fn seen(&self, fd: usize) -> u64 {
        self.machine().sources[fd].seen.1
    }

    /// One wait: how many events there are.
    pub fn wait(&mut self, timeout: Option<Duration>) -> usize {
        self.machine().waits += 1;
        self.out.clear();
        let result = self.waiter.wait(&mut self.out, timeout);
        result.expect("the wait itself does not fail");
        for at in 0..self.out.len() {
            let fd = self.told(at);
            if fd < self.keys.len() {
                let source = &mut self.machine().sources[fd];
                (source.watched, source.ready) = (false, NEVER);
            }
        }
        self.out.len()
    }

    /// Whose the last wait's event is.
    pub fn told(&self, at: usize) -> usize {
        self.out[at].raw.token.0
    }

    /// Whether the last wait's event is this one's.
    pub fn has_told(&self, at: usize, fd: usize) -> bool {
        at < self.out.len() && self.told(at) == fd
    }

    /// A wait after which all who were told read, and are ready again so much later. How long it
    /// took.
    pub fn serve(&mut self, timeout: Option<Duration>, delay: u64) -> u64 {
        let began = self.machine().time;
        for at in 0..self.wait(timeout) {
            let fd = self.told(at);
            if fd < self.keys.len() {
                self.read(fd, delay);
            }
        }
        self.machine().time - began
    }

    /// A program with so many sources that are always ready, the first ones, and so many others,
    /// which have been silent for so long that they are cold.
    pub fn settled(costs: Costs, room: usize, hot: usize, cold: usize) -> Program {
        let mut program = Program::new(costs, room);
        for fd in 0..hot + cold {
            program.add();
            if fd < hot {
                program.ready_in(fd, 0);
            }
        }
        program.settle(cold);
        program
    }

    /// Serves those who are ready until so many are cold, and the schedule expects them to be.
    pub fn settle(&mut self, cold: usize) {
        let mut left = 16;
        for wait in 0.. {
            assert!(wait < 100_000, "there will never be {cold} cold rows");
            if left == 0 {
                break;
            }
            self.serve(None, 0);
            if self.waiter.table.rows.cold() >= cold {
                left -= 1;
            }
        }
        let mut machine = self.machine();
        machine.worst = (0, 0);
        machine.looks = 0;
        machine.calls.clear();
    }
}
