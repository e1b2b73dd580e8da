//! TCP, UDP and Unix sockets that never block.
//!
//! They have std's methods. A call that would have to wait answers
//! [`WouldBlock`](std::io::ErrorKind::WouldBlock) instead, and an event of a [`Poll`](crate::Poll)
//! tells when it is worth another try: see the [guide](crate::guide).
//!
//! Dropping a socket ends its registration and closes it.

#[macro_use]
pub(crate) mod forward;
mod outcome;
mod tcp;
mod udp;
#[cfg(not(any(windows, target_env = "p2")))]
mod unix;

pub use self::tcp::{TcpListener, TcpStream};
pub use self::udp::UdpSocket;
#[cfg(not(any(windows, target_env = "p2")))]
pub use self::unix::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
