//! Random sequences of all that can be asked of the table and of all that a host may answer: the
//! table is its model after each of them, and loses nobody where there is little room.

use std::collections::BTreeSet;

use proptest::prelude::*;
use wasi::{Fd, Subscription};

use super::model::{Any, DIRECTIONS, OUTCOMES};
use super::row::FIRST;
use super::steps::{Answer, Bench, READY, Step, descriptor, whole};
use crate::Interest;
use crate::event::Event;
use crate::sys::Outcome;

fn interests() -> impl Strategy<Value = Interest> {
    let both = Interest::READABLE | Interest::WRITABLE;
    prop::sample::select(vec![Interest::READABLE, Interest::WRITABLE, both, both])
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop::sample::select(&OUTCOMES[..])
}

fn steps() -> impl Strategy<Value = Step> {
    let any = || any::<u16>().prop_map(Any);
    let direction = || prop::sample::select(&DIRECTIONS[..]);
    let ready = || prop::sample::select(&READY[..]);
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
        3 => (any(), direction(), outcomes())
            .prop_map(|(any, direction, outcome)| Step::Note(any, direction, outcome)),
        1 => any().prop_map(Step::ShortRead),
        1 => any().prop_map(Step::Read),
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
