//! What a healthy host and a healthy program see: edges, order, capacity, timeouts and wakes.

use std::io::ErrorKind;
use std::time::Duration;

use super::host::{Bench, READ, Row, SPARE, WRITE};
use super::row::Key;
use crate::Token;
use crate::ready::Ready;
use crate::sys::{Direction, Outcome};

const ZERO: Option<Duration> = Some(Duration::ZERO);

/// An event is told once, until its direction is armed again.
#[test]
fn delivered_row_leaves_the_list() {
    let mut bench = Bench::new();
    let key = bench.add(3, READ | WRITE);
    bench.world(|world| world.readable = vec![3]);
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
    assert_eq!(bench.wait(ZERO), []);
    bench.waiter.table.arm(key, Direction::Read);
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
    let lists = bench.calls();
    assert_eq!(lists[1], [Row::Write(SPARE), Row::Write(3)]);
}

/// Both directions of a source are one event.
#[test]
fn read_and_write_are_merged() {
    let mut bench = Bench::new();
    bench.add(3, READ | WRITE);
    bench.add(4, READ | WRITE);
    bench.world(|world| {
        world.readable = vec![4, 3];
        world.writable = vec![3];
    });
    let both = Ready::READABLE | Ready::WRITABLE;
    assert_eq!(bench.wait(None), [(3, both), (4, Ready::READABLE)]);
}

/// With room for one event, sources that are always ready take turns, and the host is asked once
/// for all of them.
#[test]
fn nobody_starves_with_room_for_one() {
    let mut bench = Bench::new();
    bench.capacity = 1;
    let keys = [3, 4, 5].map(|fd| bench.add(fd, READ));
    bench.world(|world| world.readable = vec![3, 4, 5]);
    let mut turns = [0; 3];
    for _ in 0..30 {
        let events = bench.wait(None);
        let turn = events[0].0 - 3;
        turns[turn] += 1;
        bench.waiter.table.arm(keys[turn], Direction::Read);
    }
    assert_eq!(turns, [10; 3]);
    assert_eq!(bench.calls().len(), 10);
}

/// What waits for room is told with the token of the day, and not at all of a source that is gone.
#[test]
fn kept_events_follow_the_table() {
    let mut bench = Bench::new();
    bench.capacity = 1;
    bench.add(3, READ);
    let changed = bench.add(4, READ);
    let gone = bench.add(5, READ);
    bench.add(6, READ);
    bench.world(|world| world.readable = vec![3, 4, 5, 6]);
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
    bench.waiter.table.modify(changed, Token(40), READ);
    bench.waiter.table.remove(gone);
    assert_eq!(bench.wait(None), [(40, Ready::READABLE)]);
    assert_eq!(bench.wait(None), [(6, Ready::READABLE)]);
    assert_eq!(bench.calls().len(), 1);
}

/// A program that wakes itself all the time, with room for one event, is served both ways.
#[test]
fn wakes_and_sources_take_turns() {
    let mut bench = Bench::new();
    bench.capacity = 1;
    let key = bench.add(3, READ);
    bench.waiter.expect_waker();
    bench.world(|world| world.readable = vec![3]);
    let mut seen = [0; 2];
    for _ in 0..20 {
        bench.waiter.wake(Token(7));
        match bench.wait(None)[0] {
            (7, _) => seen[0] += 1,
            _ => {
                seen[1] += 1;
                bench.waiter.table.arm(key, Direction::Read);
            }
        }
    }
    assert_eq!(seen, [10, 10]);
}

/// A wake ends the wait at once and comes together with what is ready; several count as one.
#[test]
fn wake_does_not_hide_sources() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    bench.waiter.expect_waker();
    bench.world(|world| world.readable = vec![3]);
    bench.waiter.wake(Token(7));
    bench.waiter.wake(Token(7));
    let ready = Ready::READABLE;
    assert_eq!(bench.wait(None), [(3, ready), (7, ready)]);
    assert_eq!(bench.wait(ZERO), []);
}

/// With nothing armed, a wake and a timeout of zero need no host.
#[test]
fn nothing_armed_costs_no_call() {
    let mut bench = Bench::new();
    bench.waiter.expect_waker();
    bench.waiter.wake(Token(7));
    assert_eq!(bench.wait(None), [(7, Ready::READABLE)]);
    assert_eq!(bench.wait(ZERO), []);
    assert_eq!(bench.calls(), [] as [Vec<Row>; 0]);
}

/// A wait that could never end says so, and the host is not asked.
#[test]
fn endless_wait_is_an_error() {
    let mut bench = Bench::new();
    let key = bench.add(3, READ);
    bench.world(|world| world.readable = vec![3]);
    bench.wait(None);
    bench.calls();
    let error = bench.try_wait(None).expect_err("nothing is armed");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(bench.calls(), [] as [Vec<Row>; 0]);
    bench.waiter.table.arm(key, Direction::Read);
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
}

