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

use super::super::abi::sock::{self, Address, Family, Kind};
use super::{Socket, Told, calls, opens, socket_type};
use crate::error::{ErrorKind, error};

/// The address of a Unix socket: a path of the host, or nothing.
///
/// # Hosts
/// On Unix this is `std::os::unix::net::SocketAddr`, whose `from_pathname` takes an empty path too.
#[derive(Clone)]
pub struct SocketAddr(Address);

impl SocketAddr {
    /// The address of the socket at `path`, a path of the host.
    ///
    /// # Errors
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

    fn named(&self) -> io::Result<&Address> {
        if self.is_unnamed() {
            let (what, advice) = ("the address has no name", "make one by `from_pathname`");
            return Err(error(ErrorKind::InvalidInput, what, advice));
        }
        Ok(&self.0)
    }
}

impl Told for SocketAddr {
    fn told(address: Address) -> io::Result<SocketAddr> {
        if !address.is_unix() {
            let what = "the descriptor is not a Unix socket";
            let advice = "use the type of its family";
            return Err(error(ErrorKind::InvalidInput, what, advice));
        }
        Ok(SocketAddr(address))
    }
    /// The path is what counts: the family is garbage where there is none.
    fn sender(address: Address) -> io::Result<SocketAddr> {
        Ok(SocketAddr(Address::unix(address.path())))
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

socket_type!(UnixStream, Stream, SocketAddr, Stream);
socket_type!(UnixListener, Listener, SocketAddr, Listener);

/// The next connection. One whose address cannot be told is one all the same: what its peer has
/// sent before it went can be read.
pub(crate) fn accept(listener: &UnixListener) -> io::Result<(UnixStream, SocketAddr)> {
    let fd = sock::accept(listener.as_fd())?;
    let from = match sock::origin(fd.as_fd()) {
        Ok(address) if address.is_unix() => SocketAddr(address),
        _ => SocketAddr(Address::unix(&[])),
    };
    Ok((Socket::opened(fd), from))
}

socket_type!(UnixDatagram, Datagram, SocketAddr, Datagrams);

impl UnixDatagram {
    calls! {
        connect(self, path: &Path) -> ()
            = sock::connect(self.as_fd(), &SocketAddr::from_pathname(path)?.0);
        send_to(self, bytes: &[u8], path: &Path) -> usize
            = sock::send_to(self.as_fd(), bytes, &SocketAddr::from_pathname(path)?.0);
    }
}

pub(crate) use self::{no_pair as datagram_pair, no_pair as stream_pair};

#[cold]
pub(crate) fn no_pair<T>() -> io::Result<(T, T)> {
    let advice = "WASI has no such call; bind, connect and accept on a path instead";
    Err(error(ErrorKind::Unsupported, "pair", advice))
}

opens! {
    stream_connect(to: &SocketAddr) -> UnixStream = sock::connected(Kind::Stream, to.named()?);
    listener_bind(at: &SocketAddr) -> UnixListener = sock::listening(at.named()?);
    datagram_bind(at: &SocketAddr) -> UnixDatagram = sock::bound(Kind::Datagram, at.named()?);
    datagram_unbound() -> UnixDatagram = sock::open(Family::Unix, Kind::Datagram);
}
