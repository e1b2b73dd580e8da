//! What a source is to its host, by one set of names: a descriptor, or on Windows a socket.

#[cfg(not(windows))]
pub(crate) use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
#[cfg(windows)]
pub(crate) use windows::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

#[cfg(windows)]
mod windows {
    use std::fs::File;
    use std::os::windows::io::{AsRawSocket, FromRawSocket, IntoRawHandle, IntoRawSocket};
    pub(crate) use std::os::windows::io::{OwnedSocket as OwnedFd, RawSocket as RawFd};

    pub(crate) trait AsRawFd {
        fn as_raw_fd(&self) -> RawFd;
    }

    impl<T: AsRawSocket> AsRawFd for T {
        fn as_raw_fd(&self) -> RawFd {
            self.as_raw_socket()
        }
    }

    pub(crate) trait FromRawFd {
        /// # Safety
        ///
        /// As with a descriptor: it is open, and nobody else closes it.
        unsafe fn from_raw_fd(raw: RawFd) -> Self;
    }

    impl<T: FromRawSocket> FromRawFd for T {
        unsafe fn from_raw_fd(raw: RawFd) -> T {
            // SAFETY: the caller keeps the same promise.
            unsafe { T::from_raw_socket(raw) }
        }
    }

    pub(crate) trait IntoRawFd {
        fn into_raw_fd(self) -> RawFd;
    }

    impl IntoRawFd for mio::net::TcpStream {
        fn into_raw_fd(self) -> RawFd {
            self.into_raw_socket()
        }
    }

    impl IntoRawFd for mio::net::UdpSocket {
        fn into_raw_fd(self) -> RawFd {
            self.into_raw_socket()
        }
    }

    /// The one thing of another kind that a case takes for a socket.
    impl IntoRawFd for File {
        fn into_raw_fd(self) -> RawFd {
            self.into_raw_handle() as RawFd
        }
    }
}
