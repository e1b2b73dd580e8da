//! `Event`, `Events`, and the trait that makes a thing registrable.

use std::fmt;
use std::io::Result;

use crate::ready::Ready;
use crate::sys::{HostEvent, RawEvent};
use crate::{Interest, Registry, Token};

/// What a poll says of one source.
///
#[doc = include_str!("event.md")]
#[derive(Clone)]
#[repr(transparent)]
pub struct Event {
    pub(crate) raw: HostEvent,
}

impl Event {
    #[inline]
    fn is(&self, ready: Ready) -> bool {
        self.raw.is(ready)
    }

    /// The token that the source was registered with.
    #[inline]
    #[must_use]
    pub fn token(&self) -> Token {
        self.raw.token()
    }
}

macro_rules! questions {
    ($($(#[$doc:meta])* $question:ident = $ready:ident;)*) => {
        impl Event {$(
            $(#[$doc])*
            #[inline]
            #[must_use]
            pub fn $question(&self) -> bool {
                self.is(Ready::$ready)
            }
        )*}
    };
}

questions! {
    /// Something can be read, received or accepted; or the call will tell an error or an end.
    is_readable = READABLE;
    /// Something can be written or sent; or a connect has ended, well or not.
    is_writable = WRITABLE;
    /// The source has an error. `take_error` or the next I/O call tells which.
    is_error = ERROR;
    /// No more will come once what is there has been read.
    ///
    /// A hint: not every host reports it, and none in every case. Reading `Ok(0)` is certain.
    is_read_closed = READ_CLOSED;
    /// Nothing more can be written. A hint as [`Event::is_read_closed`] is.
    is_write_closed = WRITE_CLOSED;
    /// Urgent data is there: see [`Interest::PRIORITY`].
    is_priority = PRIORITY;
    /// An asynchronous I/O request has ended. Only FreeBSD's queue reports it.
    is_aio = AIO;
    /// A list of asynchronous I/O requests has ended. Only FreeBSD's queue reports it.
    is_lio = LIO;
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("token", &self.token())
            .field("ready", &Ready::those(|ready| self.is(ready)))
            .finish()
    }
}

/// Room for the events of one poll, made once and used again.
///
#[doc = include_str!("events.md")]
pub struct Events {
    list: Vec<Event>,
}

impl Events {
    /// Makes room for `capacity` events, which is the most that one poll reports.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Events {
        let list = Vec::with_capacity(capacity);
        Events { list }
    }

    /// The most events that one poll reports.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.list.capacity()
    }

    /// Whether the last poll reported nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Goes through the events of the last poll.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        let inner = self.list.iter();
        Iter { inner }
    }

    /// Forgets the events. [`Poll::poll`](crate::Poll::poll) does so by itself.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    #[inline]
    pub(crate) fn cleared(&mut self) -> &mut Vec<Event> {
        self.list.clear();
        &mut self.list
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The events of one poll: see [`Events::iter`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    inner: std::slice::Iter<'a, Event>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Event;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.inner.next()
    }
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

/// A thing that can be registered with a [`Registry`].
///
#[doc = include_str!("source.md")]
pub trait Source {
    /// Starts to watch the source: see [`Registry::register`] for the errors.
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> Result<()>;
    /// Changes token and interests: see [`Registry::reregister`] for the errors.
    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> Result<()>;
    /// Ends the watching: see [`Registry::deregister`] for the errors.
    fn deregister(&mut self, registry: &Registry) -> Result<()>;
}

impl<T: Source + ?Sized> Source for Box<T> {
    fn register(&mut self, r: &Registry, t: Token, i: Interest) -> Result<()> {
        (**self).register(r, t, i)
    }
    fn reregister(&mut self, r: &Registry, t: Token, i: Interest) -> Result<()> {
        (**self).reregister(r, t, i)
    }
    fn deregister(&mut self, r: &Registry) -> Result<()> {
        (**self).deregister(r)
    }
}
