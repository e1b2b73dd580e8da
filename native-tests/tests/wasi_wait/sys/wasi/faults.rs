//! The faults, one by one: numbers are those of WasmEdge's errno.

use std::io::ErrorKind;
use std::time::Duration;

use wasi::{ERRNO_BADF, ERRNO_INVAL, ERRNO_NOMEM, ERRNO_SUCCESS};

use super::host::{Bench, Fault, READ, Row, WRITE, event, still_watched};
use super::row::FIRST;
use crate::ready::Ready;
use crate::sys::Direction;

const SECOND: Duration = Duration::from_secs(1);

fn number(generation: u64, slot: u64, direction: u64) -> u64 {
    generation << 32 | slot << 1 | direction
}

/// After an interruption (27) the same list goes over again, and 20 means nothing.
#[test]
fn interrupted_call_is_repeated_with_the_same_list() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    bench.add(4, READ | WRITE);
    bench.world(|world| {
        world.faults.push_back(Fault::Interrupted(5));
        let watched = [0, 1].map(|slot| still_watched(number(0, slot, 0)));
        let ready = event(number(0, 1, 1), ERRNO_SUCCESS);
        let answer = [&watched[..], &[ready]].concat();
        world.faults.push_back(Fault::Answer(answer));
    });
    assert_eq!(bench.wait(None), [(4, Ready::WRITABLE)]);
    let calls = bench.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0], calls[1]);
}

/// An interrupted wait with a timeout goes on for what is left of it, in the same list.
#[test]
fn interrupted_call_keeps_its_deadline() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    bench.world(|world| {
        world.faults.push_back(Fault::Interrupted(0));
        world.faults.push_back(Fault::Interrupted(400_000_000));
    });
    assert_eq!(bench.wait(Some(SECOND)), []);
    let clocks: Vec<Row> = bench.calls().iter().map(|call| call[0]).collect();
    let expected = [1_000_000_000, 1_000_000_000, 600_000_000].map(Row::Clock);
    assert_eq!(clocks, expected);
}

/// A host that is interrupted for ever is not asked for ever.
#[test]
fn endless_interruption_is_an_error() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    bench.world(|world| {
        world
            .faults
            .extend((0..9_999).map(|_| Fault::Interrupted(1)))
    });
    let error = bench.try_wait(None).expect_err("nothing could be learnt");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(bench.calls().len(), 1024);
}

/// A host that only says 20 is asked a few times, and nothing is made up.
#[test]
fn only_still_watched_is_no_event() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    let answer = || Fault::Answer(vec![still_watched(0)]);
    bench.world(|world| world.faults.extend((0..100).map(|_| answer())));
    assert_eq!(bench.wait(None), []);
    assert!(bench.calls().len() <= 20);
}

/// Rows that the host lost (44) are healed by a call with a clock alone, and reported after it.
#[test]
fn lost_rows_are_healed() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    bench.world(|world| {
        world.readable = vec![3];
        world.lost = vec![3];
    });
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
    let list = vec![Row::Read(3)];
    assert_eq!(bench.calls(), [list.clone(), vec![Row::Clock(1)], list]);
}

/// Healing does not wait for an untimed poll, nor for the others to be quiet.
#[test]
fn lost_rows_are_healed_beside_others_and_with_timeouts() {
    for (busy, timeout) in [
        (true, None),
        (false, Some(Duration::ZERO)),
        (false, Some(SECOND)),
    ] {
        let mut bench = Bench::new();
        bench.add(3, READ);
        let other = bench.add(4, READ);
        bench.world(|world| {
            world.lost = vec![3];
            world.readable = if busy { vec![3, 4] } else { vec![3] };
        });
        let mut told = bench.wait(timeout);
        if busy {
            assert_eq!(told, [(4, Ready::READABLE)]);
            bench.waiter.table.arm(other, Direction::Read);
            told = bench.wait(timeout);
        }
        assert_eq!(told[0], (3, Ready::READABLE));
    }
}

/// A wait that is silent in between, or has rows that come and go, keeps to its timeout.
#[test]
fn timeouts_hold_across_pauses() {
    for timeout in [15, 30, 1_000] {
        let mut bench = Bench::new();
        bench.add(3, WRITE);
        bench.world(|world| world.silent_writer = Some(3));
        assert_eq!(bench.wait(Some(Duration::from_millis(timeout))), []);
        assert_eq!(bench.world(|world| world.now), timeout * 1_000_000);
    }
}

