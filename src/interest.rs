//! What a program wants to hear of a source.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{BitOr, BitOrAssign};

/// The kinds of readiness that a registration asks for. Never empty.
///
/// Errors and hang-ups are reported with any interest: see [`Event`].
///
/// ```
/// use mio::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert_eq!(both.remove(Interest::WRITABLE), Some(Interest::READABLE));
/// assert_eq!(Interest::READABLE.remove(Interest::READABLE), None);
/// ```
///
/// [`Event`]: crate::event::Event
#[derive(Copy, PartialEq, Eq, Clone, PartialOrd, Ord)]
pub struct Interest(NonZeroU8);

// The first three are epoll's bits, so that there is next to nothing to translate.
const READABLE: u8 = 1;
const PRIORITY: u8 = 1 << 1;
const WRITABLE: u8 = 1 << 2;
const AIO: u8 = 1 << 3;
const LIO: u8 = 1 << 4;

const NAMES: [(u8, &str); 5] = [
    (READABLE, "READABLE"),
    (WRITABLE, "WRITABLE"),
    (AIO, "AIO"),
    (LIO, "LIO"),
    (PRIORITY, "PRIORITY"),
];

impl Interest {
    /// Something can be read, accepted or received without blocking.
    pub const READABLE: Interest = Interest::of(READABLE);

    /// Something can be written or sent without blocking, or a connect has ended.
    pub const WRITABLE: Interest = Interest::of(WRITABLE);

    /// Urgent data: TCP's out-of-band byte.
    ///
    /// # Hosts
    /// Linux. On WASI the host has no such notion: it is accepted and never fires.
    pub const PRIORITY: Interest = Interest::of(PRIORITY);

    const fn of(bits: u8) -> Interest {
        match NonZeroU8::new(bits) {
            Some(bits) => Interest(bits),
            None => panic!("an interest is never empty"),
        }
    }

    /// Both interests together. The operator `|` does the same outside constants.
    #[must_use = "it does not change `self`"]
    #[allow(clippy::should_implement_trait)]
    pub const fn add(self, other: Interest) -> Interest {
        Interest::of(self.0.get() | other.0.get())
    }

    /// `self` without `other`, or `None` where nothing is left.
    #[must_use = "it does not change `self`"]
    pub fn remove(self, other: Interest) -> Option<Interest> {
        NonZeroU8::new(self.0.get() & !other.0.get()).map(Interest)
    }

    #[inline]
    const fn has(self, bit: u8) -> bool {
        self.0.get() & bit != 0
    }

    /// Whether [`Interest::READABLE`] is in it.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.has(READABLE)
    }

    /// Whether [`Interest::WRITABLE`] is in it.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.has(WRITABLE)
    }

    /// Whether completions of asynchronous I/O are in it, which only FreeBSD's queue reports.
    #[must_use]
    pub const fn is_aio(self) -> bool {
        self.has(AIO)
    }

    /// Whether completions of `lio_listio` are in it, which only FreeBSD's queue reports.
    #[must_use]
    pub const fn is_lio(self) -> bool {
        self.has(LIO)
    }

    /// Whether [`Interest::PRIORITY`] is in it.
    #[must_use]
    pub const fn is_priority(self) -> bool {
        self.has(PRIORITY)
    }
}

impl BitOr for Interest {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

impl BitOrAssign for Interest {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in NAMES.iter().filter(|(bit, _)| self.has(*bit)) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
        Ok(())
    }
}
