//! `TcpListener` and `TcpStream`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::forward::int;
use super::outcome::{item, peeked};
use crate::io_source::IoSource;
use crate::sys::{Direction::Read, socket};

/// A TCP socket that accepts connections. The program on the [front page](crate) has one.
///
#[doc = include_str!("tcp_listener.md")]
pub struct TcpListener {
    inner: IoSource<socket::TcpListener>,
}

impl TcpListener {
    /// Opens a socket, binds it to `address`, and listens.
    ///
    /// Port 0 lets the host choose one: [`TcpListener::local_addr`] tells which. The address can
    /// be bound again as soon as the listener is gone, however recent its connections are. Up to
    /// 1024 connections wait to be accepted, if the host has no lower limit.
    ///
    /// # Errors
    /// The host's: above all, that the address is in use, or not this machine's.
    pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        socket::tcp_bind(address).map(TcpListener::over)
    }

    /// Accepts a connection, which is non-blocking, and gives its peer's address.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) where no connection waits. Else the host's. A
    /// server does well to live through any of them: a full descriptor table passes, and the
    /// error of one connection does not concern the others.
    #[inline]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = self.inner.io(Read, item, socket::tcp_accept);
        accepted.map(|(stream, peer)| (TcpStream::over(stream), peer))
    }
}

socket!(TcpListener, socket::TcpListener, SocketAddr);
ttl!(TcpListener);
std_type!(net TcpListener);

/// A TCP connection.
///
#[doc = include_str!("tcp_stream.md")]
pub struct TcpStream {
    inner: IoSource<socket::TcpStream>,
}

impl TcpStream {
    /// Opens a socket and begins to connect it to `address`.
    ///
    /// The stream that comes back is seldom connected yet. Register it for
    /// [`WRITABLE`](crate::Interest::WRITABLE); the first writable event says that the attempt has
    /// ended. Then [`TcpStream::take_error`] tells whether it failed, and
    /// [`TcpStream::peer_addr`] whether it is done: an error of kind
    /// [`NotConnected`](io::ErrorKind::NotConnected) means that the event was spurious, so wait
    /// for the next.
    ///
    /// # Errors
    /// The host's, where not even an attempt can be made. A refused connection is mostly told
    /// later, as above. Hosts differ as with [`TcpListener`].
    pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        socket::tcp_connect(address).map(TcpStream::over)
    }

    /// Sets what closing does with bytes that are not sent yet (`SO_LINGER`).
    ///
    /// With `None`, as at first, closing returns at once and the system goes on sending. With a
    /// time of zero the connection is reset and those bytes are lost. With a longer one, rounded
    /// up to seconds, closing *waits* for them, and so does the whole program; the longest that
    /// there is takes hours on most hosts, and minutes on Apple's. Mio has no such call.
    pub fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        // Less than a second is not none.
        let seconds = |t: Duration| t.as_secs().saturating_add((t.subsec_nanos() > 0).into());
        let seconds = time.map_or(0, |time| int(seconds(time)));
        let linger = [time.is_some().into(), seconds];
        socket::set_option(self.inner.inner(), socket::LINGER, linger)
    }

    /// What closing does with bytes that are not sent yet: see [`TcpStream::set_linger`].
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        let [on, seconds] = socket::option(self.inner.inner(), socket::LINGER)?;
        Ok((on != 0).then(|| Duration::from_secs(seconds as u64)))
    }
}

methods! { TcpStream:
    /// Switches Nagle's algorithm off (`true`) or on (`TCP_NODELAY`).
    ///
    /// With it off, a small write does not wait for the acknowledgement of the one before. On WASI
    /// the call succeeds and has no effect: see [`TcpStream`].
    set_nodelay(nodelay: bool) -> ();
    /// Whether Nagle's algorithm is off. On WASI always `false`, which is the truth.
    nodelay() -> bool;
    /// Reads without taking: the next read gives the same bytes again.
    ///
    /// `Ok(0)` is the end of the stream, or a `buf` without room. Where nothing is there it fails
    /// with [`WouldBlock`](io::ErrorKind::WouldBlock).
    peek(buf: &mut [u8]) -> usize = Read, peeked;
}

socket!(TcpStream, socket::TcpStream, SocketAddr);
connected!(TcpStream, SocketAddr);
shutdown!(TcpStream);
ttl!(TcpStream);
buffers!(TcpStream);
reads!(TcpStream, &TcpStream);
writes!(TcpStream, &TcpStream);
std_type!(net TcpStream);
