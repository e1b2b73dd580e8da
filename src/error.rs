//! The failures that are the library's own. A host's errors pass through as they came.

use std::io;

pub(crate) use std::io::ErrorKind;

/// What failed, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {advice}")]
struct Error {
    what: &'static str,
    advice: &'static str,
}

/// A wait whose output has no room: the hosts find it out, each at no cost to other waits.
#[cold]
#[inline(never)]
pub(crate) fn no_capacity() -> io::Error {
    let what = "these `Events` have no capacity";
    let advice = "create them with room for at least one event";
    error(ErrorKind::InvalidInput, what, advice)
}

#[cold]
#[inline(never)]
pub(crate) fn error(kind: ErrorKind, what: &'static str, advice: &'static str) -> io::Error {
    io::Error::new(kind, Error { what, advice })
}
