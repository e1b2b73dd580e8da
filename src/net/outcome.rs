//! The rules by which the sockets' calls tell whether they want to be watched: see
//! [`IoSource::io`](crate::io_source::IoSource::io). Those for bytes are in `forward.rs`.

use std::io::{self, ErrorKind};

use crate::io_source::{is_retry, sent};
use crate::sys::Outcome;

/// Accepting and receiving: a call takes one item, or one pending error, from the queue.
pub(super) fn item<R>(result: &io::Result<R>) -> Outcome {
    match result {
        Err(error) if is_retry(error) => Outcome::Dry,
        Err(error) if !is_pending(error) => Outcome::Stuck,
        _ => Outcome::Took,
    }
}

/// Looking at a datagram. An error that was pending is gone as if it had been received.
pub(super) fn looked<R>(result: &io::Result<R>) -> Outcome {
    result
        .as_ref()
        .map_or_else(|_| item(result), |_| Outcome::Left)
}

/// Looking into a stream of bytes, whose end needs no second look.
pub(super) fn peeked(result: &io::Result<usize>) -> Outcome {
    match result {
        Ok(1..) => Outcome::Left,
        _ => sent(result),
    }
}

/// Taking the pending error, behind which there may be something to receive.
pub(super) fn error_taken(result: &io::Result<Option<io::Error>>) -> Outcome {
    match result {
        Ok(Some(_)) => Outcome::Took,
        _ => Outcome::Nothing,
    }
}

/// Asking for the peer. A connect that is still under way wants to be watched to its end.
pub(super) fn peer_asked<R>(result: &io::Result<R>) -> Outcome {
    match result {
        Err(error) if error.kind() == ErrorKind::NotConnected => Outcome::Left,
        _ => Outcome::Nothing,
    }
}

/// Ending a direction: what was known of reading may hold no longer.
pub(super) fn shut<R>(_: &io::Result<R>) -> Outcome {
    Outcome::Moved
}

/// An error that waited in the socket's queue and is gone now that it was told. Others (a full
/// descriptor table, no memory) would be told again at once.
fn is_pending(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::TimedOut
    )
}
