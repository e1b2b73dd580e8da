//! What a wait costs, in the host's work, against what it would have cost with hindsight.
//!
//! Who knew which row is next and when it fires would hand over the hot ones alone, or everything.
//! To hand over everything has a price: all cold rows enter the host's set, and leave it again. To
//! hand over the hot ones alone costs next to nothing, but time passes in which nobody looks at the
//! others, so that a wait may spend on them as much as it has slept: who hires for longer than the
//! price of buying has paid twice the least that was possible, and never more.

use super::cost::{Costs, WASMEDGE};
use super::program::Program;

/// When the next event comes, from 0 to 10 s.
fn arrivals() -> impl Iterator<Item = u64> {
    let next = |time: &u64| (*time < 10_000_000_000).then_some(time * 4 / 3 + 2_000);
    std::iter::successors(Some(0), next)
}

/// What one wait came to.
struct Bill {
    /// The host's work in its calls, and in letting the cold rows go after them.
    work: u64,
    /// How long the event was there before it was told.
    late: u64,
}

/// One wait of a program that was busy before, whose next event is that of `fd`.
fn bill(program: &mut Program, fd: usize, hot: usize, after: u64) -> Bill {
    for other in 0..hot {
        program.ready_in(other, 1 << 60);
    }
    program.ready_in(fd, after);
    program.machine().worked();
    let began = program.clock().0;
    assert_eq!(program.wait(None), 1);
    let now = program.clock().0;
    let mut machine = program.machine();
    let cold = machine.calls.last().expect("a call").rows - hot;
    let work = machine.worked() + cold as u64 * machine.costs.leave;
    drop(machine);
    let late = now - began - after;
    program.read(fd, 1 << 60);
    for other in 0..hot {
        program.ready_in(other, 0);
    }
    Bill { work, late }
}

/// A wait whose event is that of a hot row works, beside what the hot rows cost, for no more than
/// twice the time that it waited, and twice the price of everything, and 0.2 ms; where the event
/// is that of a cold row, which only a look at it could find, the same, and it is late by no more.
/// Where all costs three times what was expected, it is two and a half times.
#[test]
fn wait_costs_at_most_twice_the_better_choice() {
    const MORE: u64 = 200_000;
    for (hot, cold) in [(1, 30), (1, 100), (16, 1_000), (300, 330)] {
        for (costs, halves) in Costs::all().into_iter().zip([4, 4, 5]) {
            let mut program = Program::settled(costs, hot + 1, hot, cold);
            let all = costs.everything(hot, cold);
            for after in arrivals() {
                let known = bill(&mut program, 0, hot, after);
                program.settle(cold);
                let least = costs.staying(hot) + all.min(after);
                let most = least * halves / 2 + MORE;
                assert!(
                    known.work <= most,
                    "hot at {after}: {} > {most}",
                    known.work
                );
                assert!(
                    known.late <= most,
                    "hot at {after}: {} > {most}",
                    known.late
                );

                let other = bill(&mut program, hot + cold / 2, hot, after);
                program.settle(cold);
                let most = all * halves / 2 + MORE;
                assert!(
                    other.work <= most,
                    "cold at {after}: {} > {most}",
                    other.work
                );
                // It sleeps in between for as long as it expects the rows to cost.
                let most = all.max(cold as u64 * 2_500) * halves / 2 + MORE;
                assert!(
                    other.late <= most,
                    "cold at {after}: {} > {most}",
                    other.late
                );
            }
        }
    }
}

/// What a request costs, where one comes every so often, while `cold` rows are silent.
fn rate(cold: usize, gap: u64) -> (u64, usize) {
    const REQUESTS: u64 = 100;
    let mut program = Program::settled(WASMEDGE, 1, 1, cold);
    for _ in 0..50 {
        program.serve(None, gap);
    }
    program.machine().worked();
    let (mut work, mut calls) = (0, 0);
    for _ in 0..REQUESTS {
        program.serve(None, gap);
        let machine = &mut *program.machine();
        calls += machine.calls.len();
        work += machine.worked();
    }
    (work / REQUESTS, calls)
}

/// Whatever the rate of requests, each costs no more than twice the time since the one before, and
/// twice the price of everything; while they come quickly, what the looks may cost and no more.
#[test]
fn requests_cost_at_most_twice_the_better_choice() {
    for cold in [30, 100, 1_000] {
        let all = WASMEDGE.everything(1, cold);
        let gaps = std::iter::successors(Some(1_000), |gap| Some(gap * 2));
        for gap in gaps.take_while(|gap| *gap <= 2_000_000_000) {
            let (work, calls) = rate(cold, gap);
            let alone = WASMEDGE.staying(1) + WASMEDGE.spare;
            let most = if gap < 60_000 {
                alone + WASMEDGE.clock + gap / 10
            } else {
                alone + 2 * all.min(gap) + 40_000
            };
            assert!(
                work <= most,
                "{cold} cold, {gap} ns: {work} > {most} in {calls}"
            );
        }
    }
}
