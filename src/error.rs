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

#[cold]
pub(crate) fn error(kind: ErrorKind, what: &'static str, advice: &'static str) -> io::Error {
    io::Error::new(kind, Error { what, advice })
}
