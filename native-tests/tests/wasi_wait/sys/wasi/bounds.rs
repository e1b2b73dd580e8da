//! Nobody starves: a row that is ready is told within a number of waits and within a time that
//! depend on the number of rows alone, whatever the other rows, the program and its clock do.

use std::time::Duration;

use super::cost::{Costs, WASMEDGE};
use super::program::{Program, ZERO};
use crate::Token;
use crate::sys::Outcome;

/// The time in which a busy program has looked at one more cold row: what that costs the host,
/// 2.5 µs, is one part in 64 of it.
const PER_ROW: u64 = 2_500 * 64;
/// What a wait counts for at least, in nanoseconds.
const WAIT: u64 = 1_000;
/// How many cold rows are looked at together, at least.
const LOOK: usize = 8;

/// The time, and the waits, after which every one of so many cold rows was handed over: the
/// sweep that it was shown in already, and the next.
fn bound(cold: usize) -> (u64, u64) {
    let time = (2 * cold + LOOK + 1) as u64 * PER_ROW;
    (time, time / WAIT)
}

/// Runs `turn`, which makes a wait and says how long it took, until `cold` rows had the time to be
/// looked at twice over; no row may have been left out for longer than it says above.
#[track_caller]
fn assert_shown(program: &mut Program, cold: usize, mut turn: impl FnMut(&mut Program)) {
    let (time, waits) = bound(cold);
    let (began, first) = program.clock();
    let frozen = program.machine().frozen;
    let mut longest = 0;
    loop {
        let before = program.clock().0;
        turn(program);
        let now = program.clock();
        longest = longest.max(now.0 - before);
        let over = if frozen {
            now.1 - first > 2 * waits
        } else {
            now.0 - began > 2 * time
        };
        if over {
            break;
        }
    }
    let (unseen, unasked) = program.machine().worst();
    assert!(frozen || unseen <= time + longest, "{unseen} ns of {time}");
    assert!((1..=waits).contains(&unasked), "{unasked} waits of {waits}");
}

/// A stream of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        ((self.0 >> 33) as usize) % end
    }
}

/// Under hot rows that never go quiet.
#[test]
fn hot_rows_that_never_go_quiet_starve_nobody() {
    for costs in Costs::all() {
        for (hot, cold) in [(1, 25), (1, 500), (16, 100), (16, 400), (64, 300)] {
            let mut program = Program::settled(costs, hot, hot, cold);
            assert_shown(&mut program, cold, |program| {
                program.serve(None, 0);
                program.work(5_000);
            });
        }
    }
}

/// Under a program that never sleeps, with hot rows that are busy and with some that are silent.
#[test]
fn polling_without_a_timeout_starves_nobody() {
    for costs in Costs::all() {
        for gap in [0, 10_000, 100_000_000] {
            let mut program = Program::settled(costs, 16, 16, 100);
            assert_shown(&mut program, 100, |program| {
                program.serve(ZERO, gap);
            });
        }
    }
}

/// Under timeouts that end each wait before it has come to everything.
#[test]
fn short_timeouts_starve_nobody() {
    for costs in Costs::all() {
        for timeout in [1, 1_000, 50_000, 200_000, 1_000_000, 5_000_000] {
            let mut program = Program::settled(costs, 16, 16, 150);
            assert_shown(&mut program, 166, |program| {
                program.serve(Some(Duration::from_nanos(timeout)), 1_000_000_000);
            });
        }
    }
}

/// Under rows that come, go, change and fire, at random, many in each wait.
#[test]
fn churn_starves_nobody() {
    for (seed, costs) in [1, 2, 3].into_iter().zip(Costs::all()) {
        let mut random = Random(seed);
        let mut program = Program::settled(costs, 64, 16, 1_000);
        let mut gone = Vec::new();
        assert_shown(&mut program, 1_016, |program| {
            for _ in 0..8 {
                // Those up to 500 are left alone: they are the ones that may starve.
                let fd = 501 + random.below(515);
                match random.below(4) {
                    0 if !gone.contains(&fd) => {
                        program.remove(fd);
                        gone.push(fd);
                    }
                    1 | 0 => {
                        let Some(fd) = gone.pop() else { continue };
                        program.insert(fd);
                    }
                    _ if gone.contains(&fd) => {}
                    2 => program.modify(fd),
                    _ => program.ready_in(fd, random.below(1_000_000) as u64),
                }
            }
            let timeout = [None, ZERO, Some(Duration::from_micros(50))][random.below(3)];
            program.serve(timeout, random.below(10_000) as u64);
        });
    }
}

