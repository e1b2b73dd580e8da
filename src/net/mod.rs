//! TCP, UDP and Unix sockets that never block.
//!
#![doc = include_str!("net.md")]

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
