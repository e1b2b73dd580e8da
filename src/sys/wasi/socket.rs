//! The host's sockets with std's names: their one form here, and TCP and UDP, which std has too.
//!
//! Each is an owned descriptor and makes exactly the host calls that its operation needs: three to
//! connect or accept, one to read or write. Closing is one too, without the shutdown that WasmEdge
//! guests are used to. What the host has no call for is an error of kind `Unsupported`; only
//! `set_nodelay` is accepted without effect, since it changes how soon bytes arrive and not which,
//! and programs give up where it fails.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use wasi::Riflags;

use super::abi::sock::{self, Address, BROADCAST, ERROR, Kind, PEEK, TAKE};
use super::{Role, Source};
use crate::error::{ErrorKind, error};
use crate::io_source::AsSource;

pub(crate) use super::abi::sock::{LINGER, RECEIVE_BUFFER, SEND_BUFFER, option, set_option};

#[path = "uds.rs"]
pub(crate) mod uds;

/// Any socket. All have the methods of all types, and the public types choose among them.
pub(crate) struct Socket<T> {
    fd: OwnedFd,
    /// Whether this library opened it, and so knows that it is a socket.
    trusted: bool,
    of: PhantomData<T>,
}

/// What tells the types of sockets from each other.
pub(crate) trait Type {
    const NAME: &'static str;
    const ROLE: Role;
    type Address: Told;
}

/// A type of socket, and the marker that stands for it.
macro_rules! socket_type {
    ($name:ident, $marker:ident, $address:ty, $role:ident) => {
        pub(crate) type $name = $crate::sys::socket::Socket<$marker>;

        pub(crate) enum $marker {}

        impl $crate::sys::socket::Type for $marker {
            const NAME: &'static str = stringify!($name);
            const ROLE: $crate::sys::Role = $crate::sys::Role::$role;
            type Address = $address;
        }
    };
}
pub(super) use socket_type;

/// An address that the host has told.
pub(crate) trait Told: Sized {
    /// This socket's own, or its peer's.
    fn told(address: Address) -> io::Result<Self>;

    /// Where a datagram comes from.
    fn sender(address: Address) -> io::Result<Self> {
        Self::told(address)
    }
}

/// Calls to the host that a socket makes as they are.
macro_rules! calls {
    ($($method:ident($this:ident $(, $argument:ident: $type:ty)*) -> $answer:ty = $call:expr;)*)
    => {$(
        #[inline]
        pub(crate) fn $method(&$this $(, $argument: $type)*) -> io::Result<$answer> {
            $call
        }
    )*};
}
pub(super) use calls;

/// Sockets that a call to the host opens.
macro_rules! opens {
    ($($open:ident($($argument:ident: $type:ty)?) -> $socket:ty = $call:expr;)*) => {$(
        pub(crate) fn $open($($argument: $type)?) -> io::Result<$socket> {
            $call.map(Socket::opened)
        }
    )*};
}
pub(super) use opens;

impl<T> Socket<T> {
    pub(super) fn opened(fd: OwnedFd) -> Socket<T> {
        let (trusted, of) = (true, PhantomData);
        Socket { fd, trusted, of }
    }

