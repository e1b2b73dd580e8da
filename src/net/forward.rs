//! What the sockets share beside `forward!`: their conversions from and to std's.
//!
//! Hosts differ here in which of these types std has as well.

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
