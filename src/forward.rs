//! The impl blocks that sources share but for a type's name.
//!
//! Each macro takes types with one field, `inner: IoSource<_>`.

use std::io;
use std::ops::Deref;

use crate::io_source::sent;
use crate::sys::Outcome;

#[macro_use]
#[cfg_attr(windows, path = "sys/windows/handles.rs")]
pub(crate) mod handles;

/// Events, `{:?}` as the host's own socket prints it, and descriptors.
macro_rules! forward {
    ($name:ident, $socket:ty) => {
        impl $name {
            #[inline]
            fn over(socket: $socket) -> $name {
                let inner = $crate::io_source::IoSource::new(socket);
                $name { inner }
            }
        }
        const _: () = {
            use std::{fmt, io};
            use $crate::{Interest, Registry, Token, event};

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
            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.inner.inner().fmt(f)
                }
            }
        };
        handles!(handle $name);
    };
}

/// The conversions of a source's handle, whose methods have other names on each host.
macro_rules! handle {
    ($as_fd:ident $as_raw_fd:ident $into_raw_fd:ident $from_raw_fd:ident $name:ident) => {
        const _: () = {
            use $crate::forward::handles::{
                AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd,
            };

            impl AsFd for $name {
                #[inline]
                fn $as_fd(&self) -> BorrowedFd<'_> {
                    self.inner.inner().$as_fd()
                }
            }
            impl AsRawFd for $name {
                #[inline]
                fn $as_raw_fd(&self) -> RawFd {
                    self.$as_fd().$as_raw_fd()
                }
            }
            impl IntoRawFd for $name {
                /// Gives the descriptor away. Deregister first: a kernel with a list of its own
                /// keeps it there, under its old token.
                fn $into_raw_fd(self) -> RawFd {
                    OwnedFd::from(self).$into_raw_fd()
                }
            }
            #[allow(unsafe_code)]
            impl FromRawFd for $name {
                unsafe fn $from_raw_fd(fd: RawFd) -> $name {
                    // SAFETY: the caller keeps the same promise.
                    unsafe { OwnedFd::$from_raw_fd(fd) }.into()
                }
            }
            impl From<OwnedFd> for $name {
                /// Takes over a descriptor, which must be non-blocking already.
                fn from(fd: OwnedFd) -> $name {
                    $name::over(fd.into())
                }
            }
            impl From<$name> for OwnedFd {
                fn from(socket: $name) -> OwnedFd {
                    socket.inner.into_inner().into()
                }
            }
        };
    };
}

/// I/O of the program's own.
macro_rules! try_io {
    ($name:ident) => {
        impl $name {
            /// Makes an I/O call of the program's own, one that this type lacks, on its descriptor.
            ///
            /// Through here the library learns that the call would have blocked, and watches the
            /// source again. `call` must not block, and must use this source only.
            ///
            /// # Errors
            ///
            /// Those of `call`, which is to answer
            /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) where the host's call does.
            ///
            /// ```
            /// # use std::os::fd::AsRawFd;
            /// # fn call(descriptor: i32) -> std::io::Result<usize> { Ok(0) }
            /// # #[cfg(feature = "net")]
            /// # fn example(socket: &mio::net::UdpSocket) -> std::io::Result<usize> {
            /// socket.try_io(|| call(socket.as_raw_fd()))
            /// # }
            /// ```
            #[inline]
            pub fn try_io<F, T>(&self, call: F) -> std::io::Result<T>
            where
                F: FnOnce() -> std::io::Result<T>,
            {
                self.inner.try_io(call)
            }
        }
    };
}

/// `Read`, for a stream of bytes and its reference.
macro_rules! reads {
    ($($name:ty),+) => { const _: () = {
        use std::io::{self, IoSliceMut, Read};
        use $crate::forward::{read, total};
        $(
            impl Read for $name {
                #[inline]
                fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                    self.inner.read(read(buf.len()), |mut s| s.read(buf))
                }
                #[inline]
                fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                    self.inner.read(read(total(bufs)), |mut s| s.read_vectored(bufs))
                }
            }
        )+
    }; };
}

/// `Write`, for a stream of bytes and its reference.
macro_rules! writes {
    ($($name:ty),+) => { const _: () = {
        use std::io::{self, IoSlice, Write};
        use $crate::forward::{total, written};
        use $crate::sys::Direction;
        $(
            impl Write for $name {
                #[inline]
                fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                    self.inner.io(Direction::Write, written(buf.len()), |mut s| s.write(buf))
                }
                #[inline]
                fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                    let rule = written(total(bufs));
                    self.inner.io(Direction::Write, rule, |mut s| s.write_vectored(bufs))
                }
                #[inline]
                fn flush(&mut self) -> io::Result<()> {
                    Ok(())
                }
            }
        )+
    }; };
}

/// The rule for reading. Any input taken rearms: a program that takes one buffer per event then
/// never loses a wake-up, and cannot spin, since each event costs it input. The end of the stream
/// ends the watching, which an earlier read of the same event may have begun again.
#[inline]
pub(crate) fn read(asked: usize) -> impl FnOnce(&io::Result<usize>) -> Outcome {
    move |result| match result {
        Ok(0) if asked > 0 => Outcome::Ended,
        Ok(length) if *length < asked => Outcome::Drained,
        Ok(1..) => Outcome::Took,
        _ => sent(result),
    }
}

/// The rule for writing. Only a write that was cut short rearms: a socket that always has room
/// would fire for ever.
#[inline]
pub(crate) fn written(asked: usize) -> impl FnOnce(&io::Result<usize>) -> Outcome {
    move |result| match result {
        Ok(length) if 0 < *length && *length < asked => Outcome::Took,
        _ => sent(result),
    }
}

/// How much is asked for, as far as one call goes: hosts take 1024 slices. They may share memory,
/// so that the sum may be beyond all memory.
#[inline]
pub(crate) fn total<S: Deref<Target = [u8]>>(slices: &[S]) -> usize {
    let add = |total: usize, slice: &S| total.saturating_add(slice.len());
    slices.iter().take(1024).fold(0, add)
}
