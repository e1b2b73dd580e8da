//! What the sockets share beside `forward!`: some methods, and the conversions from and to std's.
//!
//! Hosts differ here in which of these types std has as well.

use std::mem::ManuallyDrop;

use crate::forward::handles::{AsFd, AsRawFd, FromRawFd};

/// What every socket has.
macro_rules! socket {
    ($name:ident, $socket:ty, $address:ty) => {
        forward!($name, $socket);
        impl $name {
            /// The address of this end: what the socket is bound to.
            pub fn local_addr(&self) -> std::io::Result<$address> {
                self.inner.inner().local_addr()
            }

            /// Takes the error that waits in the socket, if there is one (`SO_ERROR`).
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                let rule = super::outcome::error_taken;
                self.inner
                    .io(crate::sys::Direction::Read, rule, |s| s.take_error())
            }
        }
    };
}

/// What a socket has that can be connected.
macro_rules! connected {
    ($name:ident, $address:ty) => {
        impl $name {
            /// The address of the other end.
            ///
            /// It fails with [`NotConnected`](std::io::ErrorKind::NotConnected) while there is no
            /// connection yet, and when it has failed or was reset.
            pub fn peer_addr(&self) -> std::io::Result<$address> {
                let rule = super::outcome::peer_asked;
                self.inner
                    .io(crate::sys::Direction::Write, rule, |s| s.peer_addr())
            }
        }
        try_io!($name);
    };
}

/// What a socket has whose directions end one by one.
macro_rules! shutdown {
    ($name:ident) => {
        impl $name {
            /// Closes one direction, or both, while the socket stays open.
            ///
            /// A stream's peer reads all that was written, and then the end. It fails with
            /// [`NotConnected`](std::io::ErrorKind::NotConnected) where there is no connection.
            pub fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                use $crate::sys::{Direction, Outcome};
                // What was known of reading may hold no longer.
                let rule = |_: &_| Outcome::Moved;
                self.inner.io(Direction::Read, rule, |s| s.shutdown(how))
            }
        }
    };
}

/// What a socket has that keeps what it sends and receives in memory.
macro_rules! buffers {
    ($name:ident) => {
        const _: () = {
            use std::io;
            use $crate::{net::forward::int, sys::socket};

            impl $name {
                /// Asks for room for so many bytes that are not sent yet (`SO_SNDBUF`).
                ///
                /// The system may give more or less: Linux, also below WasmEdge, gives twice as
                /// much, for its own needs. Mio has no such call.
                pub fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
                    socket::set_option(self.inner.inner(), socket::SEND_BUFFER, [int(bytes)])
                }

                /// The room for bytes that are not sent yet.
                pub fn send_buffer_size(&self) -> io::Result<usize> {
                    let size = socket::option(self.inner.inner(), socket::SEND_BUFFER);
                    size.map(|[size]| size as usize)
                }

                /// Asks for room for so many bytes that are not received yet (`SO_RCVBUF`), and
                /// gets more or less of it, as with `SO_SNDBUF`.
                pub fn set_recv_buffer_size(&self, bytes: usize) -> io::Result<()> {
                    socket::set_option(self.inner.inner(), socket::RECEIVE_BUFFER, [int(bytes)])
                }

                /// The room for bytes that are not received yet.
                pub fn recv_buffer_size(&self) -> io::Result<usize> {
                    let size = socket::option(self.inner.inner(), socket::RECEIVE_BUFFER);
                    size.map(|[size]| size as usize)
                }
            }
        };
    };
}

/// What a socket of the Internet has.
macro_rules! ttl {
    ($name:ident) => {
        impl $name {
            /// Sets how many routers a packet of this socket may pass (`IP_TTL`): 1 to 255.
            ///
            /// # Hosts
            ///
            /// On WASI `Unsupported`: WasmEdge up to 0.17 has no such option.
            pub fn set_ttl(&self, ttl: u32) -> std::io::Result<()> {
                self.inner.inner().set_ttl(ttl)
            }

            /// How many routers a packet of this socket may pass. Hosts as when it is set.
            pub fn ttl(&self) -> std::io::Result<u32> {
                self.inner.inner().ttl()
            }
        }
    };
}

/// Into std's socket.
macro_rules! into_std {
    ($name:ident, $std:ty) => {
        impl From<$name> for $std {
            fn from(socket: $name) -> $std {
                $crate::forward::handles::OwnedFd::from(socket).into()
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
                $crate::forward::handles::OwnedFd::from(socket).into()
            }
        }
    };
}

macro_rules! second {
    ($as_fd:ident $as_raw_fd:ident $into_raw_fd:ident $from_raw_fd:ident) => {
        /// A second socket over a descriptor that somebody else closes, who must not do so first.
        #[allow(unsafe_code)]
        pub(crate) fn second<T: FromRawFd>(owner: &impl AsFd) -> ManuallyDrop<T> {
            // SAFETY: the descriptor is open as long as its owner is borrowed, and what is never
            // dropped does not close it.
            ManuallyDrop::new(unsafe { T::$from_raw_fd(owner.$as_fd().$as_raw_fd()) })
        }
    };
}
handles!(second);

/// What the host cannot count is as much as it can.
pub(super) fn int(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

#[cfg(not(target_env = "p1"))]
#[macro_use]
mod host {
    macro_rules! tcp_std {
        ($name:ident) => {
            std_socket!($name, std::net::$name);
        };
    }
}

#[cfg(target_env = "p1")]
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
                /// # Panics
                ///
                /// Where the descriptor is -1: a bare number is a `IntoRawFd` too.
                ///
                /// # Hosts
                ///
                /// On Unix it takes std's type alone.
                pub fn from_std<S: std::os::fd::IntoRawFd>(socket: S) -> $name {
                    // SAFETY: a socket gives away a descriptor that is open and its own. The bound
                    // is mio_wasi 0.8's and lets a bare number pass too: for that the caller
                    // vouches.
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
}
