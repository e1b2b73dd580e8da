//! Descriptors: how they come in and go out of each type, what is set on them, and `SourceFd`.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net as unix;
use std::time::Duration;

#[cfg(not(mio_unsupported_force_poll_poll))]
use mio::Waker;
use mio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use mio::unix::{SourceFd, pipe};
use mio::{Events, Interest, Poll, Token};

use crate::common::Watch;
use crate::{BOTH, KQUEUE, SocketPath};

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

/// In and out by every way there is: the descriptor keeps its number and stays open.
fn round<T>(value: T)
where
    T: AsFd + AsRawFd + FromRawFd + IntoRawFd + From<OwnedFd> + Into<OwnedFd>,
{
    let number = value.as_raw_fd();
    assert_eq!(value.as_fd().as_raw_fd(), number);
    let owned: OwnedFd = value.into();
    assert_eq!(owned.as_raw_fd(), number);
    let raw = T::from(owned).into_raw_fd();
    assert_eq!(raw, number);
    assert!(
        flags(raw, libc::F_GETFD) >= 0,
        "giving up the descriptor must not close it"
    );
    // SAFETY: the line above left the descriptor open and without another owner.
    drop(unsafe { T::from_raw_fd(raw) });
}

fn flags(fd: RawFd, which: i32) -> i32 {
    // SAFETY: both requests only read flags; a number that is not open is an error.
    unsafe { libc::fcntl(fd, which) }
}

fn sockets() -> (TcpListener, TcpStream, UdpSocket) {
    let listener = TcpListener::bind(any_port()).expect("bound");
    let stream = TcpStream::connect(listener.local_addr().expect("an address")).expect("begun");
    (
        listener,
        stream,
        UdpSocket::bind(any_port()).expect("bound"),
    )
}

#[test]
fn every_type_goes_in_and_out_as_a_descriptor() {
    let (listener, stream, udp) = sockets();
    round(listener);
    round(stream);
    round(udp);
    let path = SocketPath::new();
    round(UnixListener::bind(&path.0).expect("bound"));
    round(UnixStream::pair().expect("a pair").0);
    round(UnixDatagram::unbound().expect("a socket"));
    let (sender, receiver) = pipe::new().expect("a pipe");
    round(sender);
    round(receiver);
}

/// std's types come in and go out with the same descriptor.
#[test]
fn stds_sockets_go_in_and_out() {
    let inner = std::net::TcpListener::bind(any_port()).expect("bound");
    let (number, address) = (inner.as_raw_fd(), inner.local_addr().expect("an address"));
    let out = std::net::TcpListener::from(TcpListener::from_std(inner));
    assert_eq!(out.as_raw_fd(), number);

    let inner = std::net::TcpStream::connect(address).expect("connected");
    let number = inner.as_raw_fd();
    assert_eq!(
        std::net::TcpStream::from(TcpStream::from_std(inner)).as_raw_fd(),
        number
    );

    let inner = std::net::UdpSocket::bind(any_port()).expect("bound");
    let number = inner.as_raw_fd();
    assert_eq!(
        std::net::UdpSocket::from(UdpSocket::from_std(inner)).as_raw_fd(),
        number
    );

    let path = SocketPath::new();
    let inner = unix::UnixListener::bind(&path.0).expect("bound");
    let number = inner.as_raw_fd();
    assert_eq!(
        unix::UnixListener::from(UnixListener::from_std(inner)).as_raw_fd(),
        number
    );

    let (inner, _peer) = unix::UnixStream::pair().expect("a pair");
    let number = inner.as_raw_fd();
    assert_eq!(
        unix::UnixStream::from(UnixStream::from_std(inner)).as_raw_fd(),
        number
    );

    let inner = unix::UnixDatagram::unbound().expect("a socket");
    let number = inner.as_raw_fd();
    assert_eq!(
        unix::UnixDatagram::from(UnixDatagram::from_std(inner)).as_raw_fd(),
        number
    );
}

/// A source that came from std works in a poll once it does not block.
#[test]
fn a_stream_from_std_is_polled() {
    let mut watch = Watch::new();
    let (near, mut far) = unix::UnixStream::pair().expect("a pair");
    near.set_nonblocking(true).expect("a flag");
    let mut near = UnixStream::from_std(near);
    watch
        .registry()
        .register(&mut near, Token(0), Interest::READABLE)
        .expect("registered");
    far.write_all(b"x").expect("room");
    watch.readable(Token(0));
    assert_eq!(near.read(&mut [0; 4]).expect("a byte"), 1);
}

