//! The three stretches of the list against a naive model of them: sets instead of places.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::host::{Row, decode};
use super::row::Key;
use super::rows::Rows;
use crate::sys::Direction;

const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];
const SLOTS: u32 = 40;

#[derive(Clone, Debug)]
enum Step {
    /// Arms the row, or disarms it where it is armed.
    Toggle(u32, Direction),
    /// These fire, and are armed again; the last one is not.
    Fire(Vec<u32>),
    /// A wait, whose calls hand over so many cold rows.
    Wait(Vec<usize>),
    /// So many waits in which nothing happens.
    Pass(usize),
}

type Id = (u32, usize);

#[derive(Default)]
struct Model {
    armed: BTreeSet<Id>,
    hot: BTreeSet<Id>,
    /// Cold ones that this sweep has not shown.
    unseen: BTreeSet<Id>,
}

struct Bench {
    rows: Rows,
    model: Model,
    /// By row: how many waits ago it was armed.
    ages: Vec<[u32; 2]>,
}

impl Bench {
    fn new() -> Bench {
        let mut rows = Rows::new();
        (0..SLOTS).for_each(|slot| rows.renew(slot, false));
        Bench {
            rows,
            model: Model::default(),
            ages: vec![[0; 2]; SLOTS as usize],
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Toggle(slot, direction) => self.toggle(*slot, *direction),
            Step::Fire(slots) => {
                for (at, slot) in slots.iter().enumerate() {
                    self.fire(*slot, at + 1 < slots.len());
                }
            }
            Step::Wait(shows) => {
                self.cool();
                shows.iter().for_each(|cold| self.show(*cold));
            }
            Step::Pass(waits) => (0..*waits).for_each(|_| self.cool()),
        }
    }

    fn toggle(&mut self, slot: u32, direction: Direction) {
        let id = (slot, direction as usize);
        let key = Key {
            slot,
            generation: 0,
        };
        let Model { armed, hot, unseen } = &mut self.model;
        if armed.remove(&id) {
            self.rows.disarm(slot, direction);
            hot.remove(&id);
            unseen.remove(&id);
        } else {
            self.rows.arm(key, slot, direction);
            self.ages[slot as usize][direction as usize] = 0;
            armed.insert(id);
            hot.insert(id);
        }
    }

    /// A row fires, and if it is armed again before the next wait it is hot.
    fn fire(&mut self, slot: u32, again: bool) {
        let id = (slot, 0);
        if !self.model.armed.contains(&id) {
            return;
        }
        self.rows.fire(slot, Direction::Read);
        assert!(!self.rows.is_armed(slot, Direction::Read));
        if again {
            let key = Key {
                slot,
                generation: 0,
            };
            self.rows.arm(key, slot, Direction::Read);
            self.ages[slot as usize][0] = 0;
            self.model.hot.insert(id);
        } else {
            self.rows.settle();
            self.model.armed.remove(&id);
            self.model.hot.remove(&id);
        }
        self.model.unseen.remove(&id);
    }

    /// A wait begins. Who was armed lately stays hot, who was not for long is cold, and nobody
    /// becomes hot by it.
    fn cool(&mut self) {
        self.rows.settle();
        self.rows.cool();
        self.rows.show(0);
        let hot = self.hot();
        // With so few rows nobody cools down.
        let few = self.model.armed.len() < 24;
        assert!(hot.is_subset(&self.model.hot));
        for (slot, direction) in &self.model.hot {
            let age = &mut self.ages[*slot as usize][*direction];
            *age += u32::from(!few);
            let is_hot = hot.contains(&(*slot, *direction));
            assert!(is_hot || *age > 32, "it cooled after {age} waits");
            let most = 3 * 1024 + 80;
            assert!(few || !is_hot || *age <= most, "hot after {age} waits");
        }
        assert_eq!(self.prefix(), hot, "a wait begins with the hot ones");
        self.model.hot = hot;
    }