    calls! {
        recv(self, to: &mut [u8]) -> usize
            = sock::recv(self.as_fd(), &mut [IoSliceMut::new(to)], TAKE);
        peek(self, to: &mut [u8]) -> usize
            = sock::recv(self.as_fd(), &mut [IoSliceMut::new(to)], PEEK);
        send(self, bytes: &[u8]) -> usize = sock::send(self.as_fd(), &[IoSlice::new(bytes)]);
        read(self, to: &mut [u8]) -> usize = self.recv(to);
        read_vectored(self, to: &mut [IoSliceMut<'_>]) -> usize
            = sock::recv(self.as_fd(), to, TAKE);
        write(self, bytes: &[u8]) -> usize = self.send(bytes);
        write_vectored(self, pieces: &[IoSlice<'_>]) -> usize = sock::send(self.as_fd(), pieces);
        shutdown(self, how: Shutdown) -> () = sock::shutdown(self.as_fd(), how);
    }

    /// The error that the socket has met by itself, which is then forgotten.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let [errno] = option(self, ERROR)?;
        Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
    }
}

impl<T: Type> Socket<T> {
    calls! {
        local_addr(self) -> T::Address = T::Address::told(sock::local_addr(self.as_fd())?);
        peer_addr(self) -> T::Address = T::Address::told(sock::peer_addr(self.as_fd())?);
        recv_from(self, to: &mut [u8]) -> (usize, T::Address) = self.receive(to, TAKE);
        peek_from(self, to: &mut [u8]) -> (usize, T::Address) = self.receive(to, PEEK);
    }

    #[inline]
    fn receive(&self, to: &mut [u8], flags: Riflags) -> io::Result<(usize, T::Address)> {
        let (length, from) = sock::recv_from(self.as_fd(), to, flags)?;
        Ok((length, T::Address::sender(from)?))
    }
}

impl<T: Type> AsSource for Socket<T> {
    #[inline]
    fn source(&self) -> Source {
        Source {
            fd: self.fd.as_raw_fd() as wasi::Fd,
            trusted: self.trusted,
            role: T::ROLE,
        }
    }
}

impl<T: Type> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fd = self.fd.as_raw_fd();
        f.debug_struct(T::NAME).field("fd", &fd).finish()
    }
}

impl<T> AsFd for Socket<T> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl<T> From<OwnedFd> for Socket<T> {
    fn from(fd: OwnedFd) -> Socket<T> {
        let (trusted, of) = (false, PhantomData);
        Socket { fd, trusted, of }
    }
}

impl<T> From<Socket<T>> for OwnedFd {
    fn from(socket: Socket<T>) -> OwnedFd {
        socket.fd
    }
}

/// Methods for options that the host has no call to reach.
macro_rules! unreachable_options {
    ($($name:ident($($argument:ty),*) -> $answer:ty;)*) => {$(
        pub(crate) fn $name(&self, $(_: $argument),*) -> io::Result<$answer> {
            no_option(stringify!($name))
        }
    )*};
}

#[cold]
fn no_option<T>(call: &'static str) -> io::Result<T> {
    let advice = "no WasmEdge up to 0.17 gives its guests this socket option";
    Err(error(ErrorKind::Unsupported, call, advice))
}

impl<T> Socket<T> {
    unreachable_options! {
        set_ttl(u32) -> ();
        ttl() -> u32;
        set_multicast_loop_v4(bool) -> ();
        multicast_loop_v4() -> bool;
        set_multicast_ttl_v4(u32) -> ();
        multicast_ttl_v4() -> u32;
        set_multicast_loop_v6(bool) -> ();
        multicast_loop_v6() -> bool;
        join_multicast_v4(&Ipv4Addr, &Ipv4Addr) -> ();
        join_multicast_v6(&Ipv6Addr, u32) -> ();
        leave_multicast_v4(&Ipv4Addr, &Ipv4Addr) -> ();
        leave_multicast_v6(&Ipv6Addr, u32) -> ();
    }
}

impl Told for SocketAddr {
    fn told(address: Address) -> io::Result<SocketAddr> {
        address.ip()
    }
}

socket_type!(TcpStream, Stream, SocketAddr, Stream);

impl TcpStream {
    calls! {
        // Accepted without effect: see the head of this file.
        set_nodelay(self, _on: bool) -> () = Ok(());
        nodelay(self) -> bool = Ok(false);
    }
}

socket_type!(TcpListener, Listener, SocketAddr, Listener);

/// The next connection that is still one: WasmEdge (0.14 to 0.17) also hands out those that the
/// peer has reset while they were queued, which then have no address.
pub(crate) fn tcp_accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    const NOTCONN: Option<i32> = Some(wasi::ERRNO_NOTCONN.raw() as i32);
    loop {
        let fd = sock::accept(listener.as_fd())?;
        match sock::origin(fd.as_fd()) {
            Err(error) if error.raw_os_error() == NOTCONN => {}
            origin => return Ok((Socket::opened(fd), origin?.ip()?)),
        }
    }
}

socket_type!(UdpSocket, Datagram, SocketAddr, Datagrams);

impl UdpSocket {
    calls! {
        connect(self, to: SocketAddr) -> () = sock::connect(self.as_fd(), &to.into());
        send_to(self, bytes: &[u8], to: SocketAddr) -> usize
            = sock::send_to(self.as_fd(), bytes, &to.into());
        set_broadcast(self, on: bool) -> () = set_option(self, BROADCAST, [on.into()]);
        broadcast(self) -> bool = option(self, BROADCAST).map(|[on]| on != 0);
    }
}

pub(crate) fn udp_only_v6(_: &UdpSocket) -> io::Result<bool> {
    no_option("only_v6")
}

opens! {
    tcp_connect(to: SocketAddr) -> TcpStream = sock::connected(Kind::Stream, &to.into());
    tcp_bind(at: SocketAddr) -> TcpListener = sock::listening(&at.into());
    udp_bind(at: SocketAddr) -> UdpSocket = sock::bound(Kind::Datagram, &at.into());
}