/// Timeouts reach the host as they are: to the nanosecond, and the longest as the longest.
#[test]
fn timeouts_are_exact() {
    let mut bench = Bench::new();
    for (timeout, clock) in [
        (Duration::from_nanos(1), 1),
        (Duration::from_nanos(1_500_001), 1_500_001),
        (Duration::MAX, u64::MAX),
    ] {
        bench.world(|world| world.now = 0);
        assert_eq!(bench.wait(Some(timeout)), []);
        assert_eq!(bench.calls(), [[Row::Clock(clock)]]);
    }
}

/// A timeout of zero asks with the spare socket; where there is none, with the shortest clock.
#[test]
fn zero_timeout_uses_the_spare_socket() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    assert_eq!(bench.wait(ZERO), []);
    bench.world(|world| world.no_spare = true);
    assert_eq!(bench.wait(ZERO), []);
    let expected = [Row::Write(SPARE), Row::Clock(1)].map(|first| vec![first, Row::Read(3)]);
    assert_eq!(bench.calls(), expected);
}

/// What has fired before, and did not block since, is told along, as a kernel's edge does; what
/// did block is not.
#[test]
fn open_direction_is_told_along() {
    let mut bench = Bench::new();
    let key = bench.add(3, READ | WRITE);
    bench.world(|world| world.writable = vec![3]);
    assert_eq!(bench.wait(None), [(3, Ready::WRITABLE)]);
    bench.world(|world| (world.readable, world.writable) = (vec![3], vec![]));
    assert_eq!(bench.wait(None), [(3, Ready::READABLE | Ready::WRITABLE)]);
    bench.waiter.table.note(key, Direction::Write, Outcome::Dry);
    bench.waiter.table.note(key, Direction::Read, Outcome::Took);
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
}

/// Each outcome of a call does to its direction what its name says.
#[test]
fn outcomes_arm_and_disarm() {
    let armed = [Outcome::Took, Outcome::Drained, Outcome::Dry];
    let parked = [Outcome::Left, Outcome::Stuck];
    let left_alone = [Outcome::Moved, Outcome::Ended, Outcome::Nothing];
    for outcome in [&armed[..], &parked, &left_alone].concat() {
        let mut bench = Bench::new();
        let key = bench.add(3, READ);
        bench.world(|world| world.readable = vec![3]);
        bench.wait(None);
        bench.waiter.table.note(key, Direction::Read, outcome);
        bench.waiter.table.begin();
        assert_eq!(bench.waiter.table.has_armed(), armed.contains(&outcome));
        assert_eq!(bench.waiter.table.parked() > 0, parked.contains(&outcome));
    }
}

/// Of a direction that is watched, looking takes nothing away; a call that is stuck, and the end,
/// do.
#[test]
fn outcomes_of_a_watched_direction() {
    for outcome in [Outcome::Left, Outcome::Dry, Outcome::Took, Outcome::Moved] {
        let mut bench = Bench::new();
        let key = bench.add(3, READ);
        bench.waiter.table.note(key, Direction::Read, outcome);
        assert!(bench.waiter.table.has_armed(), "{outcome:?}");
    }
    for outcome in [Outcome::Stuck, Outcome::Ended] {
        let mut bench = Bench::new();
        let key = bench.add(3, READ);
        bench.waiter.table.note(key, Direction::Read, outcome);
        assert!(!bench.waiter.table.has_armed(), "{outcome:?}");
    }
}

/// A host that calls ready what always blocks is believed a few times in a row, and then only now
/// and then; a call that succeeds restores its credit.
#[test]
fn futile_events_come_with_pauses() {
    let mut bench = Bench::new();
    let key = bench.add(3, READ);
    bench.world(|world| world.readable = vec![3]);
    for _ in 0..100 {
        assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
        bench.waiter.table.note(key, Direction::Read, Outcome::Dry);
    }
    let slept = bench.world(|world| world.now);
    assert_eq!(
        slept,
        10_040_000 * 95,
        "all but the first five come after a pause"
    );
    bench
        .waiter
        .table
        .note(key, Direction::Read, Outcome::Moved);
    bench.wait(None);
    bench.waiter.table.note(key, Direction::Read, Outcome::Dry);
    assert!(bench.waiter.table.has_armed());
}

/// A waker that is gone wakes nobody.
#[test]
fn dropped_waker_is_forgotten() {
    let mut bench = Bench::new();
    bench.waiter.expect_waker();
    bench.waiter.expect_waker();
    bench.waiter.wake(Token(7));
    bench.waiter.wake(Token(8));
    bench.waiter.forget_wake(Token(7));
    assert_eq!(bench.wait(None), [(8, Ready::READABLE)]);
}

/// The key of no source changes nothing.
#[test]
fn nobody_is_nobody() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    for outcome in [Outcome::Took, Outcome::Stuck, Outcome::Ended] {
        let table = &mut bench.waiter.table;
        table.note(Key::NOBODY, Direction::Read, outcome);
    }
    bench.waiter.table.remove(Key::NOBODY);
    assert!(bench.waiter.table.has_armed());
}

/// Asking for each condition gives the sum of those that hold.
#[test]
fn conditions_add_up() {
    let both = Ready::READABLE | Ready::ERROR;
    assert_eq!(Ready::those(|ready| both.contains(ready)), both);
    assert_eq!(format!("{both:?}"), "READABLE | ERROR");
}
