//! No sockets, and nothing that a wait without sleep could be for.

pub(crate) fn spare() -> Option<std::os::fd::OwnedFd> {
    None
}
