//! `UnixListener`, `UnixStream` and `UnixDatagram`.

use std::io;
use std::path::Path;

use super::outcome::item;
use crate::io_source::{IoSource, sent};
use crate::sys::Direction::{Read, Write};
use crate::sys::Outcome;
use crate::sys::socket::uds;
pub use crate::sys::socket::uds::SocketAddr;

/// A Unix socket that accepts connections.
///
#[doc = include_str!("unix_listener.md")]
pub struct UnixListener {
    inner: IoSource<uds::UnixListener>,
}

impl UnixListener {
    /// Opens a socket, binds it to `path`, and listens.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) where the file exists, even if nobody listens any
    /// more. [`InvalidInput`](io::ErrorKind::InvalidInput) for a path of more than about 100
    /// bytes. Else the host's.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`UnixListener::bind`], with an address that need not be a path.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        uds::listener_bind(address).map(UnixListener::over)
    }

    /// Accepts a connection, which is non-blocking, and gives its peer's address.
    ///
    /// Few clients bind a name: mostly the address is unnamed. The errors are those of
    /// [`TcpListener::accept`](crate::net::TcpListener::accept).
    #[inline]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let accepted = self.inner.io(Read, item, uds::accept);
        accepted.map(|(stream, peer)| (UnixStream::over(stream), peer))
    }
}

socket!(UnixListener, uds::UnixListener, SocketAddr);
std_type!(unix UnixListener);

/// A connection between Unix sockets.
///
#[doc = include_str!("unix_stream.md")]
pub struct UnixStream {
    inner: IoSource<uds::UnixStream>,
}

impl UnixStream {
    /// Opens a socket and connects it to `path`.
    ///
    /// Unlike TCP's, it is connected when the call returns `Ok`.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where the listener has too many connections
    /// waiting already: there is no attempt in progress and no event to wait for, so connect anew
    /// later. [`NotFound`](io::ErrorKind::NotFound) where there is no such file,
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) where nobody listens. Else the
    /// host's.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`UnixStream::connect`], with an address that need not be a path.
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        uds::stream_connect(address).map(UnixStream::over)
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Hosts
    /// On WASI `Unsupported`: WasmEdge up to 0.17 has no such call.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = uds::stream_pair()?;
        Ok((UnixStream::over(one), UnixStream::over(other)))
    }
}

socket!(UnixStream, uds::UnixStream, SocketAddr);
connected!(UnixStream, SocketAddr);
shutdown!(UnixStream);
reads!(UnixStream, &UnixStream);
writes!(UnixStream, &UnixStream);
std_type!(unix UnixStream);

/// A Unix socket that sends and receives datagrams. Hosts differ as with [`UnixListener`].
///
#[doc = include_str!("unix_datagram.md")]
pub struct UnixDatagram {
    inner: IoSource<uds::UnixDatagram>,
}

impl UnixDatagram {
    /// Opens a socket and binds it to `path`, with the errors of [`UnixListener::bind`].
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`UnixDatagram::bind`], with an address that need not be a path.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        uds::datagram_bind(address).map(UnixDatagram::over)
    }

    /// Connects the socket: from now on `send` sends there, and only that peer's are received.
    ///
    /// It fails above all where there is no such file, or where nobody has it open.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.inner.inner().connect(path.as_ref())
    }

    /// Opens a socket without a name. It can send, and nobody can answer it.
    pub fn unbound() -> io::Result<UnixDatagram> {
        uds::datagram_unbound().map(UnixDatagram::over)
    }

    /// Makes two sockets that are connected with each other; hosts as [`UnixStream::pair`].
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = uds::datagram_pair()?;
        Ok((UnixDatagram::over(one), UnixDatagram::over(other)))
    }

    /// Sends a datagram to the socket at `path`.
    ///
    /// After `WouldBlock` no event tells when the receiver has room again, since the socket itself
    /// stays writable: try again later. Where the library makes the edges, a writable event reminds
    /// of it after a pause.
    #[inline]
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let path = path.as_ref();
        self.inner
            .io(Write, sent_elsewhere, |s| s.send_to(buf, path))
    }
}

methods! { UnixDatagram:
    /// Receives a datagram, and tells who sent it. What does not fit into `buf` is lost.
    recv_from(buf: &mut [u8]) -> (usize, SocketAddr) = Read, item;
    /// Receives a datagram. What does not fit into `buf` is lost.
    recv(buf: &mut [u8]) -> usize = Read, item;
    /// Sends a datagram to the connected peer.
    send(buf: &[u8]) -> usize = Write, sent;
}

socket!(UnixDatagram, uds::UnixDatagram, SocketAddr);
connected!(UnixDatagram, SocketAddr);
shutdown!(UnixDatagram);
std_type!(unix UnixDatagram);

/// The rule for sending to a socket by its name: it would block for want of room over there. This
/// one is writable all the while.
fn sent_elsewhere<R>(result: &io::Result<R>) -> Outcome {
    match sent(result) {
        Outcome::Dry => Outcome::Stuck,
        outcome => outcome,
    }
}
