//! What a key can stand for.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, VecDeque};

pub type Bytes = Vec<u8>;
pub type List = VecDeque<Bytes>;
pub type Hash = HashMap<Bytes, Bytes>;
/// In order, so that its first member is found at once.
pub type Set = BTreeSet<Bytes>;

pub enum Value {
    Text(Bytes),
    List(List),
    Hash(Hash),
    Set(Set),
    Sorted(Sorted),
}

/// One type of value, as the commands for it see it.
pub trait Kind: Default {
    fn read(value: &Value) -> Option<&Self>;
    fn write(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
    /// Only a text is kept when it is empty.
    fn is_gone(&self) -> bool;
}

macro_rules! kind {
    ($kind:ty, $name:ident, $gone:expr) => {
        impl Kind for $kind {
            fn read(value: &Value) -> Option<&$kind> {
                match value {
                    Value::$name(value) => Some(value),
                    _ => None,
                }
            }
            fn write(value: &mut Value) -> Option<&mut $kind> {
                match value {
                    Value::$name(value) => Some(value),
                    _ => None,
                }
            }
            fn into_value(self) -> Value {
                Value::$name(self)
            }
            fn is_gone(&self) -> bool {
                let gone: fn(&$kind) -> bool = $gone;
                gone(self)
            }
        }
    };
}

kind!(Bytes, Text, |_| false);
kind!(List, List, |list| list.is_empty());
kind!(Hash, Hash, |hash| hash.is_empty());
kind!(Set, Set, |set| set.is_empty());
kind!(Sorted, Sorted, |sorted| sorted.scores.is_empty());

impl Value {
    /// As Redis calls its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "string",
            Value::List(_) => "list",
            Value::Hash(_) => "hash",
            Value::Set(_) => "set",
            Value::Sorted(_) => "zset",
        }
    }
}

/// A set whose members are in the order of their scores.
#[derive(Default)]
pub struct Sorted {
    scores: HashMap<Bytes, f64>,
    order: BTreeSet<(Score, Bytes)>,
}

impl Sorted {
    /// Says whether the member is new.
    pub fn insert(&mut self, member: &[u8], score: f64) -> bool {
        let before = self.scores.insert(member.into(), score);
        if let Some(before) = before {
            self.order.remove(&(Score(before), member.into()));
        }
        self.order.insert((Score(score), member.into()));
        before.is_none()
    }

    pub fn remove(&mut self, member: &[u8]) -> bool {
        let before = self.scores.remove(member);
        before.is_some_and(|score| self.order.remove(&(Score(score), member.into())))
    }

    /// Takes the member that has the lowest score.
    pub fn pop_first(&mut self) -> Option<(Bytes, f64)> {
        let (Score(score), member) = self.order.pop_first()?;
        self.scores.remove(&member);
        Some((member, score))
    }

    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], f64)> {
        self.order
            .iter()
            .map(|(Score(score), member)| (&member[..], *score))
    }
}

/// A number that is one: so all are in an order.
#[derive(PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