/// A row that no healing brings back is an error of its source, and the others stand.
#[test]
fn rows_lost_for_good_are_errors() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    bench.add(4, READ);
    let lost = || Fault::Answer(vec![event(0, wasi::ERRNO_NOENT)]);
    let healed = || Fault::Answer(vec![event(FIRST, ERRNO_SUCCESS)]);
    bench.world(|world| {
        for _ in 0..4 {
            world.faults.extend([lost(), healed()]);
        }
        world.faults.push_back(lost());
    });
    assert_eq!(bench.wait(None), [(3, Ready::READABLE | Ready::ERROR)]);
    bench.calls();
    bench.world(|world| world.readable = vec![4]);
    assert_eq!(bench.wait(None), [(4, Ready::READABLE)]);
    assert_eq!(bench.calls(), [[Row::Read(4)]]);
}

/// A bad descriptor (8) is an event with an error, told once; other sources' events stand.
#[test]
fn bad_row_does_not_end_the_poll() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    bench.add(4, WRITE);
    let bad = event(number(0, 0, 0), ERRNO_BADF);
    let good = event(number(0, 1, 1), ERRNO_SUCCESS);
    bench.world(|world| world.faults.push_back(Fault::Answer(vec![bad, good])));
    let events = bench.wait(None);
    let error = (3, Ready::READABLE | Ready::ERROR);
    assert_eq!(events, [error, (4, Ready::WRITABLE)]);
    assert_eq!(bench.wait(Some(SECOND)), []);
    assert_eq!(bench.calls()[1], [Row::Clock(1_000_000_000)]);
}

/// A half-closed peer with a full buffer ends every call at once: the writer is left out for a
/// pause, the others are served, and the number of calls follows the time and not the processor.
#[test]
fn silent_writer_does_not_spin() {
    let mut bench = Bench::new();
    bench.add(3, WRITE);
    bench.add(4, READ);
    bench.world(|world| world.silent_writer = Some(3));
    assert_eq!(bench.wait(Some(SECOND)), []);
    assert!(
        bench.calls().len() <= 220,
        "two calls in each of 100 pauses"
    );
    assert_eq!(bench.world(|world| world.now), 1_000_000_000);
    bench.world(|world| world.readable = vec![4]);
    assert_eq!(bench.wait(None), [(4, Ready::READABLE)]);
    bench.world(|world| {
        world.silent_writer = None;
        world.writable = vec![3];
    });
    assert_eq!(bench.wait(None), [(3, Ready::WRITABLE)]);
    assert!(bench.world(|world| world.now) <= 1_020_000_000);
}

/// The same beside many idle rows, each of which costs the host something in each of the calls: the
/// pauses grow with them.
#[test]
fn silent_writer_among_many_is_cheap() {
    let mut bench = Bench::new();
    for fd in 1_000..2_000 {
        bench.add(fd, READ);
    }
    bench.add(3, WRITE);
    bench.world(|world| world.silent_writer = Some(3));
    assert_eq!(bench.wait(Some(SECOND)), []);
    let calls = bench.calls().len();
    assert!(calls <= 44, "{calls} calls in 20 pauses of 50 ms");
    assert_eq!(bench.world(|world| world.now), 1_000_000_000);
}

/// A pending error that matches no row is found by letting the readers of datagrams look; others
/// are not disturbed.
#[test]
fn silent_reader_is_told_to_look() {
    let mut bench = Bench::new();
    bench.add_datagrams(3, READ);
    bench.add(4, READ | WRITE);
    bench.add(5, READ);
    bench.world(|world| world.silent_reader = Some(3));
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
    assert_eq!(bench.calls().len(), 1);
}

/// Both at once: the writer waits for its pause, the reader is told.
#[test]
fn silent_writer_does_not_hide_a_silent_reader() {
    let mut bench = Bench::new();
    bench.add_datagrams(3, READ);
    bench.add(4, WRITE);
    bench.world(|world| {
        world.silent_reader = Some(3);
        world.silent_writer = Some(4);
    });
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
    assert_eq!(bench.calls().len(), 2);
}

/// A host that says nothing for no reason known, and again, gets every row reported, which is
/// allowed. Once is forgiven: an event that means nothing would be made of nothing.
#[test]
fn inexplicable_silence_reports_everything() {
    for (times, told) in [(1, Ready::READABLE), (2, Ready::READABLE | Ready::WRITABLE)] {
        let mut bench = Bench::new();
        bench.add(3, READ | WRITE);
        bench.world(|world| {
            world.faults.extend((0..times).map(|_| Fault::Nothing));
            world.readable = vec![3];
        });
        assert_eq!(bench.wait(None), [(3, told)]);
    }
}

/// A host may claim more events than it has written: what earlier answers had in their place is
/// not told again.
#[test]
fn claimed_events_are_not_those_of_earlier_answers() {
    let mut bench = Bench::new();
    let one = bench.add(3, READ);
    let other = bench.add(4, READ);
    bench.world(|world| world.readable = vec![3, 4]);
    assert_eq!(bench.wait(None).len(), 2);
    bench.waiter.table.arm(one, Direction::Read);
    bench.waiter.table.arm(other, Direction::Read);
    bench.world(|world| {
        world.readable = vec![3];
        world.claims = Some(usize::MAX);
    });
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
}