/// Nothing that the library opens blocks or reaches a child.
#[test]
fn every_descriptor_is_nonblocking_and_closed_on_exec() {
    let (listener, stream, udp) = sockets();
    let mut watch = Watch::new();
    let mut listener = listener;
    watch
        .registry()
        .register(&mut listener, Token(0), Interest::READABLE)
        .expect("registered");
    watch.readable(Token(0));
    let (accepted, _) = listener.accept().expect("a connection");
    let path = SocketPath::new();
    let mut unix_listener = UnixListener::bind(&path.0).expect("bound");
    watch
        .registry()
        .register(&mut unix_listener, Token(1), Interest::READABLE)
        .expect("known");
    let unix_stream = UnixStream::connect(&path.0).expect("begun");
    watch.readable(Token(1));
    let (unix_accepted, _) = unix_listener.accept().expect("a connection");
    let (stream_near, stream_far) = UnixStream::pair().expect("a pair");
    let (datagram_near, datagram_far) = UnixDatagram::pair().expect("a pair");
    let unbound = UnixDatagram::unbound().expect("a socket");
    let (sender, receiver) = pipe::new().expect("a pipe");
    let opened: [&dyn AsRawFd; 14] = [
        &listener,
        &stream,
        &udp,
        &accepted,
        &unix_listener,
        &unix_stream,
        &unix_accepted,
        &stream_near,
        &stream_far,
        &datagram_near,
        &datagram_far,
        &unbound,
        &sender,
        &receiver,
    ];
    for (place, one) in opened.iter().enumerate() {
        let status = flags(one.as_raw_fd(), libc::F_GETFL);
        assert!(
            status >= 0 && status & libc::O_NONBLOCK != 0,
            "number {place} blocks"
        );
    }
    #[cfg(not(mio_unsupported_force_poll_poll))]
    let polls: [&dyn AsRawFd; 2] = [&watch.poll, watch.registry()];
    #[cfg(mio_unsupported_force_poll_poll)]
    let polls: [&dyn AsRawFd; 0] = [];
    for (place, one) in opened.iter().chain(&polls).enumerate() {
        let set = flags(one.as_raw_fd(), libc::F_GETFD);
        assert!(
            set >= 0 && set & libc::FD_CLOEXEC != 0,
            "number {place} reaches a child"
        );
    }
}

/// Where the kernel keeps no queue, neither of them has a descriptor.
#[cfg(not(mio_unsupported_force_poll_poll))]
#[test]
fn a_registry_shows_its_pollers_descriptor() {
    let poll = Poll::new().expect("a poll");
    let registry = poll.registry();
    assert_eq!(registry.as_raw_fd(), poll.as_raw_fd());
    assert_eq!(registry.as_fd().as_raw_fd(), poll.as_raw_fd());
    let clone = registry.try_clone().expect("a second handle");
    assert_ne!(clone.as_raw_fd(), poll.as_raw_fd());
}

/// A poll is itself a source: it is readable while it has events to give.
#[cfg(not(mio_unsupported_force_poll_poll))]
#[test]
fn a_poll_nests_in_another() {
    let mut outer = Watch::new();
    let mut inner = Poll::new().expect("a poll");
    let waker = Waker::new(inner.registry(), Token(7)).expect("a waker");
    let number = inner.as_raw_fd();
    let mut source = SourceFd(&number);
    outer
        .registry()
        .register(&mut source, Token(0), Interest::READABLE)
        .expect("registered");
    outer.quiet();
    waker.wake().expect("a wake");
    outer.readable(Token(0));
    let mut events = Events::with_capacity(4);
    inner.poll(&mut events, None).expect("a poll that works");
    assert_eq!(
        events.iter().map(|event| event.token()).collect::<Vec<_>>(),
        [Token(7)]
    );
}

#[cfg(mio_unsupported_force_poll_poll)]
#[test]
fn a_registry_shows_its_pollers_descriptor() {
    println!("skipped: poll(2) keeps no queue that has a descriptor");
}

#[cfg(mio_unsupported_force_poll_poll)]
#[test]
fn a_poll_nests_in_another() {
    println!("skipped: poll(2) keeps no queue that has a descriptor");
}

