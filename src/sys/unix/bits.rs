//! What epoll has of poll(2): the bits, which are the same, and the milliseconds.

use std::time::Duration;

use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, c_short};

use crate::Interest;
use crate::ready::Ready;

/// The peer will send no more. Linux alone has it for both.
pub(super) const RDHUP: c_short = 0x2000;

#[inline]
pub(super) fn says(events: i32, ready: Ready) -> bool {
    let any = |bits: c_short| events & i32::from(bits) != 0;
    // A half-closed peer is RDHUP, together with IN since there is an end to be read. A pipe's
    // writer whose reader has gone sees ERR, alone or beside OUT.
    match ready {
        Ready::READABLE => any(POLLIN | POLLPRI),
        Ready::WRITABLE => any(POLLOUT),
        Ready::ERROR => any(POLLERR | POLLNVAL),
        Ready::READ_CLOSED => any(POLLHUP) || (any(POLLIN) && any(RDHUP)),
        Ready::WRITE_CLOSED => {
            any(POLLHUP) || (any(POLLOUT) && any(POLLERR)) || events == i32::from(POLLERR)
        }
        Ready::PRIORITY => any(POLLPRI),
        _ => false,
    }
}

#[inline]
pub(super) fn wanted(always: i32, interest: Interest) -> i32 {
    let when = |wanted: bool, bits: c_short| if wanted { i32::from(bits) } else { 0 };
    always
        | when(interest.is_readable(), POLLIN | RDHUP)
        | when(interest.is_writable(), POLLOUT)
        | when(interest.is_priority(), POLLPRI)
}

/// Rounded up, so that no wait ends early; what does not fit is the longest wait there is.
#[inline]
pub(super) fn milliseconds(timeout: Option<Duration>) -> i32 {
    match timeout {
        None => -1,
        Some(timeout) => {
            let longest = i32::MAX as u64;
            let whole = timeout.as_secs().min(longest / 1_000) * 1_000;
            let partial = timeout.subsec_nanos().saturating_add(999_999) / 1_000_000;
            (whole + u64::from(partial)).min(longest) as i32
        }
    }
}
