//! What goes to and fro in the workloads that are not an echo of a small request.

/// The size of a request of the workload `stream`, and of its echo.
pub const STREAM: usize = 1 << 20;

/// A reply of the workload `response` is a header, each byte of which is the last byte of the
/// request, and a body that is always [`body`].
pub const HEADER: usize = 64;
pub const BODY: usize = 1024;

pub const fn body() -> [u8; BODY] {
    let mut bytes = [0; BODY];
    let mut at = 0;
    while at < BODY {
        bytes[at] = (at * 7 % 251) as u8;
        at += 1;
    }
    bytes
}
