//! `SourceFd`: registers a descriptor that something else owns.

use std::io;
use std::os::fd::RawFd;

use crate::sys::{HostSelector, Row as _, Selector};
use crate::{Interest, Registry, Token, event};

type Row = <HostSelector as Selector>::Row;

/// Watches a descriptor that this library has no type for.
///
/// Anything that epoll takes will do: a terminal, a `timerfd`, an `inotify`, another library's
/// socket. The descriptor must be non-blocking for the events to be of use, and stays its owner's:
/// nothing is closed here.
///
/// The `SourceFd` itself is no more than a name and may be made anew for every call. So it cannot
/// remember its registration: deregister it before the descriptor closes, if a duplicate of it may
/// still be open elsewhere.
///
/// # Hosts
///
/// On systems whose only queue is poll(2) the library makes the edges, and hears nothing of the
/// calls on this descriptor: it watches again some milliseconds after each event. What is left
/// unread is then told again, and what comes next may be told so much later.
///
/// ```
/// use mio::unix::SourceFd;
/// use mio::{Interest, Poll, Token};
/// use std::os::fd::AsRawFd;
/// use std::os::unix::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// let poll = Poll::new()?;
/// let socket = UnixDatagram::unbound()?;
/// socket.set_nonblocking(true)?;
///
/// let mut source = SourceFd(&socket.as_raw_fd());
/// poll.registry().register(&mut source, Token(3), Interest::READABLE)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SourceFd<'a>(
    /// The descriptor to watch.
    pub &'a RawFd,
);

impl event::Source for SourceFd<'_> {
    fn register(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
        r.selector.subscribe(*self.0, t, i).map(Row::release)
    }

    fn reregister(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
        r.selector.modify(&Row::NONE, *self.0, t, i)
    }

    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        r.selector.unsubscribe(Row::NONE, *self.0)
    }
}