#[test]
fn a_foreign_descriptor_is_a_source() {
    let mut watch = Watch::new();
    let (mut near, far) = unix::UnixStream::pair().expect("a pair");
    let number = far.as_raw_fd();
    let registry = watch.registry();
    registry
        .register(&mut SourceFd(&number), Token(0), Interest::READABLE)
        .expect("registered");
    let again = registry.register(&mut SourceFd(&number), Token(1), Interest::READABLE);
    let registered = if KQUEUE {
        again.expect("a change");
        Token(1)
    } else {
        let refused = again.expect_err("registered already");
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        Token(0)
    };
    watch.quiet();
    near.write_all(b"x").expect("room");
    let event = watch.readable(registered);
    assert!(!event.is_writable());
    watch
        .registry()
        .reregister(&mut SourceFd(&number), Token(2), BOTH)
        .expect("known");
    let event = watch.readable(Token(2));
    assert_eq!(event.is_writable(), !KQUEUE);
    watch
        .registry()
        .deregister(&mut SourceFd(&number))
        .expect("known");
    near.write_all(b"x").expect("room");
    watch.quiet();
    if KQUEUE {
        let registry = watch.registry();
        let again = registry.deregister(&mut SourceFd(&number));
        again.expect("what is not there need not go");
        let anew = registry.reregister(&mut SourceFd(&number), Token(3), Interest::READABLE);
        anew.expect("a registration");
        watch.readable(Token(3));
        return;
    }
    for result in [
        watch.registry().deregister(&mut SourceFd(&number)),
        watch
            .registry()
            .reregister(&mut SourceFd(&number), Token(0), BOTH),
    ] {
        assert_eq!(
            result.expect_err("not registered").kind(),
            ErrorKind::NotFound
        );
    }
}

/// A socket that is registered first, and told to be of no use, is told again once it is connected
/// by a call of the program's own.
#[test]
fn a_connect_of_the_programs_own_is_told() {
    let mut watch = Watch::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    // SAFETY: numbers go in.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    assert!(socket >= 0);
    // std's datagram socket makes the bare call, whatever the socket is.
    // SAFETY: the descriptor is new.
    let bare = unsafe { std::net::UdpSocket::from_raw_fd(socket) };
    bare.set_nonblocking(true).expect("a flag");
    let mut stream = TcpStream::from(OwnedFd::from(bare.try_clone().expect("a duplicate")));
    watch
        .registry()
        .register(&mut stream, Token(1), Interest::WRITABLE)
        .expect("registered");
    // Linux tells so at once, and a BSD does not.
    let (mut events, now) = (Events::with_capacity(4), Some(Duration::ZERO));
    watch.poll.poll(&mut events, now).expect("a poll");
    let address = listener.local_addr().expect("an address");
    if let Err(error) = stream.try_io(|| bare.connect(address)) {
        assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
    }
    watch.writable(Token(1));
    assert_eq!(stream.peer_addr().expect("a connection"), address);
}

/// A regular file cannot be waited for but in a kqueue, and a closed descriptor is none.
#[test]
fn what_cannot_be_polled_is_refused() {
    let poll = Poll::new().expect("a poll");
    let file = std::fs::File::open(std::env::current_exe().expect("this test")).expect("readable");
    let number = file.as_raw_fd();
    let watched = poll
        .registry()
        .register(&mut SourceFd(&number), Token(0), BOTH);
    if KQUEUE && !cfg!(mio_kqueue_model) {
        watched.expect("a kqueue watches files");
    } else {
        let refused = watched.expect_err("a file");
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    }
    let refused = poll.registry().register(&mut SourceFd(&-1), Token(0), BOTH);
    assert_eq!(
        refused.expect_err("no descriptor").raw_os_error(),
        Some(libc::EBADF)
    );
}

/// Urgent data is a priority event, and only for who asked for it; where the queue has no such
/// events, nobody hears of it.
#[test]
fn urgent_data_is_a_priority_event() {
    let mut watch = Watch::new();
    let (mut listener, mut stream, _) = sockets();
    watch
        .registry()
        .register(&mut listener, Token(0), Interest::READABLE)
        .expect("registered");
    watch.readable(Token(0));
    let (accepted, _) = listener.accept().expect("a connection");
    watch
        .registry()
        .register(&mut stream, Token(1), Interest::PRIORITY)
        .expect("registered");
    watch.quiet();
    // SAFETY: the buffer is one byte long, as said, and lives through the call.
    let sent = unsafe { libc::send(accepted.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
    if KQUEUE {
        return watch.quiet();
    }
    let event = watch.expect(Token(1), |event| event.is_priority());
    assert!(!event.is_aio() && !event.is_lio() && !event.is_error());
}
