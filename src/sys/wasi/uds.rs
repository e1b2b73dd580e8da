//! Unix sockets of the host, with std's names: std has none of them on WASI.
//!
//! They are there when WasmEdge runs with `--allow-af-unix`. Paths are the *host's* paths, relative
//! to its working directory: the guest's preopened directories do not matter (0.14 to 0.17). The
//! host has no call for a pair, for credentials, or to remove the file of a socket.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::wasi::ffi::OsStrExt;
use std::path::Path;

use super::abi::sock::{self, Address, Family, Kind, TAKE};
use super::socket::{Socket, byte_stream, socket_type};
use crate::error::{ErrorKind, error};

/// The address of a Unix socket: a path of the host, or nothing.
///
/// # Hosts
///
/// On Unix this is `std::os::unix::net::SocketAddr`, whose `from_pathname` takes an empty path too.
#[derive(Clone)]
pub struct SocketAddr(Address);

impl SocketAddr {
    /// The address of the socket at `path`, a path of the host.
    ///
    /// # Errors
    ///
    /// If `path` is empty, longer than 108 bytes, or has a zero byte in it.
    pub fn from_pathname<P: AsRef<Path>>(path: P) -> io::Result<SocketAddr> {
        let path = path.as_ref().as_os_str().as_bytes();
        let fault = if path.is_empty() {
            "it is empty"
        } else if path.len() > Address::MAX_PATH {
            "it is longer than the 108 bytes of an address"
        } else if path.contains(&0) {
            "it has a zero byte in it"
        } else {
            return Ok(SocketAddr(Address::unix(path)));
        };
        let what = "the path cannot be a Unix socket's";
        Err(error(ErrorKind::InvalidInput, what, fault))
    }

    /// The path, unless the socket has no name, or one that is not in the file system.
    #[must_use]
    pub fn as_pathname(&self) -> Option<&Path> {
        let path = self.0.path().split(|&byte| byte == 0).next()?;
        (!path.is_empty()).then(|| Path::new(OsStr::from_bytes(path)))
    }

    /// Whether the socket has no name.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.0.path().iter().all(|&byte| byte == 0)
    }

    fn unnamed() -> SocketAddr {
        SocketAddr(Address::unix(&[]))
    }

    /// An address that the host told for a socket that should be a Unix one.
    fn told(address: Address) -> io::Result<SocketAddr> {
        if address.is_unix() {
            Ok(SocketAddr(address))
        } else {
            let what = "the descriptor is not a Unix socket";
            Err(error(
                ErrorKind::InvalidInput,
                what,
                "use the type of its family",
            ))
        }
    }

    /// The address for a call that needs a name.
    fn named(&self) -> io::Result<&Address> {
        if self.is_unnamed() {
            let what = "the address has no name";
            Err(error(
                ErrorKind::InvalidInput,
                what,
                "make one by `from_pathname`",
            ))
        } else {
            Ok(&self.0)
        }
    }
}

impl fmt::Debug for SocketAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_pathname() {
            Some(path) => write!(f, "{path:?} (pathname)"),
            None if self.is_unnamed() => f.write_str("(unnamed)"),
            None => f.write_str("(abstract)"),
        }
    }
}

socket_type!(UnixStream, datagrams: false);
byte_stream!(UnixStream);

impl UnixStream {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        SocketAddr::told(sock::local_addr(self.as_fd())?)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        SocketAddr::told(sock::peer_addr(self.as_fd())?)
    }
}

pub(crate) fn stream_connect(path: &Path) -> io::Result<UnixStream> {
    stream_connect_addr(&SocketAddr::from_pathname(path)?)
}

pub(crate) fn stream_connect_addr(to: &SocketAddr) -> io::Result<UnixStream> {
    let fd = sock::connected(Kind::Stream, to.named()?)?;
    Ok(UnixStream(Socket::opened(fd)))
}

pub(crate) fn stream_pair() -> io::Result<(UnixStream, UnixStream)> {
    no_pair()
}

socket_type!(UnixListener, datagrams: false);

impl UnixListener {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        SocketAddr::told(sock::local_addr(self.as_fd())?)
    }
}

pub(crate) fn listener_bind(path: &Path) -> io::Result<UnixListener> {
    listener_bind_addr(&SocketAddr::from_pathname(path)?)
}

pub(crate) fn listener_bind_addr(at: &SocketAddr) -> io::Result<UnixListener> {
    let fd = sock::listening(at.named()?)?;
    Ok(UnixListener(Socket::opened(fd)))
}

/// The next connection. One whose address cannot be told is one all the same: what its peer has
/// sent before it went can be read.
pub(crate) fn accept(listener: &UnixListener) -> io::Result<(UnixStream, SocketAddr)> {
    let fd = sock::accept(listener.as_fd())?;
    let from = match sock::origin(fd.as_fd()) {
        Ok(address) if address.is_unix() => SocketAddr(address),
        _ => SocketAddr::unnamed(),
    };
    Ok((UnixStream(Socket::opened(fd)), from))
}

socket_type!(UnixDatagram, datagrams: true);

impl UnixDatagram {
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        SocketAddr::told(sock::local_addr(self.as_fd())?)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        SocketAddr::told(sock::peer_addr(self.as_fd())?)
    }

    pub(crate) fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        sock::connect(self.as_fd(), &SocketAddr::from_pathname(path)?.0)
    }

    pub(crate) fn send_to<P: AsRef<Path>>(&self, bytes: &[u8], path: P) -> io::Result<usize> {
        sock::send_to(self.as_fd(), bytes, &SocketAddr::from_pathname(path)?.0)
    }

    #[inline]
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    pub(crate) fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, from) = sock::recv_from(self.as_fd(), buffer, TAKE)?;
        // The path is what counts: the family is garbage where there is none.
        Ok((length, SocketAddr(Address::unix(from.path()))))
    }

    #[inline]
    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buffer)
    }

    pub(crate) fn shutdown(&self, how: std::net::Shutdown) -> io::Result<()> {
        sock::shutdown(self.as_fd(), how)
    }
}

pub(crate) fn datagram_bind(path: &Path) -> io::Result<UnixDatagram> {
    datagram_bind_addr(&SocketAddr::from_pathname(path)?)
}

pub(crate) fn datagram_bind_addr(at: &SocketAddr) -> io::Result<UnixDatagram> {
    let fd = sock::bound(Kind::Datagram, at.named()?)?;
    Ok(UnixDatagram(Socket::opened(fd)))
}

pub(crate) fn datagram_unbound() -> io::Result<UnixDatagram> {
    let fd = sock::open(Family::Unix, Kind::Datagram)?;
    Ok(UnixDatagram(Socket::opened(fd)))
}

pub(crate) fn datagram_pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
    no_pair()
}

#[cold]
fn no_pair<T>() -> io::Result<T> {
    let advice = "WASI has no such call; bind, connect and accept on a path instead";
    Err(error(ErrorKind::Unsupported, "pair", advice))
}
