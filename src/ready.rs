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

macro_rules! conditions {
    ($($name:ident = $bit:literal),*) => {
        impl Ready {
            $(pub(crate) const $name: Ready = Ready(1 << $bit);)*
            const NAMES: [(Ready, &'static str); 8] = [$((Ready::$name, stringify!($name))),*];
        }
    };
}

// In the order in which they are printed.
conditions! {
    READABLE = 0, WRITABLE = 2, READ_CLOSED = 5, WRITE_CLOSED = 6,
    ERROR = 7, AIO = 3, LIO = 4, PRIORITY = 1
}

impl Ready {
    pub(crate) const NOTHING: Ready = Ready(0);

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
        if *self == Ready::NOTHING {
            return f.write_str("(none)");
        }
        let held = Ready::NAMES.iter().filter(|name| self.contains(name.0));
        let names: Vec<&str> = held.map(|name| name.1).collect();
        f.write_str(&names.join(" | "))
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
