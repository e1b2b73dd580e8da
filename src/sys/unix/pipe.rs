//! Pipes: each end is a file without a place.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};

use super::cvt;
use crate::io_source::IoSource;

/// The end of a pipe that is written to.
///
/// Writing to a pipe whose receiver is gone is a
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe) error.
pub struct Sender {
    inner: IoSource<File>,
}

/// The end of a pipe that is read from.
///
/// Where every sender is gone and all has been read, reading answers `Ok(0)`.
pub struct Receiver {
    inner: IoSource<File>,
}

/// Makes a pipe. Both ends are non-blocking, and neither outlives an `exec`.
///
/// It fails where the descriptor table is full.
pub fn new() -> io::Result<(Sender, Receiver)> {
    let [receiver, sender] = super::pipe()?;
    Ok((sender.into(), receiver.into()))
}

macro_rules! end {
    ($name:ident, $($child:ident),+) => {
        impl $name {
            /// Makes this end blocking, or non-blocking. No host is known to refuse it.
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                let (fd, bit) = (self.as_raw_fd(), libc::O_NONBLOCK);
                // Solaris has an `ioctl` for it that is not for pipes.
                // SAFETY: no pointers.
                let flags = cvt(unsafe { libc::fcntl(fd, libc::F_GETFL) })? & !bit;
                let flags = if nonblocking { flags | bit } else { flags };
                // SAFETY: no pointers.
                cvt(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }).map(drop)
            }
        }
        try_io!($name);
        $(
            impl From<$child> for $name {
                /// Takes over a child's stream, which is left blocking as it was.
                fn from(stream: $child) -> $name {
                    OwnedFd::from(stream).into()
                }
            }
        )+
    };
}

forward!(Sender, File);
end!(Sender, ChildStdin);
writes!(Sender, &Sender);
forward!(Receiver, File);
end!(Receiver, ChildStdout, ChildStderr);
reads!(Receiver, &Receiver);