/// An answer that has only events of nobody's is no answer: the host is asked again.
#[test]
fn events_of_nobody_end_no_wait() {
    let mut bench = Bench::new();
    bench.add(3, READ | WRITE);
    let nobody = event(number(9, 9, 0), ERRNO_SUCCESS);
    bench.world(|world| {
        world
            .faults
            .extend([0; 3].map(|_| Fault::Answer(vec![nobody])));
        world.readable = vec![3];
    });
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
    assert_eq!(bench.calls().len(), 4);
}

/// With nothing but a clock in the list, silence ends the wait and is not asked for ever.
#[test]
fn silent_clock_ends_the_wait() {
    let mut bench = Bench::new();
    bench.world(|world| world.faults.extend((0..100).map(|_| Fault::Nothing)));
    assert_eq!(bench.wait(Some(SECOND)), []);
    assert!(bench.calls().len() <= 20);
}

/// Numbers that no row has, rows told twice, and slots that changed hands are passed over.
#[test]
fn unknown_and_stale_events_are_passed_over() {
    let mut bench = Bench::new();
    let old = bench.add(3, READ);
    bench.waiter.table.remove(old);
    for fd in 4..8 {
        bench.add(fd, READ);
    }
    let stale = number(0, 0, 0);
    let unknown = number(7, 70_000, 1);
    let never_armed = number(0, 1, 1);
    let good = number(1, 0, 0);
    let answer = |numbers: [u64; 3]| {
        Fault::Answer(numbers.map(|number| event(number, ERRNO_SUCCESS)).to_vec())
    };
    bench.world(|world| world.faults.push_back(answer([stale, unknown, good])));
    assert_eq!(bench.wait(None), [(4, Ready::READABLE)]);
    let other = number(0, 1, 0);
    bench.world(|world| world.faults.push_back(answer([never_armed, other, other])));
    assert_eq!(bench.wait(None), [(5, Ready::READABLE)]);
}

/// An answer that claims to be longer than the list is cut to it.
#[test]
fn answer_is_no_longer_than_the_list() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    let event = event(0, ERRNO_SUCCESS);
    bench.world(|world| world.claims = Some(usize::MAX));
    bench.world(|world| world.faults.push_back(Fault::Answer(vec![event])));
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
}

/// The call's own failure is the poll's error; wakes and rows outlive it.
#[test]
fn failing_call_is_an_error_and_loses_nothing() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    bench.world(|world| world.faults.push_back(Fault::Fails(ERRNO_NOMEM)));
    let error = bench.try_wait(None).expect_err("the host failed");
    assert_eq!(error.raw_os_error(), Some(ERRNO_NOMEM.raw().into()));
    bench.world(|world| world.readable = vec![3]);
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
}

/// A clock that the host refuses is the poll's error, since the wait could not end.
#[test]
fn refused_clock_is_an_error() {
    let mut bench = Bench::new();
    bench.add(3, READ);
    let refused = vec![event(FIRST, ERRNO_INVAL)];
    bench.world(|world| world.faults.push_back(Fault::Answer(refused)));
    let error = bench.try_wait(Some(SECOND)).expect_err("there is no clock");
    assert_eq!(error.raw_os_error(), Some(ERRNO_INVAL.raw().into()));
}

/// A failed accept, say for want of descriptors, is tried again after a pause: the listener is
/// neither lost nor asked without end, however busy the others are.
#[test]
fn parked_row_comes_back_after_a_pause() {
    let mut bench = Bench::new();
    let listener = bench.add(3, READ);
    let other = bench.add(4, READ);
    bench.world(|world| world.readable = vec![3, 4]);
    let mut accepts = 0;
    for _ in 0..1_000 {
        for (token, _) in bench.wait(None) {
            if token == 3 {
                accepts += 1;
                bench.waiter.table.park(listener, Direction::Read);
            } else {
                bench.waiter.table.arm(other, Direction::Read);
            }
        }
        bench.world(|world| world.now += 100_000);
    }
    assert_eq!(accepts, 10, "once in each of ten pauses");
    assert_eq!(bench.calls().len(), 1_000);
}

/// With nothing but a parked row, a wait without a timeout sleeps for the pause and tries again.
#[test]
fn parked_row_alone_is_waited_for() {
    let mut bench = Bench::new();
    let listener = bench.add(3, READ);
    bench.waiter.table.park(listener, Direction::Read);
    bench.world(|world| world.readable = vec![3]);
    assert_eq!(bench.wait(Some(Duration::ZERO)), []);
    assert_eq!(bench.wait(None), [(3, Ready::READABLE)]);
    let calls = bench.calls();
    assert_eq!(calls, [[Row::Clock(10_040_000)], [Row::Read(3)]]);
}
