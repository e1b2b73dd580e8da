//! The failures that are the library's own. A host's errors pass through as they came.

use std::io::{self, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "this source is registered already: use `reregister` to change it, or `deregister` first"
    )]
    AlreadyRegistered,
    #[error("this source is registered with another poller: deregister it there first")]
    OtherRegistry,
    #[error("this source is not registered with this poller: call `register` first")]
    NotRegistered,
    #[error("another registered source owns the same descriptor: register only one of them")]
    DescriptorTaken,
    #[error("these `Events` have capacity 0: create them with room for at least one event")]
    NoCapacity,
    #[error(
        "nothing to wait for: no source is armed, no waker has been used and there is no timeout, \
         so this poll could never return; register a source, read or write until `WouldBlock`, or \
         give a timeout"
    )]
    NothingToWaitFor,
    #[error("{call} is not supported here: {needs}")]
    Unsupported {
        call: &'static str,
        needs: &'static str,
    },
    #[error("descriptor {0} is neither a socket nor a pipe, and the host cannot wait for it")]
    NotPollable(u32),
    #[error("{0}")]
    BadAddress(&'static str),
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error {
            Error::AlreadyRegistered | Error::OtherRegistry | Error::DescriptorTaken => {
                ErrorKind::AlreadyExists
            }
            Error::NotRegistered => ErrorKind::NotFound,
            Error::Unsupported { .. } => ErrorKind::Unsupported,
            Error::NoCapacity
            | Error::NothingToWaitFor
            | Error::NotPollable(_)
            | Error::BadAddress(_) => ErrorKind::InvalidInput,
        };
        io::Error::new(kind, error)
    }
}

// Each host and set of features uses some of them.
const _: &[Error] = &[
    Error::AlreadyRegistered,
    Error::OtherRegistry,
    Error::NotRegistered,
    Error::DescriptorTaken,
    Error::NoCapacity,
    Error::NothingToWaitFor,
    Error::Unsupported {
        call: "",
        needs: "",
    },
    Error::NotPollable(0),
    Error::BadAddress(""),
];
