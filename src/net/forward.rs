//! The impl blocks that sockets share but for a type's name.
//!
//! Each macro takes types with one field, `inner: IoSource<_>`. What gives a descriptor away ends
//! its registration first. Hosts differ here only in which of these types std has as well.

/// Events, `{:?}` as the host's own socket prints it, and descriptors.
macro_rules! forward {
    ($name:ident) => {
        const _: () = {
            use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
            use std::{fmt, io};
            use $crate::{Interest, Registry, Token, event, io_source::IoSource};

            impl event::Source for $name {
                #[inline]
                fn register(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
                    self.inner.register(r, t, i)
                }
                #[inline]
                fn reregister(&mut self, r: &Registry, t: Token, i: Interest) -> io::Result<()> {
                    self.inner.reregister(r, t, i)
                }
                #[inline]
                fn deregister(&mut self, r: &Registry) -> io::Result<()> {
                    self.inner.deregister(r)
                }
            }
            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.inner.fmt(f)
                }
            }
            impl AsFd for $name {
                #[inline]
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.inner.inner().as_fd()
                }
            }
            impl AsRawFd for $name {
                #[inline]
                fn as_raw_fd(&self) -> RawFd {
                    self.inner.inner().as_raw_fd()
                }
            }
            impl IntoRawFd for $name {
                fn into_raw_fd(self) -> RawFd {
                    self.inner.into_inner().into_raw_fd()
                }
            }
            #[allow(unsafe_code)]
            impl FromRawFd for $name {
                unsafe fn from_raw_fd(fd: RawFd) -> $name {
                    // SAFETY: the caller keeps the same promise.
                    unsafe { OwnedFd::from_raw_fd(fd) }.into()
                }
            }
            impl From<OwnedFd> for $name {
                /// Takes over a descriptor, which must be non-blocking already.
                fn from(fd: OwnedFd) -> $name {
                    let inner = IoSource::new(fd.into());
                    $name { inner }
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

/// `Read` and `Write`: a stream of bytes, and its reference.
macro_rules! bytes {
    ($($name:ty),+) => { const _: () = {
        use std::io::{self, IoSlice, IoSliceMut, Read, Write};
        use $crate::{io_source::Flow::Bytes, net::forward::total, sys::Direction};
        $(
            impl Read for $name {
                #[inline]
                fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                    self.inner.io(Direction::Read, Bytes(buf.len()), |mut s| s.read(buf))
                }
                #[inline]
                fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                    let flow = Bytes(total(bufs));
                    self.inner.io(Direction::Read, flow, |mut s| s.read_vectored(bufs))
                }
            }
            impl Write for $name {
                #[inline]
                fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                    self.inner.io(Direction::Write, Bytes(buf.len()), |mut s| s.write(buf))
                }
                #[inline]
                fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                    let flow = Bytes(total(bufs));
                    self.inner.io(Direction::Write, flow, |mut s| s.write_vectored(bufs))
                }
                #[inline]
                fn flush(&mut self) -> io::Result<()> {
                    Ok(())
                }
            }
        )+
    }; };
}

/// How much is asked for. Slices may share memory, so that the sum may be beyond all memory.
#[inline]
pub(super) fn total<S: std::ops::Deref<Target = [u8]>>(slices: &[S]) -> usize {
    let add = |total: usize, slice: &S| total.saturating_add(slice.len());
    slices.iter().fold(0, add)
}

/// Into std's socket.
macro_rules! into_std {
    ($name:ident, $std:ty) => {
        impl From<$name> for $std {
            fn from(socket: $name) -> $std {
                std::os::fd::OwnedFd::from(socket).into()
            }
        }
    };
}

/// Into std's socket, and from it.
macro_rules! std_socket {
    ($name:ident, $std:ty) => {
        into_std!($name, $std);
        impl $name {
            /// Takes over a socket of std, which must be non-blocking already.
            ///
            /// # Hosts
            ///
            /// On WASI the TCP types take any type that gives its descriptor away (`IntoRawFd`),
            /// and Unix sockets lack the call, since std lacks them.
            pub fn from_std(socket: $std) -> $name {
                std::os::fd::OwnedFd::from(socket).into()
            }
        }
    };
}

#[cfg(unix)]
#[macro_use]
mod host {
    macro_rules! tcp_std {
        ($name:ident) => {
            std_socket!($name, std::net::$name);
        };
    }
    macro_rules! unix_std {
        ($name:ident) => {
            std_socket!($name, std::os::unix::net::$name);
        };
    }
}

#[cfg(not(unix))]
#[macro_use]
mod host {
    macro_rules! tcp_std {
        ($name:ident) => {
            into_std!($name, std::net::$name);
            #[allow(unsafe_code)]
            impl $name {
                /// Takes over a socket, which must be non-blocking already: std's, or that of any
                /// type that gives its descriptor away.
                ///
                /// # Hosts
                ///
                /// On Unix it takes std's type alone.
                pub fn from_std<S: std::os::fd::IntoRawFd>(socket: S) -> $name {
                    // SAFETY: `IntoRawFd` gives away an open descriptor.
                    unsafe { std::os::fd::FromRawFd::from_raw_fd(socket.into_raw_fd()) }
                }
            }
            #[cfg(feature = "wasmedge")]
            impl From<wasmedge_wasi_socket::$name> for $name {
                /// Takes over a socket, which must be non-blocking already.
                fn from(socket: wasmedge_wasi_socket::$name) -> $name {
                    $name::from_std(socket)
                }
            }
        };
    }
    macro_rules! unix_std {
        ($name:ident) => {};
    }
}
