//! Sockets for an async runtime, which registers and watches them itself.
//!
//! Runtimes take sockets of std: tokio by `from_std`. On `wasm32-wasip1` std cannot open one, and
//! tokio hides its own `bind`, `connect` and `UdpSocket` there. Here a socket is opened and handed
//! over in one line, on every host by the same line. Whatever runtime it is for is told by its own
//! functions, so that this library needs none.
//!
//! ```
//! use mio::handover;
//! use tokio::net::{TcpListener, TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = handover::bind("127.0.0.1:0".parse().unwrap(), TcpListener::from_std)?;
//! let address = listener.local_addr()?;
//! let stream = handover::connect(address, TcpStream::from_std, TcpStream::writable).await?;
//! assert_eq!(stream.peer_addr()?, address);
//! # Ok(())
//! # }
//! ```
//!
//! On WASI tokio needs two things: Mio is to be this library, by the README's `[patch.crates-io]`,
//! and all is to be compiled with `--cfg tokio_unstable`.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::net::{self, SocketAddr};
use std::ops::Deref;

use crate::forward::handles::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use crate::net::forward::second;
use crate::net::{TcpListener, TcpStream};

/// Binds a listener to `address` and hands it to a runtime, by the runtime's function `adopt`.
///
/// # Errors
///
/// Those of [`TcpListener::bind`] and of `adopt`.
pub fn bind<S>(
    address: SocketAddr,
    adopt: impl FnOnce(net::TcpListener) -> io::Result<S>,
) -> io::Result<S> {
    adopt(TcpListener::bind(address)?.into())
}

/// Connects to `address` in the care of a runtime: `adopt` takes the stream, and `writable` waits
/// until it can be written to, which is when the attempt has ended.
///
/// Dropping the future gives the attempt up. The host may try for minutes: the runtime's own
/// timeout around it sets another end.
///
/// # Errors
///
/// Those of [`TcpStream::connect`], of `adopt` and of `writable`, and what the attempt ended with,
/// such as a refusal.
pub async fn connect<S: AsFd>(
    address: SocketAddr,
    adopt: impl FnOnce(net::TcpStream) -> io::Result<S>,
    writable: impl AsyncFnOnce(&S) -> io::Result<()>,
) -> io::Result<S> {
    let stream = adopt(TcpStream::connect(address)?.into())?;
    writable(&stream).await?;
    let error = SocketRef::<TcpStream>::of(&stream).take_error()?;
    error.map_or(Ok(stream), Err)
}

/// Hands a socket of any kind to a runtime that has no type for it, as one of the type that it has:
/// what `adopt` takes is called a stream and need not be one.
///
/// A runtime waits for all sockets alike, and lets a program make the calls itself. So what `adopt`
/// returns is what waits, and a [`SocketRef`] is what sends and receives:
///
/// ```
/// use mio::handover::{self, SocketRef};
/// use mio::net::UdpSocket;
/// use tokio::io::Interest;
/// use tokio::net::TcpStream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap())?;
/// # socket.send_to(b"hello", socket.local_addr()?)?;
/// let socket = handover::adopted(socket, TcpStream::from_std)?;
/// let udp = SocketRef::<UdpSocket>::of(&socket);
/// let mut buf = [0; 1500];
/// let (length, peer) = socket.async_io(Interest::READABLE, || udp.recv_from(&mut buf)).await?;
/// socket.async_io(Interest::WRITABLE, || udp.send_to(&buf[..length], peer)).await?;
/// # Ok(())
/// # }
/// ```
///
/// Of the stream's own methods only those that wait and ask for readiness make sense then: its
/// `read` would take a datagram for a piece of a stream.
///
/// # Errors
///
/// Those of `adopt`.
pub fn adopted<S>(
    socket: impl Into<OwnedFd>,
    adopt: impl FnOnce(net::TcpStream) -> io::Result<S>,
) -> io::Result<S> {
    adopt(net::TcpStream::from(socket.into()))
}

/// A socket in use as a `T`, while somebody else owns it: all methods that `T` has by reference.
///
/// It also reaches the options that a runtime's type lacks:
/// `SocketRef::<TcpStream>::of(&stream).set_linger(Some(Duration::ZERO))`.
pub struct SocketRef<'a, T> {
    socket: ManuallyDrop<T>,
    owner: PhantomData<BorrowedFd<'a>>,
}

impl<'a, T: FromRawFd> SocketRef<'a, T> {
    /// The socket that `owner` has.
    pub fn of(owner: &'a impl AsFd) -> SocketRef<'a, T> {
        let socket = second(owner);
        let owner = PhantomData;
        SocketRef { socket, owner }
    }
}

impl<T> Deref for SocketRef<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.socket
    }
}

impl<T: fmt::Debug> fmt::Debug for SocketRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}
