//! A program over a waiter and a host, both of which do what the input says, against the model.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use wasi::Fd;

use super::super::model::{Any, DIRECTIONS, any_direction, any_interest, any_outcome};
use super::super::row::Role;
use super::super::wait::Waiter;
use super::answer::Answer;
use super::world::{Machine, PAUSE, World};
use crate::event::Event;
use crate::ready::Ready;
use crate::sys::{Direction, Outcome};
use crate::{Interest, Token, counting};

/// The longest program: a longer one finds the same, and later.
const STEPS: usize = 60;
/// How many rows all calls together are handed: so no program takes long.
const ROWS: u64 = 60_000;
/// The most sources at a time.
const SOURCES: usize = 200;
const WAKERS: u8 = 3;
/// How many microseconds a program is busy between two waits, at most.
const BUSY: u64 = 200;

/// A source is any that there ever was: it may be gone.
#[derive(Clone, Debug, Arbitrary)]
pub enum Step {
    Insert(
        #[arbitrary(with = any_descriptor)] Fd,
        #[arbitrary(with = any_role)] Role,
        #[arbitrary(with = any_interest)] Interest,
    ),
    /// So many streams that nobody writes to.
    Crowd(u8),
    Modify(Any, #[arbitrary(with = any_interest)] Interest),
    Remove(Any),
    /// The source will be ready, so many microseconds later.
    Ready(Any, #[arbitrary(with = any_direction)] Direction, u16),
    Quiet(Any, #[arbitrary(with = any_direction)] Direction),
    /// The program made a call, whatever it was told.
    Note(
        Any,
        #[arbitrary(with = any_direction)] Direction,
        #[arbitrary(with = any_outcome)] Outcome,
    ),
    /// So many microseconds pass.
    Work(u16),
    Wake(u8),
    /// The clock stands still, or goes on.
    Freeze(bool),
    /// The next waits have room for so many events.
    Room(u8),
    /// A wait whose events nobody minds.
    Wait(Timeout),
    /// Four times so many waits. Who is told does as it should, and is ready again as many
    /// microseconds later; the program is busy meanwhile.
    Serve(u8, Timeout, u16),
    /// The next calls of the host end so, each so many times.
    Host(Vec<(u8, Answer)>),
}

#[derive(Copy, Clone, Debug, Arbitrary)]
pub enum Timeout {
    Never,
    Zero,
    Micros(u16),
    Nanos(u64),
}

impl Timeout {
    fn limit(self) -> Option<Duration> {
        match self {
            Timeout::Never => None,
            Timeout::Zero => Some(Duration::ZERO),
            Timeout::Micros(micros) => Some(Duration::from_micros(micros.into())),
            // Half an hour at most.
            Timeout::Nanos(nanos) => Some(Duration::from_nanos(nanos >> 23)),
        }
    }
}

/// Does what the input says. Only a `hostile` host lies.
pub fn run(input: &[u8], hostile: bool) {
    let mut input = Unstructured::new(input);
    let mut program = Program::new();
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        match Step::arbitrary(&mut input) {
            Ok(Step::Host(answers)) if hostile => program.world().instruct(answers),
            Ok(step) => program.take(step),
            Err(_) => break,
        }
    }
    if !hostile {
        program.world().check_gaps();
    }
    program.recover();
}

struct Program {
    waiter: Waiter<Machine>,
    machine: Machine,
    room: usize,
    woken: BTreeSet<Token>,
    /// The most rows that a call has had, and events that a wait has had.
    peak: (usize, usize),
    crowd: Fd,
}

impl Program {
    fn new() -> Program {
        let machine = Machine(Rc::new(RefCell::new(World::default())));
        let mut waiter = Waiter::new(machine.clone());
        (0..WAKERS).for_each(|_| waiter.expect_waker());
        Program {
            waiter,
            machine,
            room: 16,
            woken: BTreeSet::new(),
            peak: (0, 0),
            crowd: 1_000,
        }
    }

    fn world(&self) -> std::cell::RefMut<'_, World> {
        self.machine.0.borrow_mut()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Insert(fd, role, interest) => self.insert(fd, role, interest),
            Step::Crowd(count) => {
                for _ in 0..4 * usize::from(count) {
                    self.crowd += 1;
                    self.insert(self.crowd, Role::Stream, Interest::READABLE);
                }
            }
            Step::Work(micros) => self.world().pass(u64::from(micros) * 1_000),
            Step::Wake(waker) => {
                let token = Token(usize::MAX - usize::from(waker % WAKERS));
                self.waiter.wake(token);
                self.woken.insert(token);
            }
            Step::Freeze(frozen) => self.world().frozen = frozen,
            Step::Room(room) => self.room = 1 + usize::from(room % 32),
            Step::Wait(timeout) => drop(self.wait(timeout.limit())),
            Step::Serve(count, timeout, delay) => {
                for _ in 0..4 * usize::from(count) {
                    if self.world().rows > ROWS {
                        break;
                    }
                    self.serve(timeout.limit(), delay.into());
                    self.world().pass(u64::from(delay).min(BUSY) * 1_000);
                }
            }
            Step::Host(_) => {}
            _ if self.world().model.sources.is_empty() => {}
            Step::Modify(any, interest) => {
                let mut world = self.machine.0.borrow_mut();
                let (token, at) = (world.model.next_token(), world.pick(any));
                world.model.modify(at, token, interest);
                self.waiter
                    .table
                    .modify(world.model.sources[at].0, token, interest);
                world.changed(at);
            }
            Step::Remove(any) => {
                let mut world = self.machine.0.borrow_mut();
                let at = world.pick(any);
                world.model.remove(at);
                self.waiter.table.remove(world.model.sources[at].0);
                world.changed(at);
            }
            Step::Ready(any, direction, micros) => {
                let mut world = self.world();
                let at = world.pick(any);
                world.ready_in(at, direction, micros.into());
            }
            Step::Quiet(any, direction) => {
                let mut world = self.world();
                let at = world.pick(any);
                world.quiet(at, direction);
            }
            Step::Note(any, direction, outcome) => {
                let at = self.world().pick(any);
                self.note(at, direction, outcome);
            }
        }
    }