    fn show(&mut self, cold: usize) {
        self.rows.show(cold);
        let prefix = self.prefix();
        let Model { armed, hot, unseen } = &mut self.model;
        let all: BTreeSet<Id> = armed.difference(hot).copied().collect();
        assert!(
            hot.is_subset(&prefix),
            "the hot ones are always handed over"
        );
        assert!(prefix.is_subset(armed));
        let shown: BTreeSet<Id> = prefix.difference(hot).copied().collect();
        assert_eq!(shown.len(), cold.min(all.len()));
        if cold >= all.len() {
            *unseen = all;
        } else if shown.len() <= unseen.len() {
            assert!(shown.is_subset(unseen), "shown twice before all were");
            unseen.retain(|id| !shown.contains(id));
        } else {
            assert!(unseen.is_subset(&shown), "left out of a sweep");
            *unseen = all.difference(&shown).copied().collect();
        }
    }

    fn hot(&self) -> BTreeSet<Id> {
        let hot = self.rows.count() + 1 - self.rows.cold();
        (1..hot).map(|at| name(self.rows.get(at))).collect()
    }

    fn prefix(&mut self) -> BTreeSet<Id> {
        self.rows.prefix(None).iter().map(id).collect()
    }

    /// Each armed row is in the list once, where its place says, and no other.
    fn check(&mut self) {
        let count = self.rows.count();
        assert_eq!(count, self.model.armed.len());
        for at in 1..=count {
            let (key, direction) = self.rows.get(at);
            assert_eq!(self.rows.at(key.slot, direction), at as u32);
            assert!(self.model.armed.contains(&name((key, direction))));
        }
        assert_eq!(self.hot(), self.model.hot);
        for slot in 0..SLOTS {
            for direction in DIRECTIONS {
                let armed = self.model.armed.contains(&(slot, direction as usize));
                assert_eq!(self.rows.is_armed(slot, direction), armed);
            }
        }
        let handed = self.rows.handed().count();
        assert_eq!(self.prefix().len(), handed, "a row is there twice");
        assert!((1..=handed).all(|at| self.rows.is_handed(at as u32)));
    }
}

fn name((key, direction): (Key, Direction)) -> Id {
    (key.slot, direction as usize)
}

fn id(row: &wasi::Subscription) -> Id {
    match decode(row) {
        Row::Read(fd) => (fd, 0),
        Row::Write(fd) => (fd, 1),
        Row::Clock(_) => panic!("a clock among the sources"),
    }
}

fn steps() -> impl Strategy<Value = Step> {
    let direction = prop::sample::select(&DIRECTIONS[..]);
    prop_oneof![
        6 => (0..SLOTS, direction).prop_map(|(slot, way)| Step::Toggle(slot, way)),
        2 => prop::collection::vec(0..SLOTS, 0..6).prop_map(Step::Fire),
        6 => prop::collection::vec(0..90_usize, 1..4).prop_map(Step::Wait),
        4 => (1..12_usize).prop_map(|cold| Step::Wait(vec![cold])),
        1 => (1..300_usize).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_stretches_are_their_model(
        first in prop::collection::vec(0..SLOTS, 0..60),
        steps in prop::collection::vec(steps(), 0..80),
    ) {
        let mut bench = Bench::new();
        for (at, slot) in first.iter().enumerate() {
            bench.take(&Step::Toggle(*slot, DIRECTIONS[at % 2]));
        }
        bench.take(&Step::Pass(700));
        for step in &steps {
            bench.take(step);
            bench.check();
        }
    }
}

/// A listener is asked for in every wait, however long nobody has come and whatever else is there:
/// its neighbours cool down, it does not.
#[test]
fn listeners_stay_hot() {
    let mut rows = Rows::new();
    let key = |slot| Key {
        slot,
        generation: 0,
    };
    for slot in 0..100 {
        rows.renew(slot, slot == 7);
        rows.arm(key(slot), slot, Direction::Read);
    }
    rows.renew(100, false);
    for _ in 0..4_000 {
        // One source is active, so that epochs end.
        rows.arm(key(100), 100, Direction::Read);
        rows.cool();
        rows.disarm(100, Direction::Read);
    }
    assert_eq!(rows.cold(), 99);
    rows.show(0);
    let hot: Vec<_> = rows.prefix(None).iter().map(|row| row.userdata).collect();
    assert_eq!(hot, [key(7).pack(Direction::Read)]);
}
