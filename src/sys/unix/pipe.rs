//! Pipes: each end is a file without a place.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};

use super::cvt;
use crate::io_source::Flow::{self, Bytes};
use crate::io_source::IoSource;
use crate::sys::Direction;
use crate::{Interest, Registry, Token, event};

/// The end of a pipe that is written to.
///
/// Writing to a pipe whose receiver is gone is a
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe) error.
#[derive(Debug)]
pub struct Sender {
    inner: IoSource<File>,
}

/// The end of a pipe that is read from.
///
/// Where every sender is gone and all has been read, reading answers `Ok(0)`.
#[derive(Debug)]
pub struct Receiver {
    inner: IoSource<File>,
}

// Without the sockets of feature `net`, nothing moves items.
const _: [Flow; 2] = [Flow::Items, Flow::Nothing];

/// Makes a pipe. Both ends are non-blocking, and neither outlives an `exec`.
///
/// # Errors
///
/// The host's: a full descriptor table.
pub fn new() -> io::Result<(Sender, Receiver)> {
    let mut fds = [-1; 2];
    // SAFETY: the kernel writes two descriptors to `fds`.
    cvt(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) })?;
    // SAFETY: the kernel has just given us these descriptors, and nobody else has them.
    let [receiver, sender] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    Ok((sender.into(), receiver.into()))
}

macro_rules! writes {
    ($($name:ty),+) => { $(
        impl Write for $name {
            #[inline]
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.inner.io(Direction::Write, Bytes(buf.len()), |mut f| f.write(buf))
            }

            #[inline]
            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                let flow = Bytes(bufs.iter().map(|buf| buf.len()).sum());
                self.inner.io(Direction::Write, flow, |mut f| f.write_vectored(bufs))
            }

            #[inline]
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )+ };
}

macro_rules! reads {
    ($($name:ty),+) => { $(
        impl Read for $name {
            #[inline]
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.inner.io(Direction::Read, Bytes(buf.len()), |mut f| f.read(buf))
            }

            #[inline]
            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let flow = Bytes(bufs.iter().map(|buf| buf.len()).sum());
                self.inner.io(Direction::Read, flow, |mut f| f.read_vectored(bufs))
            }
        }
    )+ };
}

macro_rules! end {
    ($name:ident, $($child:ident),+) => {
        impl $name {
            /// Makes this end blocking, or non-blocking.
            ///
            /// # Errors
            ///
            /// The host's; none is known.
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                let on = libc::c_int::from(nonblocking);
                // SAFETY: the kernel reads one integer, which lives through the call.
                cvt(unsafe { libc::ioctl(self.as_raw_fd(), libc::FIONBIO, &on) }).map(drop)
            }

            /// Makes an I/O call of the program's own on this end's descriptor.
            ///
            /// # Errors
            ///
            /// Those of `call`, which is to answer [`WouldBlock`](io::ErrorKind::WouldBlock)
            /// where the kernel does.
            #[inline]
            pub fn try_io<F, T>(&self, call: F) -> io::Result<T>
            where
                F: FnOnce() -> io::Result<T>,
            {
                self.inner.try_io(call)
            }
        }

        impl event::Source for $name {
            fn register(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
                self.inner.register(r, t, i)
            }

            fn reregister(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
                self.inner.reregister(r, t, i)
            }

            fn deregister(&mut self, r: &Registry) -> io::Result<()> {
                self.inner.deregister(r)
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.inner.inner().as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.inner.inner().as_raw_fd()
            }
        }

        impl IntoRawFd for $name {
            fn into_raw_fd(self) -> RawFd {
                self.inner.into_inner().into_raw_fd()
            }
        }

        impl FromRawFd for $name {
            unsafe fn from_raw_fd(fd: RawFd) -> $name {
                // SAFETY: the caller promises that the descriptor is open and is given away.
                unsafe { OwnedFd::from_raw_fd(fd) }.into()
            }
        }

        impl From<OwnedFd> for $name {
            fn from(fd: OwnedFd) -> $name {
                $name { inner: IoSource::new(fd.into()) }
            }
        }

        impl From<$name> for OwnedFd {
            fn from(end: $name) -> OwnedFd {
                end.inner.into_inner().into()
            }
        }

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

end!(Sender, ChildStdin);
writes!(Sender, &Sender);
end!(Receiver, ChildStdout, ChildStderr);
reads!(Receiver, &Receiver);
