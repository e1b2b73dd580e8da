//! `UnixListener`, `UnixStream` and `UnixDatagram`.

use std::io;
use std::path::Path;

use super::outcome::{item, sent_elsewhere};
use crate::io_source::{IoSource, sent};
use crate::net::SocketAddr;
use crate::sys::Direction::{Read, Write};
use crate::sys::uds;

/// A Unix socket that accepts connections.
///
/// The file that names it outlives it, and stands in the way of the next bind: remove it.
///
/// ```no_run
/// use mio::net::UnixListener;
/// use mio::{Events, Interest, Poll, Token};
/// use std::io;
///
/// # fn main() -> io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(64);
/// let mut listener = UnixListener::bind("/tmp/example.sock")?;
/// poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
///
/// poll.poll(&mut events, None)?;
/// let (_stream, _peer) = listener.accept()?;
/// # Ok(())
/// # }
/// ```
///
/// # Hosts
///
/// All Unix sockets, on WASI: WasmEdge has them where it is started with `--allow-af-unix`, and
/// the library with feature `wasmedge`; else they are `Unsupported`, with an error that says so.
/// Paths are the *host's*: a guest's folders and preopens do not matter, and to remove the file a
/// guest needs a preopened folder that has it.
pub struct UnixListener {
    inner: IoSource<uds::UnixListener>,
}

impl UnixListener {
    /// Opens a socket, binds it to `path`, and listens.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) where the file exists, even if nobody listens any
    /// more. [`InvalidInput`](io::ErrorKind::InvalidInput) for a path of more than about 100
    /// bytes. Else the host's.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        let inner = IoSource::new(uds::listener_bind(path.as_ref())?);
        Ok(UnixListener { inner })
    }

    /// As [`UnixListener::bind`], with an address that need not be a path.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`].
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        let inner = IoSource::new(uds::listener_bind_addr(address)?);
        Ok(UnixListener { inner })
    }

    /// Accepts a connection, which is non-blocking, and gives its peer's address.
    ///
    /// Few clients bind a name: mostly the address is unnamed.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where no connection waits. Else the host's: see
    /// [`TcpListener::accept`](crate::net::TcpListener::accept).
    #[inline]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let accepted = self.inner.io(Read, item, uds::accept);
        accepted.map(|(stream, peer)| {
            let inner = IoSource::new(stream);
            (UnixStream { inner }, peer)
        })
    }
}

forward!(UnixListener);
socket!(UnixListener, SocketAddr);
unix_std!(UnixListener);

/// A connection between Unix sockets.
///
/// It is read and written through its reference as well.
///
/// ```no_run
/// use mio::net::UnixStream;
/// use std::io::Write;
///
/// # fn main() -> std::io::Result<()> {
/// let mut stream = UnixStream::connect("/tmp/example.sock")?;
/// stream.write(b"hello")?;
/// # Ok(())
/// # }
/// ```
///
/// # Hosts
///
/// See [`UnixListener`].
pub struct UnixStream {
    inner: IoSource<uds::UnixStream>,
}

impl UnixStream {
    /// Opens a socket and connects it to `path`.
    ///
    /// Unlike TCP's, it is connected when the call returns `Ok`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where the listener has too many connections
    /// waiting already: there is no attempt in progress and no event to wait for, so connect anew
    /// later. [`NotFound`](io::ErrorKind::NotFound) where there is no such file,
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) where nobody listens. Else the
    /// host's.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        let inner = IoSource::new(uds::stream_connect(path.as_ref())?);
        Ok(UnixStream { inner })
    }

    /// As [`UnixStream::connect`], with an address that need not be a path.
    ///
    /// # Errors
    ///
    /// As [`UnixStream::connect`].
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        let inner = IoSource::new(uds::stream_connect_addr(address)?);
        Ok(UnixStream { inner })
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Hosts
    ///
    /// On WASI `Unsupported`: WasmEdge up to 0.17 has no such call.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = uds::stream_pair()?;
        let [one, other] = [one, other].map(IoSource::new);
        Ok((UnixStream { inner: one }, UnixStream { inner: other }))
    }
}

forward!(UnixStream);
socket!(UnixStream, SocketAddr);
connected!(UnixStream, SocketAddr);
shutdown!(UnixStream);
reads!(UnixStream, &UnixStream);
writes!(UnixStream, &UnixStream);
unix_std!(UnixStream);

/// A Unix socket that sends and receives datagrams.
///
/// ```no_run
/// use mio::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// let server = UnixDatagram::bind("/tmp/example.sock")?;
/// let client = UnixDatagram::unbound()?;
/// client.send_to(b"hello", "/tmp/example.sock")?;
///
/// let mut buf = [0; 64];
/// let (length, _sender) = server.recv_from(&mut buf)?;
/// assert_eq!(&buf[..length], b"hello");
/// # Ok(())
/// # }
/// ```
///
/// # Hosts
///
/// See [`UnixListener`].
pub struct UnixDatagram {
    inner: IoSource<uds::UnixDatagram>,
}

impl UnixDatagram {
    /// Opens a socket and binds it to `path`.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`].
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        let inner = IoSource::new(uds::datagram_bind(path.as_ref())?);
        Ok(UnixDatagram { inner })
    }

    /// As [`UnixDatagram::bind`], with an address that need not be a path.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`].
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        let inner = IoSource::new(uds::datagram_bind_addr(address)?);
        Ok(UnixDatagram { inner })
    }

    /// Connects the socket: from now on `send` sends there, and only that peer's are received.
    ///
    /// # Errors
    ///
    /// The host's: above all, that there is no such file, or that nobody has it open.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.inner.inner().connect(path.as_ref())
    }

    /// Opens a socket without a name. It can send, and nobody can answer it.
    pub fn unbound() -> io::Result<UnixDatagram> {
        let inner = IoSource::new(uds::datagram_unbound()?);
        Ok(UnixDatagram { inner })
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Hosts
    ///
    /// On WASI `Unsupported`: WasmEdge up to 0.17 has no such call.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = uds::datagram_pair()?;
        let [one, other] = [one, other].map(IoSource::new);
        Ok((UnixDatagram { inner: one }, UnixDatagram { inner: other }))
    }

    /// Receives a datagram, and tells who sent it. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where nothing is there. Else the host's.
    #[inline]
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.io(Read, item, |s| s.recv_from(buf))
    }

    /// Receives a datagram. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// As [`UnixDatagram::recv_from`].
    #[inline]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.io(Read, item, |s| s.recv(buf))
    }

    /// Sends a datagram to the socket at `path`.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where the receiver has no room. No event tells
    /// when it has again, since the socket itself stays writable: try again later. Else the host's.
    ///
    /// # Hosts
    ///
    /// On WASI a writable event reminds of it after a pause.
    #[inline]
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let path = path.as_ref();
        self.inner
            .io(Write, sent_elsewhere, |s| s.send_to(buf, path))
    }

    /// Sends a datagram to the connected peer.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where the peer has no room. Else the host's.
    #[inline]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.inner.io(Write, sent, |s| s.send(buf))
    }
}

forward!(UnixDatagram);
socket!(UnixDatagram, SocketAddr);
connected!(UnixDatagram, SocketAddr);
shutdown!(UnixDatagram);
unix_std!(UnixDatagram);
