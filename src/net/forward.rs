//! The impl blocks that the sockets share but for a type's name.
//!
//! Each macro takes types with one field `inner: IoSource<_>`. A registration ends before a
//! descriptor is given away. The hosts differ only in what std has on them: see `host` below.

/// Events, descriptors, and what `{:?}` prints: the host's own socket.
macro_rules! forward {
    ($name:ident) => {
        impl crate::event::Source for $name {
            #[inline]
            fn register(
                &mut self,
                registry: &crate::Registry,
                token: crate::Token,
                interests: crate::Interest,
            ) -> std::io::Result<()> {
                self.inner.register(registry, token, interests)
            }

            #[inline]
            fn reregister(
                &mut self,
                registry: &crate::Registry,
                token: crate::Token,
                interests: crate::Interest,
            ) -> std::io::Result<()> {
                self.inner.reregister(registry, token, interests)
            }

            #[inline]
            fn deregister(&mut self, registry: &crate::Registry) -> std::io::Result<()> {
                self.inner.deregister(registry)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.inner.fmt(f)
            }
        }

        impl std::os::fd::AsFd for $name {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.inner.inner().as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $name {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.inner.inner().as_raw_fd()
            }
        }

        impl std::os::fd::IntoRawFd for $name {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                self.inner.into_inner().into_raw_fd()
            }
        }

        #[allow(unsafe_code)]
        impl std::os::fd::FromRawFd for $name {
            /// Takes over a descriptor, which must be non-blocking.
            ///
            /// # Safety
            ///
            /// It must be open, and the caller's own.
            unsafe fn from_raw_fd(fd: std::os::fd::RawFd) -> $name {
                // SAFETY: the caller promises that the descriptor is open and is given away.
                unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) }.into()
            }
        }

        impl From<std::os::fd::OwnedFd> for $name {
            /// Takes over a descriptor, which must be non-blocking.
            fn from(fd: std::os::fd::OwnedFd) -> $name {
                let inner = crate::io_source::IoSource::new(fd.into());
                $name { inner }
            }
        }

        impl From<$name> for std::os::fd::OwnedFd {
            fn from(socket: $name) -> std::os::fd::OwnedFd {
                socket.inner.into_inner().into()
            }
        }
    };
}

/// `Read` and `Write` of a stream of bytes, for the type and for its reference.
macro_rules! bytes {
    ($($name:ty),+) => { $(
        impl std::io::Read for $name {
            #[inline]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                let flow = crate::io_source::Flow::Bytes(buf.len());
                self.inner.io(crate::sys::Direction::Read, flow, |mut socket| socket.read(buf))
            }

            #[inline]
            fn read_vectored(
                &mut self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                let flow = super::forward::total(bufs);
                let read = crate::sys::Direction::Read;
                self.inner.io(read, flow, |mut socket| socket.read_vectored(bufs))
            }
        }

        impl std::io::Write for $name {
            #[inline]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                let flow = crate::io_source::Flow::Bytes(buf.len());
                self.inner.io(crate::sys::Direction::Write, flow, |mut socket| socket.write(buf))
            }

            #[inline]
            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                let flow = super::forward::total(bufs);
                let write = crate::sys::Direction::Write;
                self.inner.io(write, flow, |mut socket| socket.write_vectored(bufs))
            }

            /// Does nothing: what was written is the system's already.
            #[inline]
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    )+ };
}

/// Slices may repeat memory, so that even their total may be too large.
#[inline]
pub(super) fn total<S: std::ops::Deref<Target = [u8]>>(slices: &[S]) -> crate::io_source::Flow {
    let add = |total: usize, slice: &S| total.saturating_add(slice.len());
    crate::io_source::Flow::Bytes(slices.iter().fold(0, add))
}

/// Into std's type of the same name.
macro_rules! into_std {
    ($name:ident) => {
        impl From<$name> for std::net::$name {
            fn from(socket: $name) -> std::net::$name {
                std::os::fd::OwnedFd::from(socket).into()
            }
        }
    };
}

#[cfg(unix)]
#[macro_use]
mod host {
    macro_rules! tcp_from_std {
        ($name:ident) => {
            impl $name {
                /// Takes over a socket of std, which must be non-blocking already.
                ///
                /// # Hosts
                ///
                /// On WASI it takes any type that is `IntoRawFd`, such as
                /// `wasmedge_wasi_socket`'s.
                pub fn from_std(socket: std::net::$name) -> $name {
                    std::os::fd::OwnedFd::from(socket).into()
                }
            }
        };
    }

    /// Both ways between a Unix socket and std's.
    macro_rules! unix_std {
        ($name:ident) => {
            impl $name {
                /// Takes over a socket of std, which must be non-blocking already.
                ///
                /// # Hosts
                ///
                /// Unix only: std has no such type on WASI.
                pub fn from_std(socket: std::os::unix::net::$name) -> $name {
                    std::os::fd::OwnedFd::from(socket).into()
                }
            }

            impl From<$name> for std::os::unix::net::$name {
                fn from(socket: $name) -> std::os::unix::net::$name {
                    std::os::fd::OwnedFd::from(socket).into()
                }
            }
        };
    }
}

#[cfg(not(unix))]
#[macro_use]
mod host {
    macro_rules! tcp_from_std {
        ($name:ident) => {
            #[allow(unsafe_code)]
            impl $name {
                /// Takes over a socket, which must be non-blocking already: std's, or any other
                /// type's that gives its descriptor away.
                ///
                /// # Hosts
                ///
                /// On Unix it takes std's type only.
                pub fn from_std<S: std::os::fd::IntoRawFd>(socket: S) -> $name {
                    use std::os::fd::FromRawFd as _;
                    // SAFETY: `IntoRawFd` gives away an open descriptor, and its ownership.
                    unsafe { $name::from_raw_fd(socket.into_raw_fd()) }
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

    /// Nothing: std has no Unix sockets here.
    macro_rules! unix_std {
        ($name:ident) => {};
    }
}