    fn insert(&mut self, fd: Fd, role: Role, interest: Interest) {
        let mut world = self.machine.0.borrow_mut();
        if world.model.living().count() >= SOURCES {
            return;
        }
        let token = world.model.next_token();
        let key = self.waiter.table.insert(fd, role, token, interest);
        world.model.insert(key, fd, role, token, interest);
        if key.is_some() {
            world.added();
        }
    }

    fn note(&mut self, at: usize, direction: Direction, outcome: Outcome) {
        let mut world = self.machine.0.borrow_mut();
        world.model.note(at, direction, outcome);
        let key = world.model.sources[at].0;
        self.waiter.table.note(key, direction, outcome);
        world.changed(at);
    }

    fn serve(&mut self, timeout: Option<Duration>, delay: u64) {
        for (at, ready) in self.wait(timeout) {
            for direction in DIRECTIONS {
                if !ready.contains(direction.ready()) {
                    continue;
                }
                let outcome = match direction {
                    Direction::Read => Outcome::Drained,
                    Direction::Write => Outcome::Dry,
                };
                self.note(at, direction, outcome);
                self.world().ready_in(at, direction, delay);
            }
        }
    }

    /// One wait: who was told what. All that must hold for it does.
    fn wait(&mut self, timeout: Option<Duration>) -> Vec<(usize, Ready)> {
        let mut out: Vec<Event> = Vec::with_capacity(self.room);
        let idle = self.woken.is_empty();
        let expected = idle && timeout.is_none() && !self.world().is_anybody_watched();
        self.world().begin();
        let rows = self.waiter.table.rows.count() + self.waiter.table.parked();
        let before = counting::allocations();
        let result = self.waiter.wait(&mut out, timeout);
        let allocated = counting::allocations() - before;
        if self.waiter.table.parked() == 0 {
            self.world().model.unpark();
        }
        let told = self.check_events(&out);
        if result.is_ok() {
            self.check_memory(rows, allocated, told.len());
        }
        let mut world = self.machine.0.borrow_mut();
        world.check_calls();
        match result {
            Ok(()) => {
                assert!(!expected, "nothing could ever happen, and it waited");
                world.check_end(out.len(), self.room, timeout);
                let full = out.len() == self.room;
                assert!(full || self.woken.is_empty(), "a wake is late");
            }
            Err(error) => {
                assert!(out.is_empty(), "an error hides events");
                assert_eq!(
                    error.kind() == ErrorKind::InvalidInput && world.calls() == 0,
                    expected
                );
                assert!(
                    expected || world.explains(&error),
                    "{error} is nobody's fault"
                );
            }
        }
        told
    }

    /// Once warm, a wait allocates nothing.
    fn check_memory(&mut self, rows: usize, allocated: usize, told: usize) {
        let Some((own, shown)) = self.world().spent() else {
            return;
        };
        // An event may be of two rows.
        let warm = rows < self.peak.0 && 2 * told <= self.peak.1;
        assert!(!warm || allocated == own, "{} times", allocated - own);
        self.peak = (self.peak.0.max(shown), self.peak.1.max(told));
    }

    /// Each event is of a source that is registered, or of a waker that was used; each once.
    fn check_events(&mut self, out: &[Event]) -> Vec<(usize, Ready)> {
        let mut tokens = BTreeSet::new();
        let mut told = Vec::new();
        for Event { raw } in out {
            assert!(tokens.insert(raw.token), "{:?} is told twice", raw.token);
            if self.woken.remove(&raw.token) {
                assert_eq!(raw.ready, Ready::READABLE);
                continue;
            }
            told.push((self.world().told(raw.token, raw.ready), raw.ready));
        }
        told
    }

    /// Whatever the host did: from now on it is honest, and whoever is watched and ready is told
    /// within the stated time.
    fn recover(&mut self) {
        self.world().reform();
        self.room = 32;
        let mut waiting = self.world().watched();
        let rows = waiting.len() as u64;
        let mut left = self.world().bound() + PAUSE + rows * 2 * 40_000;
        let second = Some(Duration::from_secs(1));
        while !waiting.is_empty() {
            let before = self.world().now;
            for (at, ready) in self.wait(second) {
                for direction in DIRECTIONS {
                    if ready.contains(direction.ready()) {
                        waiting.remove(&(at, direction as usize));
                    }
                }
            }
            let passed = (self.world().now - before).max(1_000);
            assert!(left > 0, "{waiting:?} are lost");
            left = left.saturating_sub(passed);
        }
    }
}

fn any_descriptor(input: &mut Unstructured<'_>) -> Result<Fd> {
    input.int_in_range(0..=23)
}

fn any_role(input: &mut Unstructured<'_>) -> Result<Role> {
    input
        .choose(&[Role::Stream, Role::Stream, Role::Listener, Role::Datagrams])
        .copied()
}