/// Under somebody who knows the list: one who adds sources when the victim is nearly next, until
/// that has sent it behind all the others; in every second sweep, so that the two times when it is
/// looked at are as far apart as can be.
#[test]
fn malice_starves_nobody() {
    const PAWNS: usize = 40;
    let (cold, victim) = (300, 200);
    let mut program = Program::settled(WASMEDGE, 1, 1, cold);
    let pawns: Vec<usize> = (0..PAWNS).map(|_| program.add()).collect();
    pawns.iter().rev().for_each(|pawn| program.remove(*pawn));
    let mut seen = (0, 0);
    let mut inserted = 0;
    let mut evaded = 0;
    assert_shown(&mut program, cold + PAWNS, |program| {
        program.serve(None, 0);
        if program.seen(victim) != seen.0 {
            seen = (program.seen(victim), seen.1 + 1);
            (0..inserted).for_each(|pawn| program.remove(pawns[pawn]));
            inserted = 0;
        }
        if seen.1 % 2 == 0 || inserted > 0 {
            return;
        }
        let before = program.place(victim);
        while inserted < PAWNS && program.place(victim) <= before + inserted as u32 {
            program.insert(pawns[inserted]);
            inserted += 1;
        }
        if program.place(victim) > before + inserted as u32 {
            evaded += 1;
            return;
        }
        (0..inserted)
            .rev()
            .for_each(|pawn| program.remove(pawns[pawn]));
        inserted = 0;
    });
    assert!(evaded > 0, "it knew less than it thought");
}

/// Where each row fires now and then, too seldom to stay hot or often enough.
#[test]
fn rows_that_take_turns_starve_nobody() {
    for gap in [10_000, 1_000_000, 10_000_000, 100_000_000] {
        let mut random = Random(gap);
        let mut program = Program::new(WASMEDGE, 1_024);
        for _ in 0..1_000 {
            let fd = program.add();
            program.ready_in(fd, random.below(gap as usize) as u64);
        }
        assert_shown(&mut program, 1_000, |program| {
            program.serve(None, gap);
        });
    }
}

/// Under a clock that stands still waits are counted instead.
#[test]
fn clock_that_stands_still_starves_nobody() {
    for timeout in [None, ZERO, Some(Duration::from_micros(10))] {
        let mut program = Program::settled(WASMEDGE, 4, 4, 100);
        program.machine().frozen = true;
        assert_shown(&mut program, 104, |program| {
            program.serve(timeout, 1_000);
        });
    }
}

/// With room for few events a wait asks the host only when the last answer is told, and a cold row
/// that is ready is told after so many times more waits.
#[test]
fn little_room_starves_nobody() {
    for room in [1, 3] {
        for (hot, cold) in [(1, 100), (8, 100), (50, 100)] {
            let mut program = Program::settled(WASMEDGE, room, hot, cold);
            for victim in [hot, hot + cold / 2, hot + cold - 1] {
                program.ready_in(victim, 0);
                let most = bound(cold).1 * (1 + (hot + cold).div_ceil(room) as u64);
                let told = (0..most).find(|_| {
                    program.serve(None, 0);
                    (0..room).any(|at| program.has_told(at, victim))
                });
                assert!(told.is_some(), "{victim} was not told in {most} waits");
            }
        }
    }
}

/// A wake that is pending all the time takes a place in each wait and no more.
#[test]
fn wakes_starve_nobody() {
    for room in [1, 2, 16] {
        let mut program = Program::settled(WASMEDGE, room, 1, 100);
        let wake = Token(usize::MAX);
        program.waiter.expect_waker();
        program.ready_in(60, 0);
        let told = (0..4 * bound(100).1).find(|_| {
            program.waiter.wake(wake);
            program.serve(None, 0);
            (0..room).any(|at| program.has_told(at, 60))
        });
        assert!(told.is_some(), "with room for {room}");
    }
}

/// Rows that pause, since nothing ever comes of their events, keep nobody from being told, and
/// come back themselves: after 10 ms and 40 µs for each of them.
#[test]
fn parked_rows_starve_nobody_and_come_back() {
    let (hot, cold, futile) = (4, 200, 100);
    let mut program = Program::settled(WASMEDGE, 256, hot, cold);
    let mut last = vec![program.clock().0; hot + futile];
    let mut longest = 0;
    assert_shown(&mut program, cold, |program| {
        let began = program.clock().0;
        for fd in hot..hot + futile {
            program.ready_in(fd, 0);
        }
        for at in 0..program.wait(None) {
            let fd = program.told(at);
            if fd >= hot + futile || fd < hot {
                program.read(fd, 0);
                continue;
            }
            program.note(fd, Outcome::Dry);
            let now = program.clock().0;
            longest = longest.max(now - std::mem::replace(&mut last[fd], now));
        }
        longest = longest.max(program.clock().0 - began);
    });
    let pause = 10_000_000 + futile as u64 * 40_000;
    let most = pause + bound(cold).0;
    assert!(longest <= most, "{longest} ns of {most}");
}
