//! The door to the host: everything that leaves this library passes through here or [`sock`].
//!
//! Safe functions over the imports of `wasi_snapshot_preview1`: slices and descriptors in, results
//! out, with the host's errno as the error's `raw_os_error`. This file has what the poller needs,
//! all of it standard preview1. Sockets are [`sock`]'s.
#![allow(unsafe_code)]

use std::io;
use std::mem::offset_of;

use wasi::{Errno, Event, EventFdReadwrite, Fd, Subscription, SubscriptionClock, SubscriptionU};

use crate::error::{ErrorKind, error};

#[cfg_attr(not(feature = "net"), path = "abi/none.rs")]
pub(super) mod sock;
pub(super) use sock::spare;

/// Whether a read that came up short has told the host, too, that nothing is left.
pub(super) const SHORT_IS_ALL: bool = true;

// The poller hands its table over as it stands.
const _: () = {
    assert!(size_of::<Subscription>() == 48 && align_of::<Subscription>() == 8);
    assert!(offset_of!(Subscription, userdata) == 0 && offset_of!(Subscription, u) == 8);
    assert!(offset_of!(SubscriptionU, tag) == 0 && offset_of!(SubscriptionU, u) == 8);
    assert!(offset_of!(SubscriptionClock, timeout) == 8);
    assert!(offset_of!(SubscriptionClock, flags) == 24);
    assert!(size_of::<Event>() == 32 && align_of::<Event>() == 8);
    assert!(offset_of!(Event, error) == 8 && offset_of!(Event, type_) == 10);
    assert!(offset_of!(Event, fd_readwrite) == 16);
    assert!(offset_of!(EventFdReadwrite, flags) == 8);
};

/// The host's answer with its errno as an error.
#[inline]
pub(super) fn cvt<T>(answer: Result<T, Errno>) -> io::Result<T> {
    answer.map_err(|errno| io::Error::from_raw_os_error(errno.raw().into()))
}

/// Waits for one of `rows` and writes to `events`, which has room for as many. Returns how many
/// events there are. Without rows the host is not asked: WasmEdge (0.14 to 0.17) would forget
/// whom it watches, and others wait for ever.
pub(super) fn poll(rows: &[Subscription], events: &mut [Event]) -> io::Result<usize> {
    debug_assert!(events.len() >= rows.len(), "no room for the answer");
    let count = rows.len().min(events.len());
    if count == 0 {
        return Ok(0);
    }
    // SAFETY: the host reads `count` rows and writes at most as many events, and both slices have
    // them. Every bit pattern is a valid event.
    let told = cvt(unsafe { wasi::poll_oneoff(rows.as_ptr(), events.as_mut_ptr(), count) })?;
    Ok(told.min(count))
}

/// The monotonic clock in nanoseconds; 0 on a host that has none.
pub(super) fn now() -> u64 {
    // SAFETY: no pointers of ours.
    unsafe { wasi::clock_time_get(wasi::CLOCKID_MONOTONIC, 1) }.unwrap_or(0)
}

/// Fails for what the host cannot wait for: WasmEdge (0.14 to 0.17) notes that for a row, and
/// then waits for ever. It calls all its sockets streams, and pipes "unknown".
pub(super) fn pollable(fd: Fd) -> io::Result<()> {
    // SAFETY: no pointers of ours.
    match cvt(unsafe { wasi::fd_fdstat_get(fd) })?.fs_filetype {
        wasi::FILETYPE_SOCKET_STREAM | wasi::FILETYPE_SOCKET_DGRAM | wasi::FILETYPE_UNKNOWN => {
            Ok(())
        }
        _ => {
            let what = "the descriptor is neither a socket nor a pipe";
            let advice = "the host cannot wait for it; read or write it without registering";
            Err(error(ErrorKind::InvalidInput, what, advice))
        }
    }
}
