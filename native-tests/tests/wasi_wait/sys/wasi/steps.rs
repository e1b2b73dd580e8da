//! The table, asked step by step, against its model: everything that can be asked of it and
//! everything that a host may answer, in or out of order, twice, late, or made up. After each step
//! the list for the host is what the model says it is.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Result, Unstructured};
use wasi::{Fd, Subscription};

use super::model::{
    Any, DIRECTIONS, Drained, Model, Source, State, any_direction, any_interest, any_outcome,
};
use super::row::{FIRST, First, Role};
use super::table::{Delivery, Table};
use super::wire::{Row, decode};
use crate::event::Event;
use crate::ready::Ready;
use crate::sys::{Direction, Outcome};
use crate::{Interest, Token};

/// A source is any that there ever was: it may be gone.
#[derive(Clone, Debug, Arbitrary)]
pub enum Step {
    /// The last value says whether it is a socket for datagrams.
    Insert(
        #[arbitrary(with = any_descriptor)] Fd,
        #[arbitrary(with = any_interest)] Interest,
        bool,
    ),
    Modify(Any, #[arbitrary(with = any_interest)] Interest),
    Remove(Any),
    Arm(Any, #[arbitrary(with = any_direction)] Direction),
    Disarm(Any, #[arbitrary(with = any_direction)] Direction),
    Park(Any, #[arbitrary(with = any_direction)] Direction),
    /// An I/O call has ended so.
    Note(
        Any,
        #[arbitrary(with = any_direction)] Direction,
        #[arbitrary(with = any_outcome)] Outcome,
    ),
    /// A read came up short.
    ShortRead(Any),
    /// Somebody is about to read.
    Read(Any),
    Unpark,
    ParkWriters,
    /// A host that reports nothing, with so much room.
    Silent(#[arbitrary(with = any_room)] usize),
    /// A host's answer, with so much room.
    Deliver(#[arbitrary(with = any_room)] usize, Vec<Answer>),
}

#[derive(Clone, Debug, Arbitrary)]
pub enum Answer {
    /// A row of the list as it was when the wait began; several may name the same.
    Listed(Any, #[arbitrary(with = any_ready)] Ready),
    /// A row of any list that there ever was.
    Former(Any, #[arbitrary(with = any_ready)] Ready),
    Invented(u64, #[arbitrary(with = any_ready)] Ready),
}

/// The table and what it should be.
pub struct Bench {
    pub table: Table,
    model: Model,
    /// Every row ever seen in the list: its number, whose it is, and the direction.
    rows: Vec<(u64, usize, Direction)>,
}

impl Bench {
    pub fn new() -> Bench {
        Bench {
            table: Table::new(),
            model: Model::default(),
            rows: Vec::new(),
        }
    }

    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Insert(fd, interest, datagrams) => self.insert(*fd, *interest, *datagrams),
            Step::Unpark => {
                self.table.unpark();
                self.model.unpark();
                assert_eq!(self.table.parked(), 0);
            }
            Step::ParkWriters => self.park_writers(),
            Step::Silent(room) => self.report_silent(*room),
            Step::Deliver(room, answers) => self.deliver(*room, answers),
            _ if self.model.sources.is_empty() => {}
            Step::Modify(any, interest) => {
                let token = self.model.next_token();
                let at = any.index(self.model.sources.len());
                self.table
                    .modify(self.model.sources[at].0, token, *interest);
                self.model.modify(at, token, *interest);
            }
            Step::Remove(any) => {
                let at = any.index(self.model.sources.len());
                self.table.remove(self.model.sources[at].0);
                self.model.remove(at);
            }
            Step::Note(any, direction, outcome) => self.note(*any, *direction, *outcome),
            Step::ShortRead(any) => self.note(*any, Direction::Read, Outcome::Drained),
            Step::Read(any) => {
                let at = any.index(self.model.sources.len());
                let known = self.table.take_drained(self.model.sources[at].0);
                assert_eq!(known, self.model.take_drained(at));
            }
            Step::Arm(any, direction) => self.set(*any, *direction, State::Armed),
            Step::Disarm(any, direction) => self.set(*any, *direction, State::Disarmed),
            Step::Park(any, direction) => self.set(*any, *direction, State::Parked),
        }
    }

    fn note(&mut self, any: Any, direction: Direction, outcome: Outcome) {
        let at = any.index(self.model.sources.len());
        let key = self.model.sources[at].0;
        self.table.note(key, direction, outcome);
        self.model.note(at, direction, outcome);
    }

    /// A wait begins.
    fn begin(&mut self) {
        self.table.begin();
        self.model.begin();
    }

    fn set(&mut self, any: Any, direction: Direction, state: State) {
        let at = any.index(self.model.sources.len());
        let key = self.model.sources[at].0;
        match state {
            State::Armed => self.table.arm(key, direction),
            State::Parked => self.table.park(key, direction),
            State::Disarmed | State::Unwanted => self.table.disarm(key, direction),
        }
        self.model.set(at, direction, state);
    }

    pub fn insert(&mut self, fd: Fd, interest: Interest, datagrams: bool) {
        let token = self.model.next_token();
        let role = if datagrams {
            Role::Datagrams
        } else {
            Role::Stream
        };
        let key = self.table.insert(fd, role, token, interest);
        self.model.insert(key, fd, role, token, interest);
    }

    /// The sources of which this holds.
    fn those(&self, test: impl Fn(&Source) -> bool) -> BTreeSet<usize> {
        let living = self.model.living();
        living
            .filter(|(_, source)| test(source))
            .map(|(at, _)| at)
            .collect()
    }

    fn park_writers(&mut self) {
        let lone = self.those(|source| source.is_lone(Direction::Write));
        assert_eq!(self.table.park_writers(), !lone.is_empty());
        for at in lone {
            self.model.set(at, Direction::Write, State::Parked);
        }
    }

    /// The host said nothing: of the sockets for datagrams that wait to read alone, or else of all
    /// that wait, as many are told as there is room for, and whoever was told is disarmed. Which
    /// of them it is, is the table's choice.
    fn report_silent(&mut self, room: usize) {
        let readers =
            self.those(|source| source.role == Role::Datagrams && source.is_lone(Direction::Read));
        let all = self.those(|source| source.states.contains(&State::Armed));
        let candidates = if readers.is_empty() { &all } else { &readers };
        let mut out: Vec<Event> = Vec::with_capacity(room);
        self.begin();
        self.table.report_silent(&mut out, true);
        assert_eq!(out.len(), candidates.len().min(room));
        let mut told = BTreeSet::new();
        for event in &out {
            let (at, _) = self
                .model
                .owner(event.raw.token)
                .expect("the event of a source");
            assert!(
                candidates.contains(&at) && told.insert(at),
                "told wrongly, or twice"
            );
            let source = self.model.source(at).expect("it lives");
            assert_eq!(Some(event.raw.ready), source.tell_all());
        }
    }

    fn deliver(&mut self, room: usize, answers: &[Answer]) {
        let listed: Vec<u64> = whole(&mut self.table, None)
            .iter()
            .map(|row| row.userdata)
            .collect();
        let mut out = Vec::with_capacity(room);
        let mut expected: Vec<(Token, Ready)> = Vec::new();
        self.begin();
        for answer in answers {
            let (userdata, ready) = match answer {
                Answer::Listed(any, ready) if !listed.is_empty() => (*any.get(&listed), *ready),
                Answer::Former(any, ready) if !self.rows.is_empty() => {
                    (any.get(&self.rows).0, *ready)
                }
                Answer::Invented(userdata, ready) => (*userdata, *ready),
                _ => continue,
            };
            let row = self.rows.iter().find(|(number, ..)| *number == userdata);
            let source = row.and_then(|(_, at, direction)| {
                let source = self.model.source(*at)?;
                source.is_armed(*direction).then_some((source, *direction))
            });
            let result = self.table.deliver(userdata, ready, &mut out);
            let Some((source, direction)) = source else {
                assert_eq!(result, Delivery::Stale);
                continue;
            };
            if ready.contains(Ready::READ_CLOSED) {
                source.drained = Drained::Ending;
            }
            // What fired before and was not found wanting since is told along.
            let other = direction.other();
            let ready = ready | other.ready().when(source.is_open(other));
            let told = expected
                .iter_mut()
                .find(|(token, _)| *token == source.token);
            if let Some((_, already)) = told {
                *already = *already | ready;
            } else if expected.len() < room {
                expected.push((source.token, ready));
            } else {
                assert_eq!(result, Delivery::Full);
                continue;
            }
            assert_eq!(result, Delivery::Done);
            source.states[direction as usize] = State::Disarmed;
        }
        let out: Vec<_> = out
            .iter()
            .map(|event: &Event| (event.raw.token, event.raw.ready))
            .collect();
        assert_eq!(out, expected);
    }

    /// The list is in wire format what the model is in words.
    pub fn check(&mut self) {
        let list: Vec<Subscription> = whole(&mut self.table, None).to_vec();
        let mut seen = BTreeSet::new();
        for subscription in &list {
            let (fd, direction) = descriptor(subscription);
            assert!(
                seen.insert((fd, direction as usize)),
                "{fd} {direction:?} is there twice"
            );
            assert_ne!(subscription.userdata, FIRST);
            let mut living = self.model.living();
            let (at, _) = living
                .find(|(_, source)| source.fd == fd)
                .expect("a row of a source");
            drop(living);
            let row = (subscription.userdata, at, direction);
            match self
                .rows
                .iter()
                .find(|(number, ..)| *number == subscription.userdata)
            {
                Some(known) => assert_eq!(*known, row, "a number names one row for ever"),
                None => self.rows.push(row),
            }
        }
        let state = |state| {
            let all = self.model.living().flat_map(|(_, source)| {
                DIRECTIONS.map(|direction| (source.fd, direction as usize, source.states))
            });
            let these = all.filter(move |(_, direction, states)| states[*direction] == state);
            these
                .map(|(fd, direction, _)| (fd, direction))
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(seen, state(State::Armed));
        let may_be_silent =
            |source: &Source| source.role == Role::Datagrams || source.is_armed(Direction::Write);
        let suspects = self
            .model
            .living()
            .filter(|(_, source)| may_be_silent(source));
        assert_eq!(self.table.has_suspects(), suspects.count() > 0);
        let parked = !state(State::Parked).is_empty();
        // More may count as parked than is: a row that is gone since is found out by `unpark`.
        assert!(self.table.parked() > 0 || !parked);
        assert_eq!(self.table.has_armed(), !list.is_empty());

        for (first, row) in [
            (First::Clock(5), Row::Clock(5)),
            (First::Spare(77), Row::Write(77)),
        ] {
            let whole = whole(&mut self.table, Some(first));
            assert_eq!((whole[0].userdata, decode(&whole[0])), (FIRST, row));
            let rest = whole[1..].iter().map(|row| (row.userdata, decode(row)));
            assert!(rest.eq(list.iter().map(|row| (row.userdata, decode(row)))));
        }
    }
}

/// Every row, as a call that hands over everything has it.
pub fn whole(table: &mut Table, first: Option<First>) -> &[Subscription] {
    table.rows.settle();
    let cold = table.rows.cold();
    table.rows.show(cold);
    table.rows.prefix(first)
}

pub fn descriptor(subscription: &Subscription) -> (Fd, Direction) {
    match decode(subscription) {
        Row::Read(fd) => (fd, Direction::Read),
        Row::Write(fd) => (fd, Direction::Write),
        Row::Clock(_) => panic!("a clock among the sources"),
    }
}

fn any_descriptor(input: &mut Unstructured<'_>) -> Result<Fd> {
    input.int_in_range(0..=11)
}

fn any_room(input: &mut Unstructured<'_>) -> Result<usize> {
    input.int_in_range(0..=7)
}

/// What a host's word may make of a row.
pub const READY: [Ready; 4] = [
    Ready::READABLE,
    Ready::WRITABLE,
    Ready(Ready::ERROR.0 | Ready::READABLE.0),
    Ready::READ_CLOSED,
];

fn any_ready(input: &mut Unstructured<'_>) -> Result<Ready> {
    input.choose(&READY).copied()
}
