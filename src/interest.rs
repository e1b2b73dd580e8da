//! What a program wants to hear of a source.

use std::fmt;
use std::num::NonZeroU8;
use std::ops::{BitOr, BitOrAssign};

use crate::ready::Ready;

/// The kinds of readiness that a registration asks for. Never empty.
///
#[doc = include_str!("interest.md")]
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
}

macro_rules! questions {
    ($($(#[$doc:meta])* $question:ident = $ready:ident;)*) => {
        impl Interest {$(
            $(#[$doc])*
            #[must_use]
            pub const fn $question(self) -> bool {
                Ready(self.0.get()).contains(Ready::$ready)
            }
        )*}
    };
}

questions! {
    /// Whether [`Interest::READABLE`] is in it.
    is_readable = READABLE;
    /// Whether [`Interest::WRITABLE`] is in it.
    is_writable = WRITABLE;
    /// Whether completions of asynchronous I/O are in it, which only FreeBSD's queue reports.
    is_aio = AIO;
    /// Whether completions of `lio_listio` are in it, which only FreeBSD's queue reports.
    is_lio = LIO;
    /// Whether [`Interest::PRIORITY`] is in it.
    is_priority = PRIORITY;
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
