//! What a program wants to hear of a source.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{BitOr, BitOrAssign};

use crate::ready::Ready;

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

impl Interest {
    /// Something can be read, accepted or received without blocking.
    pub const READABLE: Interest = Interest::of(Ready::READABLE);

    /// Something can be written or sent without blocking, or a connect has ended.
    pub const WRITABLE: Interest = Interest::of(Ready::WRITABLE);

    /// Urgent data: TCP's out-of-band byte.
    ///
    /// # Hosts
    /// Linux. WASI and kqueue have no such notion: it is accepted and never fires.
    pub const PRIORITY: Interest = Interest::of(Ready::PRIORITY);

    /// Asynchronous I/O, whose requests name the queue themselves: it is accepted and does nothing.
    pub const AIO: Interest = Interest::of(Ready::AIO);

    /// Lists of asynchronous I/O, as [`Interest::AIO`] is.
    pub const LIO: Interest = Interest::of(Ready::LIO);

    const fn of(ready: Ready) -> Interest {
        match NonZeroU8::new(ready.0) {
            Some(bits) => Interest(bits),
            None => panic!("an interest is never empty"),
        }
    }

    /// Both interests together. The operator `|` does the same outside constants.
    #[must_use = "it does not change `self`"]
    #[allow(clippy::should_implement_trait)]
    pub const fn add(self, other: Interest) -> Interest {
        Interest::of(Ready(self.0.get() | other.0.get()))
    }

    /// `self` without `other`, or `None` where nothing is left.
    #[must_use = "it does not change `self`"]
    pub fn remove(self, other: Interest) -> Option<Interest> {
        NonZeroU8::new(self.0.get() & !other.0.get()).map(Interest)
    }

    #[inline]
    const fn has(self, ready: Ready) -> bool {
        Ready(self.0.get()).contains(ready)
    }

    /// Whether [`Interest::READABLE`] is in it.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.has(Ready::READABLE)
    }

    /// Whether [`Interest::WRITABLE`] is in it.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.has(Ready::WRITABLE)
    }

    /// Whether completions of asynchronous I/O are in it, which only FreeBSD's queue reports.
    #[must_use]
    pub const fn is_aio(self) -> bool {
        self.has(Ready::AIO)
    }

    /// Whether completions of `lio_listio` are in it, which only FreeBSD's queue reports.
    #[must_use]
    pub const fn is_lio(self) -> bool {
        self.has(Ready::LIO)
    }

    /// Whether [`Interest::PRIORITY`] is in it.
    #[must_use]
    pub const fn is_priority(self) -> bool {
        self.has(Ready::PRIORITY)
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
        Ready(self.0.get()).fmt(f)
    }
}
