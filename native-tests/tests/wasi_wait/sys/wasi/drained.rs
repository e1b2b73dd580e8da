//! What a short read lets the table remember: that the next read would block. Once, until the next
//! wait, and never where it could hide something.

use std::time::Duration;

use wasi::{ERRNO_SUCCESS, EVENTRWFLAGS_FD_READWRITE_HANGUP};

use super::host::{Bench, Fault, READ, WRITE, event};
use super::model::OUTCOMES;
use super::row::Key;
use crate::sys::{Direction, Outcome};
use crate::{Interest, Token};

const ZERO: Option<Duration> = Some(Duration::ZERO);

impl Bench {
    fn note(&mut self, key: Key, direction: Direction, outcome: Outcome) {
        self.waiter.table.note(key, direction, outcome);
    }

    /// A stream of which a read came up short.
    fn drained(interest: Interest) -> (Bench, Key) {
        let mut bench = Bench::new();
        let key = bench.add(3, interest);
        bench.world(|world| world.readable = vec![3]);
        bench.wait(None);
        bench.world(|world| world.readable.clear());
        bench.note(key, Direction::Read, Outcome::Drained);
        (bench, key)
    }

    fn knows(&mut self, key: Key) -> bool {
        self.waiter.table.take_drained(key)
    }
}

/// A short read is remembered once, and its row is armed, so that what comes then is told.
#[test]
fn short_read_is_remembered_once() {
    let (mut bench, key) = Bench::drained(READ);
    assert!(bench.waiter.table.has_armed());
    assert!(bench.knows(key));
    assert!(!bench.knows(key));
    bench.world(|world| world.readable = vec![3]);
    assert_eq!(bench.wait(None).len(), 1);
}

/// Nothing is remembered without a short read.
#[test]
fn nothing_is_remembered_of_others() {
    for outcome in OUTCOMES {
        let (mut bench, key) = Bench::drained(READ);
        let other = bench.add(4, READ);
        assert!(!bench.knows(other), "it is another's");
        bench.note(key, Direction::Read, outcome);
        assert!(!bench.knows(key), "after {outcome:?}");
    }
}

/// Any wait forgets it, also one that tells something else or nothing.
#[test]
fn wait_forgets() {
    let (mut bench, key) = Bench::drained(READ);
    assert_eq!(bench.wait(ZERO), []);
    assert!(!bench.knows(key));

    let (mut bench, key) = Bench::drained(READ);
    bench.waiter.expect_waker();
    bench.waiter.wake(Token(9));
    assert_eq!(bench.wait(None).len(), 1);
    assert!(!bench.knows(key));
}

/// A change of the registration forgets it, and so do its end and the slot's new owner.
#[test]
fn registration_forgets() {
    let (mut bench, key) = Bench::drained(READ);
    bench.waiter.table.modify(key, Token(3), READ);
    assert!(!bench.knows(key));

    let (mut bench, key) = Bench::drained(READ);
    bench.waiter.table.remove(key);
    assert!(!bench.knows(key));
    let owner = bench.add(5, READ);
    assert_eq!(owner.slot, key.slot);
    assert!(!bench.knows(owner));
    assert!(!bench.knows(key));
}

/// What the other direction does says nothing of reading.
#[test]
fn writes_forget_nothing() {
    for outcome in [
        Outcome::Moved,
        Outcome::Took,
        Outcome::Dry,
        Outcome::Stuck,
        Outcome::Ended,
        Outcome::Nothing,
    ] {
        let (mut bench, key) = Bench::drained(READ | WRITE);
        bench.note(key, Direction::Write, outcome);
        assert!(bench.knows(key), "after {outcome:?}");
    }
}

/// Nothing is remembered of a source that is not watched for reading: no wait would tell of it.
#[test]
fn unwatched_direction_is_not_remembered() {
    let mut bench = Bench::new();
    let key = bench.add(3, WRITE);
    bench.note(key, Direction::Read, Outcome::Drained);
    assert!(!bench.knows(key));
}

/// Where the host said that the peer is gone, the end is behind a short read, and is read at once;
/// whichever direction's row said so, and however often data comes before it.
#[test]
fn end_that_was_told_is_not_hidden() {
    for direction in [Direction::Read, Direction::Write] {
        let mut bench = Bench::new();
        let key = bench.add(3, READ | WRITE);
        let mut hangup = event(key.pack(direction), ERRNO_SUCCESS);
        hangup.fd_readwrite.flags = EVENTRWFLAGS_FD_READWRITE_HANGUP;
        bench.world(|world| world.faults.push_back(Fault::Answer(vec![hangup])));
        assert_eq!(bench.wait(None).len(), 1);
        for _ in 0..3 {
            bench.note(key, Direction::Read, Outcome::Drained);
            assert!(!bench.knows(key), "{direction:?}");
            bench.wait(ZERO);
        }
        // A new owner of the slot has a peer of its own.
        bench.waiter.table.remove(key);
        let owner = bench.add(4, READ);
        bench.note(owner, Direction::Read, Outcome::Drained);
        assert!(bench.knows(owner));
    }
}

/// Nobody's key knows nothing.
#[test]
fn nobody_remembers() {
    let (mut bench, _) = Bench::drained(READ);
    bench.note(Key::NOBODY, Direction::Read, Outcome::Drained);
    assert!(!bench.knows(Key::NOBODY));
}
