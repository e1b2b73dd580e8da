//! Where the native tests expect what only a kqueue does.

/// Whether the queue is a kqueue, which has an event for each direction of a source, takes a second
/// registration of a foreign descriptor for a change of the first, and has none for urgent data.
pub const KQUEUE: bool = cfg!(any(
    mio_kqueue_model,
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_vendor = "apple",
));
