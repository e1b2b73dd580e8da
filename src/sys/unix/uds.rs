//! Unix sockets: std's, opened so that nothing waits.
//!
//! std opens its sockets blocking, so that its stream's connect would wait for room in the
//! listener's backlog: connect and accept are made here. The rest is no hot path: std's will do.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::ip as socket;

pub use std::os::unix::net::SocketAddr;
pub(crate) use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

/// A Unix connect is never in progress: it is done, or it failed.
pub(crate) fn stream_connect(address: &SocketAddr) -> io::Result<UnixStream> {
    // std's stream waits for the connection. Its datagram socket makes the bare call, which the
    // kernel takes for any socket.
    let socket = UnixDatagram::from(socket::new(libc::AF_UNIX, libc::SOCK_STREAM)?);
    socket.connect_addr(address)?;
    Ok(OwnedFd::from(socket).into())
}

pub(crate) fn stream_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (one, other) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true).map(|()| (one, other))
}

pub(crate) fn listener_bind(address: &SocketAddr) -> io::Result<UnixListener> {
    let listener = UnixListener::bind_addr(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[inline]
pub(crate) fn accept(listener: &UnixListener) -> io::Result<(UnixStream, SocketAddr)> {
    let (socket, _, length) = socket::accept(listener.as_raw_fd())?;
    let stream = UnixStream::from(socket);
    // Clients rarely bind. Only std can make the address of one that did, by asking once more; and
    // of one that has left already, some kernels tell none.
    let unnamed = std::mem::offset_of!(libc::sockaddr_un, sun_path);
    let peer = if length as usize <= unnamed {
        SocketAddr::from_pathname("")?
    } else {
        let told = stream.peer_addr();
        told.or_else(|_| SocketAddr::from_pathname(""))?
    };
    Ok((stream, peer))
}

pub(crate) fn datagram_bind(address: &SocketAddr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::bind_addr(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

pub(crate) fn datagram_unbound() -> io::Result<UnixDatagram> {
    socket::new(libc::AF_UNIX, libc::SOCK_DGRAM).map(UnixDatagram::from)
}

pub(crate) fn datagram_pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
    let (one, other) = UnixDatagram::pair()?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true).map(|()| (one, other))
}
