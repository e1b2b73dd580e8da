//! Readiness, in one form for every host: what an event says of its source, and what the outcome of
//! a call says of a direction.

use std::fmt;
use std::ops::BitOr;

/// A set of conditions. Each host translates what its kernel reports into this and nothing else.
///
/// Those that a program can ask for have epoll's bits, so that there is next to nothing to
/// translate.
#[derive(Copy, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ready(pub(crate) u8);

impl Ready {
    pub(crate) const NOTHING: Ready = Ready(0);
    pub(crate) const READABLE: Ready = Ready(1);
    pub(crate) const PRIORITY: Ready = Ready(1 << 1);
    pub(crate) const WRITABLE: Ready = Ready(1 << 2);
    pub(crate) const AIO: Ready = Ready(1 << 3);
    pub(crate) const LIO: Ready = Ready(1 << 4);
    pub(crate) const READ_CLOSED: Ready = Ready(1 << 5);
    pub(crate) const WRITE_CLOSED: Ready = Ready(1 << 6);
    pub(crate) const ERROR: Ready = Ready(1 << 7);

    const NAMES: [(Ready, &'static str); 8] = [
        (Ready::READABLE, "READABLE"),
        (Ready::WRITABLE, "WRITABLE"),
        (Ready::READ_CLOSED, "READ_CLOSED"),
        (Ready::WRITE_CLOSED, "WRITE_CLOSED"),
        (Ready::ERROR, "ERROR"),
        (Ready::AIO, "AIO"),
        (Ready::LIO, "LIO"),
        (Ready::PRIORITY, "PRIORITY"),
    ];

    /// Those that `test` confirms.
    pub(crate) fn those(test: impl Fn(Ready) -> bool) -> Ready {
        let all = Ready::NAMES.iter().filter(|(ready, _)| test(*ready));
        all.fold(Ready::NOTHING, |sum, (ready, _)| sum | *ready)
    }

    pub(crate) const fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Ready {
    type Output = Ready;

    #[inline]
    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Ready::NAMES
            .iter()
            .filter(|(ready, _)| self.contains(*ready));
        let mut separator = "";
        for (_, name) in held {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        if separator.is_empty() {
            f.write_str("(none)")
        } else {
            Ok(())
        }
    }
}

/// One of the two ways that a source can be ready.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read = 0,
    Write = 1,
}

/// What the outcome of an I/O call says of its direction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It moved all that it was to move, and says nothing of the next call.
    Moved,
    /// It took a part, or one of several: there may be more.
    Took,
    /// It took less than it had room for: there was no more.
    Drained,
    /// It would have blocked.
    Dry,
    /// It looked at what is there and left it there.
    Left,
    /// It failed, and would fail again at once.
    Stuck,
    /// The direction has ended.
    Ended,
    /// It failed for good, or says nothing at all.
    Nothing,
}
