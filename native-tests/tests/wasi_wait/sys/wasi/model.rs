//! The table against a naive model of it: random sequences of everything that can be asked of it
//! and of everything that a host may answer, in or out of order, twice, late, or made up. After
//! each step the list for the host is what the model says it is.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wasi::{Fd, Subscription};

use super::host::{Row, decode};
use super::row::{FIRST, First, Key, Role};
use super::table::{Delivery, Table};
use crate::event::Event;
use crate::ready::Ready;
use crate::sys::Direction;
use crate::{Interest, Token};

const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];

#[derive(Clone, Debug)]
enum Step {
    /// The last value says whether it is a socket for datagrams.
    Insert(Fd, Interest, bool),
    Modify(Any, Interest),
    Remove(Any),
    Arm(Any, Direction),
    Disarm(Any, Direction),
    Park(Any, Direction),
    Unpark,
    ParkWriters,
    /// A host that reports nothing, with so much room.
    Silent(usize),
    /// A host's answer, with so much room.
    Deliver(usize, Vec<Answer>),
}

/// Any key that was ever given out, as a share of them: its source may be gone.
type Any = prop::sample::Index;

#[derive(Clone, Debug)]
enum Answer {
    /// A row of the list as it was when the wait began; several may name the same.
    Listed(Any, Ready),
    /// A row of any list that there ever was.
    Former(Any, Ready),
    Invented(u64, Ready),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum State {
    Unwanted,
    Armed,
    Disarmed,
    Parked,
}

struct Source {
    fd: Fd,
    token: Token,
    interest: Interest,
    datagrams: bool,
    states: [State; 2],
}

/// The table and what it should be.
struct Bench {
    table: Table,
    /// Every key ever given out, with its source while that is in the table.
    sources: Vec<(Key, Option<Source>)>,
    /// Every row ever seen in the list: its number, whose it is, and the direction.
    rows: Vec<(u64, usize, Direction)>,
    /// No two sources have the same token, ever, so an event tells whose it is.
    tokens: usize,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            table: Table::new(),
            sources: Vec::new(),
            rows: Vec::new(),
            tokens: 0,
        }
    }

    fn next_token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Insert(fd, interest, datagrams) => self.insert(*fd, *interest, *datagrams),
            Step::Unpark => {
                self.table.unpark();
                self.change_all(|state| {
                    if state == State::Parked {
                        State::Armed
                    } else {
                        state
                    }
                });
                assert_eq!(self.table.parked(), 0);
            }
            Step::ParkWriters => self.park_writers(),
            Step::Silent(room) => self.report_silent(*room),
            Step::Deliver(room, answers) => self.deliver(*room, answers),
            _ if self.sources.is_empty() => {}
            Step::Modify(any, interest) => {
                let (key, at, token) = (
                    self.key(any),
                    any.index(self.sources.len()),
                    self.next_token(),
                );
                self.table.modify(key, token, *interest);
                if let Some(source) = &mut self.sources[at].1 {
                    (source.token, source.interest) = (token, *interest);
                    source.states = armed(*interest);
                }
            }
            Step::Remove(any) => {
                let (key, at) = (self.key(any), any.index(self.sources.len()));
                self.table.remove(key);
                self.sources[at].1 = None;
            }
            Step::Arm(any, direction) => {
                self.table.arm(self.key(any), *direction);
                self.set(any, *direction, State::Armed);
            }
            Step::Disarm(any, direction) => {
                self.table.disarm(self.key(any), *direction);
                self.set(any, *direction, State::Disarmed);
            }
            Step::Park(any, direction) => {
                self.table.park(self.key(any), *direction);
                self.set(any, *direction, State::Parked);
            }
        }
    }

    fn key(&self, any: &Any) -> Key {
        any.get(&self.sources).0
    }

    fn insert(&mut self, fd: Fd, interest: Interest, datagrams: bool) {
        let token = self.next_token();
        let taken = self.living().any(|(_, source)| source.fd == fd);
        let role = if datagrams {
            Role::Datagrams
        } else {
            Role::Stream
        };
        let key = self.table.insert(fd, role, token, interest);
        assert_eq!(key.is_none(), taken, "a descriptor is in the table once");
        if let Some(key) = key {
            assert!(
                self.sources.iter().all(|(other, _)| *other != key),
                "a key is given out once"
            );
            let source = Source {
                fd,
                token,
                interest,
                datagrams,
                states: armed(interest),
            };
            self.sources.push((key, Some(source)));
        }
    }

    fn living(&self) -> impl Iterator<Item = (usize, &Source)> {
        let sources = self.sources.iter().enumerate();
        sources.filter_map(|(at, (_, source))| Some((at, source.as_ref()?)))
    }

    fn set(&mut self, any: &Any, direction: Direction, state: State) {
        let at = any.index(self.sources.len());
        if let Some(source) = &mut self.sources[at].1 {
            let old = &mut source.states[direction as usize];
            if *old != State::Unwanted {
                *old = state;
            }
        }
    }

    fn change_all(&mut self, change: impl Fn(State) -> State) {
        let living = self
            .sources
            .iter_mut()
            .filter_map(|(_, source)| source.as_mut());
        living.for_each(|source| source.states = source.states.map(&change));
    }

    /// Whose direction is armed while the other one is not.
    fn lone(&self, direction: Direction) -> BTreeSet<usize> {
        let other = 1 - direction as usize;
        let is_lone = |source: &Source| {
            source.states[direction as usize] == State::Armed
                && source.states[other] != State::Armed
        };
        self.living()
            .filter(|(_, source)| is_lone(source))
            .map(|(at, _)| at)
            .collect()
    }

    fn park_writers(&mut self) {
        let lone = self.lone(Direction::Write);
        assert_eq!(self.table.park_writers(), !lone.is_empty());
        for at in lone {
            let source = self.sources[at].1.as_mut().expect("it lives");
            source.states[Direction::Write as usize] = State::Parked;
        }
    }

    /// The host said nothing: of the sockets for datagrams that wait to read alone, or else of all
    /// that wait, as many are told as there is room for, and whoever was told is disarmed. Which
    /// of them it is, is the table's choice.
    fn report_silent(&mut self, room: usize) {
        let mut readers = self.lone(Direction::Read);
        readers.retain(|at| {
            self.sources[*at]
                .1
                .as_ref()
                .is_some_and(|source| source.datagrams)
        });
        let is_armed = |source: &Source| source.states.contains(&State::Armed);
        let all = self
            .living()
            .filter(|(_, source)| is_armed(source))
            .map(|(at, _)| at)
            .collect();
        let candidates = if readers.is_empty() { &all } else { &readers };
        let mut out: Vec<Event> = Vec::with_capacity(room);
        self.table.begin();
        self.table.report_silent(&mut out, true);
        assert_eq!(out.len(), candidates.len().min(room));
        let mut told = BTreeSet::new();
        for event in &out {
            let found = self
                .living()
                .find(|(_, source)| source.token == event.raw.token);
            let (at, source) = found.expect("the event of a source");
            assert!(
                candidates.contains(&at) && told.insert(at),
                "told wrongly, or twice"
            );
            let parts = DIRECTIONS
                .iter()
                .filter(|d| source.states[**d as usize] == State::Armed || is_open(source, **d));
            assert_eq!(
                Some(event.raw.ready),
                parts.map(|d| d.ready()).reduce(|a, b| a | b)
            );
        }
        for at in told {
            let source = self.sources[at].1.as_mut().expect("it lives");
            source.states = source.states.map(delivered);
        }
    }

    fn deliver(&mut self, room: usize, answers: &[Answer]) {
        let listed: Vec<u64> = whole(&mut self.table, None)
            .iter()
            .map(|row| row.userdata)
            .collect();
        let mut out = Vec::with_capacity(room);
        let mut expected: Vec<(Token, Ready)> = Vec::new();
        self.table.begin();
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
                let source = self.sources[*at].1.as_mut()?;
                (source.states[*direction as usize] == State::Armed).then_some((source, *direction))
            });
            let result = self.table.deliver(userdata, ready, &mut out);
            let Some((source, direction)) = source else {
                assert_eq!(result, Delivery::Stale);
                continue;
            };
            // What fired before and was not found wanting since is told along.
            let other = DIRECTIONS[1 - direction as usize];
            let ready = ready | other.ready().when(is_open(source, other));
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
    fn check(&mut self) {
        let list: Vec<Subscription> = whole(&mut self.table, None).to_vec();
        let mut seen = BTreeSet::new();
        for subscription in &list {
            let (fd, direction) = descriptor(subscription);
            assert!(
                seen.insert((fd, direction as usize)),
                "{fd} {direction:?} is there twice"
            );
            assert_ne!(subscription.userdata, FIRST);
            let mut living = self.living();
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
            let all = self.living().flat_map(|(_, source)| {
                DIRECTIONS.map(|direction| (source.fd, direction as usize, source.states))
            });
            let these = all.filter(move |(_, direction, states)| states[*direction] == state);
            these
                .map(|(fd, direction, _)| (fd, direction))
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(seen, state(State::Armed));
        let may_be_silent = |source: &Source| source.datagrams || source.states[1] == State::Armed;
        let suspects = self.living().filter(|(_, source)| may_be_silent(source));
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

/// Whether this direction has fired and was not found wanting since.
/// Every row, as a call that hands over everything has it.
fn whole(table: &mut Table, first: Option<First>) -> &[Subscription] {
    table.rows.settle();
    let cold = table.rows.cold();
    table.rows.show(cold);
    table.rows.prefix(first)
}

fn is_open(source: &Source, direction: Direction) -> bool {
    source.states[direction as usize] == State::Disarmed
}

fn armed(interest: Interest) -> [State; 2] {
    [interest.is_readable(), interest.is_writable()].map(|wanted| {
        if wanted {
            State::Armed
        } else {
            State::Unwanted
        }
    })
}

fn delivered(state: State) -> State {
    if state == State::Armed {
        State::Disarmed
    } else {
        state
    }
}

fn descriptor(subscription: &Subscription) -> (Fd, Direction) {
    match decode(subscription) {
        Row::Read(fd) => (fd, Direction::Read),
        Row::Write(fd) => (fd, Direction::Write),
        Row::Clock(_) => panic!("a clock among the sources"),
    }
}

fn interests() -> impl Strategy<Value = Interest> {
    let both = Interest::READABLE | Interest::WRITABLE;
    prop::sample::select(vec![Interest::READABLE, Interest::WRITABLE, both, both])
}

fn steps() -> impl Strategy<Value = Step> {
    let any = any::<Any>;
    let direction = || prop::sample::select(&DIRECTIONS[..]);
    let ready = || {
        let error = Ready::ERROR | Ready::READABLE;
        prop::sample::select(vec![
            Ready::READABLE,
            Ready::WRITABLE,
            error,
            Ready::READ_CLOSED,
        ])
    };
    let answer = prop_oneof![
        6 => (any(), ready()).prop_map(|(any, ready)| Answer::Listed(any, ready)),
        2 => (any(), ready()).prop_map(|(any, ready)| Answer::Former(any, ready)),
        1 => (prop_oneof![Just(FIRST), 0_u64..64, proptest::num::u64::ANY], ready())
            .prop_map(|(userdata, ready)| Answer::Invented(userdata, ready)),
    ];
    prop_oneof![
        6 => (0..12_u32, interests(), proptest::bool::ANY)
            .prop_map(|(fd, interest, udp)| Step::Insert(fd, interest, udp)),
        2 => (any(), interests()).prop_map(|(any, interest)| Step::Modify(any, interest)),
        2 => any().prop_map(Step::Remove),
        3 => (any(), direction()).prop_map(|(any, direction)| Step::Arm(any, direction)),
        2 => (any(), direction()).prop_map(|(any, direction)| Step::Disarm(any, direction)),
        2 => (any(), direction()).prop_map(|(any, direction)| Step::Park(any, direction)),
        1 => Just(Step::Unpark),
        1 => Just(Step::ParkWriters),
        1 => (0..8_usize).prop_map(Step::Silent),
        5 => (0..6_usize, prop::collection::vec(answer, 0..16))
            .prop_map(|(room, answers)| Step::Deliver(room, answers)),
    ]
}

/// Many cases, and no file beside the sources: a failure prints its smallest steps.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_table_is_its_model(steps in prop::collection::vec(steps(), 0..60)) {
        let mut bench = Bench::new();
        for step in &steps {
            bench.take(step);
            bench.check();
        }
    }

    /// With room for few events a wait, everyone is told once, and nobody waits for longer than
    /// it takes to tell the others.
    #[test]
    fn little_room_delays_and_loses_nothing(
        interests in prop::collection::vec(interests(), 1..40),
        room in 1..7_usize,
    ) {
        let mut bench = Bench::new();
        for (fd, interest) in interests.iter().enumerate() {
            bench.insert(fd as Fd, *interest, fd % 3 == 0);
        }
        let mut told = BTreeSet::new();
        for _ in 0..interests.len().div_ceil(room) {
            let mut out = Vec::with_capacity(room);
            bench.table.begin();
            let list: Vec<Subscription> = whole(&mut bench.table, None).to_vec();
            for row in list {
                let (_, direction) = descriptor(&row);
                bench.table.deliver(row.userdata, direction.ready(), &mut out);
            }
            let tokens = out.iter().map(|event: &Event| event.raw.token.0);
            tokens.for_each(|token| assert!(told.insert(token), "{token} is told twice"));
        }
        prop_assert_eq!(told.len(), interests.len());
        bench.table.begin();
        prop_assert!(!bench.table.has_armed());
    }
}
