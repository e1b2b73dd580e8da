//! A naive model of the table: for each source that is registered, whether each of its directions
//! is armed. No list, no numbers, no search that could be wrong; what is to be told and what is
//! not follows from it.

use arbitrary::Arbitrary;
use wasi::Fd;

use super::row::{Key, Role};
use crate::ready::Ready;
use crate::sys::{Direction, Outcome};
use crate::{Interest, Token};

pub const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];

/// Those of any call. `Drained` is a read's alone.
pub const OUTCOMES: [Outcome; 7] = [
    Outcome::Moved,
    Outcome::Took,
    Outcome::Dry,
    Outcome::Left,
    Outcome::Stuck,
    Outcome::Ended,
    Outcome::Nothing,
];

/// After more events than this of which nothing came, the next is told after a pause.
const MANY: u32 = 4;

/// One of a list, as a share of it.
#[derive(Copy, Clone, Debug, Arbitrary)]
pub struct Any(pub u16);

impl Any {
    pub fn index(self, count: usize) -> usize {
        (usize::from(self.0) * count) >> 16
    }

    pub fn get<T>(self, list: &[T]) -> &T {
        &list[self.index(list.len())]
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    Unwanted,
    Armed,
    Disarmed,
    Parked,
}

pub struct Source {
    pub fd: Fd,
    pub token: Token,
    pub interest: Interest,
    pub role: Role,
    pub states: [State; 2],
    pub drained: Drained,
    /// How many events in a row, by direction, nothing came of.
    futile: [u32; 2],
}

/// What is known of a source's next read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    Unknown,
    /// The last came up short, and no wait began since: it would block.
    Known,
    /// The peer is gone: the next may be the end.
    Ending,
}

#[derive(Default)]
pub struct Model {
    /// Every key ever given out, with its source while that is in the table.
    pub sources: Vec<(Key, Option<Source>)>,
    /// No two sources have the same token, ever, so an event tells whose it is.
    tokens: usize,
}

impl Model {
    pub fn next_token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    pub fn living(&self) -> impl Iterator<Item = (usize, &Source)> {
        let sources = self.sources.iter().enumerate();
        sources.filter_map(|(at, (_, source))| Some((at, source.as_ref()?)))
    }

    /// Whose token this is.
    pub fn owner(&self, token: Token) -> Option<(usize, &Source)> {
        self.living().find(|(_, source)| source.token == token)
    }

    pub fn source(&mut self, at: usize) -> Option<&mut Source> {
        self.sources[at].1.as_mut()
    }

    /// The table's answer to a new source.
    pub fn insert(&mut self, key: Option<Key>, fd: Fd, role: Role, token: Token, what: Interest) {
        let taken = self.living().any(|(_, source)| source.fd == fd);
        assert_eq!(key.is_none(), taken, "a descriptor is in the table once");
        let Some(key) = key else { return };
        assert!(
            self.sources.iter().all(|(other, _)| *other != key),
            "a key is given out once"
        );
        let source = Source {
            fd,
            token,
            interest: what,
            role,
            states: armed(what),
            drained: Drained::Unknown,
            futile: [0; 2],
        };
        self.sources.push((key, Some(source)));
    }

    pub fn modify(&mut self, at: usize, token: Token, interest: Interest) {
        if let Some(source) = self.source(at) {
            (source.token, source.interest) = (token, interest);
            source.states = armed(interest);
            source.drained = Drained::Unknown;
        }
    }

    /// A wait begins.
    pub fn begin(&mut self) {
        let sources = self.sources.iter_mut();
        let living = sources.filter_map(|(_, source)| source.as_mut());
        for source in living.filter(|source| source.drained == Drained::Known) {
            source.drained = Drained::Unknown;
        }
    }

    /// Whether a source's next read would block; it is known once.
    pub fn take_drained(&mut self, at: usize) -> bool {
        let Some(source) = self.source(at) else {
            return false;
        };
        let known = source.drained == Drained::Known;
        if known {
            source.drained = Drained::Unknown;
        }
        known
    }

    pub fn remove(&mut self, at: usize) {
        self.sources[at].1 = None;
    }

    pub fn set(&mut self, at: usize, direction: Direction, state: State) {
        if let Some(source) = self.source(at) {
            let old = &mut source.states[direction as usize];
            if *old != State::Unwanted {
                *old = state;
            }
        }
    }

    /// What an I/O call's outcome makes of its direction.
    pub fn note(&mut self, at: usize, direction: Direction, outcome: Outcome) {
        let Some(source) = self.source(at) else {
            return;
        };
        if direction == Direction::Read && source.drained != Drained::Ending {
            let wanted = source.interest.is_readable();
            source.drained = if outcome == Outcome::Drained && wanted {
                Drained::Known
            } else {
                Drained::Unknown
            };
        }
        let is_armed = source.states[direction as usize] == State::Armed;
        let futile = &mut source.futile[direction as usize];
        match outcome {
            Outcome::Moved | Outcome::Took | Outcome::Drained | Outcome::Left => *futile = 0,
            Outcome::Dry if !is_armed => *futile = (*futile + 1).min(u8::MAX.into()),
            _ => {}
        }
        let state = match outcome {
            Outcome::Took | Outcome::Drained => State::Armed,
            Outcome::Dry if !is_armed && *futile <= MANY => State::Armed,
            Outcome::Dry | Outcome::Left if !is_armed => State::Parked,
            Outcome::Stuck => State::Parked,
            Outcome::Ended => State::Disarmed,
            _ => return,
        };
        self.set(at, direction, state);
    }

    /// The pause of what is parked is over.
    pub fn unpark(&mut self) {
        self.change_all(|state| match state {
            State::Parked => State::Armed,
            other => other,
        });
    }

    fn change_all(&mut self, change: impl Fn(State) -> State) {
        let sources = self.sources.iter_mut();
        let living = sources.filter_map(|(_, source)| source.as_mut());
        living.for_each(|source| source.states = source.states.map(&change));
    }
}

impl Source {
    pub fn is_armed(&self, direction: Direction) -> bool {
        self.states[direction as usize] == State::Armed
    }

    /// Whether this direction has fired and was not found wanting since.
    pub fn is_open(&self, direction: Direction) -> bool {
        self.states[direction as usize] == State::Disarmed
    }

    /// Whether this direction is armed while the other one is not.
    pub fn is_lone(&self, direction: Direction) -> bool {
        self.is_armed(direction) && !self.is_armed(direction.other())
    }

    /// An event of whatever is armed was told: what it says.
    pub fn tell_all(&mut self) -> Option<Ready> {
        let told = DIRECTIONS
            .iter()
            .filter(|d| self.is_armed(**d) || self.is_open(**d));
        let ready = told.map(|direction| direction.ready()).reduce(|a, b| a | b);
        self.states = self.states.map(|state| match state {
            State::Armed => State::Disarmed,
            other => other,
        });
        ready
    }
}

fn armed(interest: Interest) -> [State; 2] {
    let state = |wanted| {
        if wanted {
            State::Armed
        } else {
            State::Unwanted
        }
    };
    [interest.is_readable(), interest.is_writable()].map(state)
}

pub fn any_interest(input: &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<Interest> {
    let both = Interest::READABLE | Interest::WRITABLE;
    input
        .choose(&[Interest::READABLE, Interest::WRITABLE, both, both])
        .copied()
}

pub fn any_direction(input: &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<Direction> {
    input.choose(&DIRECTIONS).copied()
}

pub fn any_outcome(input: &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<Outcome> {
    input.choose(&OUTCOMES).copied()
}
