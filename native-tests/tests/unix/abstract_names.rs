//! Unix sockets in the kernel's own namespace, which Linux alone has.

use std::io::{ErrorKind, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::process;

use mio::net::{UnixDatagram, UnixListener, UnixStream};
use mio::{Interest, Token};

use crate::common::Watch;

/// An address in the kernel's own namespace, of this process and test.
fn abstract_address(name: &str) -> SocketAddr {
    let name = format!("mio-test-{}-{name}", process::id());
    SocketAddr::from_abstract_name(name).expect("a short name")
}

#[test]
fn an_abstract_address_connects() {
    let mut watch = Watch::new();
    let address = abstract_address("stream");
    let mut listener = UnixListener::bind_addr(&address).expect("bound");
    let local = listener.local_addr().expect("an address");
    assert_eq!(local.as_abstract_name(), address.as_abstract_name());
    assert!(local.as_pathname().is_none());
    watch
        .registry()
        .register(&mut listener, Token(0), Interest::READABLE)
        .expect("registered");
    let mut client = UnixStream::connect_addr(&address).expect("connecting");
    watch.readable(Token(0));
    let (mut server, _) = listener.accept().expect("a connection");
    let peer = client.peer_addr().expect("an address");
    assert_eq!(peer.as_abstract_name(), address.as_abstract_name());
    client.write_all(b"x").expect("room");
    watch
        .registry()
        .register(&mut server, Token(1), Interest::READABLE)
        .expect("registered");
    watch.readable(Token(1));
}

#[test]
fn an_abstract_address_binds() {
    let address = abstract_address("datagram");
    let socket = UnixDatagram::bind_addr(&address).expect("bound");
    let local = socket.local_addr().expect("an address");
    assert_eq!(local.as_abstract_name(), address.as_abstract_name());
    assert!(UnixDatagram::bind_addr(&address).is_err_and(|e| e.kind() == ErrorKind::AddrInUse));
}
