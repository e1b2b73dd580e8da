//! What the schedule leaves as it is: timeouts, waits with few rows, and sleep.

use std::time::Duration;

use super::cost::{Costs, WASMEDGE};
use super::program::{Program, ZERO};

/// Timeouts from nothing to a second.
fn timeouts() -> impl Iterator<Item = u64> {
    let next =
        |time: &u64| (*time < 1_000_000_000).then_some((time * 3 / 2 + 100).min(1_000_000_000));
    let odd = [
        999, 160_000, 160_001, 200_000, 500_000, 5_000_000, 30_000_000,
    ];
    std::iter::successors(Some(0), next).chain(odd)
}

/// A timeout is never cut short, and never exceeded by more than the work of handing over
/// everything once, letting it go, and a clock that expires.
#[test]
fn timeouts_hold() {
    for costs in Costs::all() {
        for (hot, cold) in [(1, 25), (16, 300), (200, 250), (16, 2_000)] {
            let mut program = Program::settled(costs, hot, hot, cold);
            let clock = costs.clock + costs.expired + costs.call;
            let most = costs.everything(hot, cold) + clock;
            let mut worst = 0;
            for timeout in timeouts() {
                (0..hot).for_each(|fd| program.ready_in(fd, 1 << 60));
                let began = program.clock().0;
                assert_eq!(program.wait(Some(Duration::from_nanos(timeout))), 0);
                let over = (program.clock().0 - began).checked_sub(timeout);
                let over = over.expect("it was cut short");
                worst = worst.max(over);
                assert!(over <= most, "{timeout} ns: {over} ns more, not {most}");
                (0..hot).for_each(|fd| program.ready_in(fd, 0));
                program.settle(cold.min(program.waiter.table.rows.cold()));
            }
        }
    }
}

/// With few rows, and with many that are all hot, a wait is one call of all rows; it has no clock
/// but the caller's, and nobody looks at the time.
#[test]
fn few_rows_cost_nothing() {
    let counts = (1..=24).chain([100, 2_000]);
    for count in counts {
        let mut program = Program::new(WASMEDGE, count);
        for fd in 0..count {
            program.add();
            program.ready_in(fd, 1_000);
        }
        for round in 0..100 {
            let (timeout, sleep) = [
                (None, None),
                (ZERO, Some(0)),
                (Some(Duration::from_millis(1)), Some(1_000_000)),
            ][round % 3];
            program.serve(timeout, 1_000);
            let machine = &mut *program.machine();
            let calls = &machine.calls[..];
            assert!(
                matches!(calls, [call] if call.rows <= count && call.sleep == sleep),
                "{count} rows: {calls:?}"
            );
            machine.calls.clear();
            assert_eq!(machine.looks, 0, "{count} rows");
        }
    }
}

/// With a few more cold rows than that, too, where the hot ones are as many.
#[test]
fn cold_rows_beside_as_many_hot_ones_cost_nothing() {
    let mut program = Program::settled(WASMEDGE, 64, 64, 64);
    for _ in 0..100 {
        program.serve(None, 0);
        let machine = &mut *program.machine();
        assert_eq!((machine.calls.len(), machine.looks), (1, 0));
        assert_eq!(machine.calls[0].rows, 128);
        machine.calls.clear();
    }
}

/// A program that nobody asks anything sleeps: after one call for each 256 rows, in one call
/// of them all, which has no clock.
#[test]
fn idle_program_sleeps() {
    for cold in [25, 100, 1_000, 5_000] {
        let mut program = Program::settled(WASMEDGE, 4, 1, cold);
        program.ready_in(0, 600_000_000_000);
        assert_eq!(program.wait(None), 1);
        let calls = program.machine().calls.clone();
        let most = 4 + cold / 256;
        assert!(calls.len() <= most, "{} calls for {cold} rows", calls.len());
        let (last, others) = calls.split_last().expect("there was a call");
        assert_eq!((last.rows, last.sleep), (cold + 1, None));
        let naps: u64 = others.iter().map(|call| call.slept + call.worked).sum();
        assert!(last.slept >= 600_000_000_000 - naps - last.worked);
    }
}

/// A program with an event now and then makes one or two calls for each, of all its rows.
#[test]
fn slow_program_makes_few_calls() {
    for cold in [25, 100, 1_000, 5_000] {
        let mut program = Program::settled(WASMEDGE, 4, 1, cold);
        program.ready_in(0, 100_000_000);
        program.serve(None, 100_000_000);
        program.machine().calls.clear();
        for _ in 0..50 {
            program.serve(None, 100_000_000);
            let machine = &mut *program.machine();
            let count = machine.calls.len();
            assert!((1..=2).contains(&count), "{count} calls for {cold} rows");
            machine.calls.clear();
        }
    }
}

/// Rows that were all registered or active at once, and are silent since, are soon cold: how many
/// waits that takes does not grow with their number.
#[test]
fn silent_rows_cool_down() {
    for rows in [100, 1_000, 4_000] {
        let mut program = Program::new(WASMEDGE, rows);
        for _ in 0..rows {
            program.add();
        }
        program.ready_in(0, 0);
        let took = (0..).find(|_| {
            program.serve(None, 0);
            program.waiter.table.rows.cold() >= rows - 1
        });
        assert!(took < Some(400), "{rows} rows: {took:?} waits");
    }
}

/// A program that polls without sleeping does not lose sight of the connection that it is busy
/// with, however rarely that one is ready: it is told by the first wait after that.
#[test]
fn polling_in_vain_keeps_the_active_row_hot() {
    let mut program = Program::settled(WASMEDGE, 16, 1, 1_000);
    program.serve(None, 0);
    for timeout in [ZERO, Some(Duration::from_micros(1))] {
        for _ in 0..100 {
            program.read(0, 10_000_000);
            let ready = program.machine().sources[0].ready;
            let told = (0..100_000).any(|_| program.wait(timeout) > 0);
            assert!(told && program.has_told(0, 0));
            let late = program.machine().time - ready;
            assert!(late < 3_000_000, "{late} ns late");
        }
    }
}

/// Once warm, a wait allocates nothing, whatever it hands over and tells, and nor do rows that
/// come, go, fire and change.
#[test]
fn nothing_is_allocated() {
    let mut program = Program::settled(WASMEDGE, 16, 16, 300);
    let round = |program: &mut Program| {
        for timeout in [None, ZERO, Some(Duration::from_micros(300))] {
            for delay in [0, 1_000, 10_000_000] {
                program.machine().calls.clear();
                program.serve(timeout, delay);
            }
        }
        program.remove(100);
        program.modify(101);
        program.insert(100);
        program.ready_in(102, 0);
    };
    (0..1_000).for_each(|_| round(&mut program));
    let before = crate::counting::allocations();
    (0..1_000).for_each(|_| round(&mut program));
    assert_eq!(crate::counting::allocations(), before);
}
