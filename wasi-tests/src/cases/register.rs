//! Registering: who is watched for what, under which token, and by whom.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::mem::ManuallyDrop;

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};

use crate::Outcome;
use crate::harness::handle::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use crate::harness::{BOTH, GUEST, Loop, READABLE, TempPath, WRITABLE};
use crate::harness::{assert_kind, drain, localhost, send, udp};

/// Registering a source twice is `AlreadyExists`, whatever the token and the interest; the first
/// registration stays as it was.
pub(crate) fn twice_already_exists() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for interest in [READABLE, WRITABLE, BOTH] {
        let twice = lp.registry().register(&mut socket, Token(2), interest);
        assert_kind(twice, ErrorKind::AlreadyExists);
    }
    lp.quiet("the first registration wants to read only");
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.datagram(&socket, 1).0, b"hello");
}

/// Changing or ending a registration that is not there is `NotFound`, and is so again.
pub(crate) fn absent_is_not_found() {
    let mut lp = Loop::new();
    let (mut socket, _) = udp();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    assert_kind(
        lp.registry().reregister(&mut listener, Token(1), BOTH),
        ErrorKind::NotFound,
    );
    assert_kind(lp.registry().deregister(&mut listener), ErrorKind::NotFound);
    lp.add(&mut socket, 1, BOTH);
    lp.remove(&mut socket);
    assert_kind(lp.registry().deregister(&mut socket), ErrorKind::NotFound);
    assert_kind(
        lp.registry().reregister(&mut socket, Token(1), BOTH),
        ErrorKind::NotFound,
    );
    lp.quiet("nothing is registered");
}

/// A source belongs to one registry: another one cannot take, change or end its registration.
pub(crate) fn another_registry_is_refused() {
    let mut lp = Loop::new();
    let mut other = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    let registry = other.registry();
    let register = registry.register(&mut socket, Token(2), READABLE);
    assert_kind(register, ErrorKind::AlreadyExists);
    let reregister = registry.reregister(&mut socket, Token(2), READABLE);
    assert_kind(reregister, ErrorKind::NotFound);
    assert_kind(registry.deregister(&mut socket), ErrorKind::NotFound);
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.datagram(&socket, 1).0, b"hello");
    other.quiet("it has no sources");
}

/// After its registration has ended a source may move to another poll.
pub(crate) fn sources_move_between_polls() {
    let mut lp = Loop::new();
    let mut other = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    lp.remove(&mut socket);
    other.add(&mut socket, 2, READABLE);
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(other.datagram(&socket, 2).0, b"hello");
    lp.quiet("its source has gone");
}

/// A source whose registration has ended is silent, also about what became ready before.
pub(crate) fn deregistered_is_silent() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, BOTH);
    send(&server, b"hello");
    lp.wait(1, "the data", |seen| seen.readable);
    lp.forget();
    lp.change(&mut client, 1, BOTH);
    lp.remove(&mut client);
    lp.quiet("nothing is registered");
    send(&server, b"hello");
    lp.quiet("nothing is registered");
}

/// The new token of `reregister` holds from the next poll on, and the old one never comes again.
pub(crate) fn reregister_changes_the_token() {
    let mut lp = Loop::new();
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    for token in 2..12 {
        socket.send_to(b"hello", address).unwrap();
        lp.change(&mut socket, token, READABLE);
        let seen = lp.next("the datagram");
        assert_eq!((seen.len(), seen[0].token), (1, token));
        assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 5);
    }
}

/// The new interest of `reregister` replaces the old one, in both directions.
pub(crate) fn reregister_changes_the_interest() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    lp.quiet("there is nothing to read");
    lp.change(&mut client, 1, WRITABLE);
    assert!(!lp.writable(1).readable);
    lp.change(&mut client, 1, READABLE);
    lp.quiet("writing is not asked for any more");
    send(&server, b"hello");
    lp.readable(1);
    lp.change(&mut client, 1, WRITABLE);
    assert!(
        !lp.writable(1).readable,
        "reading is not asked for any more"
    );
    // Also where a direction was awaited and not yet told.
    lp.change(&mut client, 1, BOTH);
    lp.change(&mut client, 1, WRITABLE);
    assert!(!lp.writable(1).readable);
    lp.change(&mut client, 1, BOTH);
    lp.change(&mut client, 1, READABLE);
    assert!(!lp.readable(1).writable);
    lp.quiet("all has been told");
    assert_eq!(drain(&client).0, b"hello");
}

/// `reregister` looks afresh: what is still ready is reported once more.
pub(crate) fn reregister_reports_again() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    lp.add(&mut client, 1, READABLE);
    send(&server, b"hello");
    for _ in 0..5 {
        lp.readable(1);
        lp.quiet("it has been reported");
        lp.change(&mut client, 1, READABLE);
    }
    assert_eq!(drain(&client).0, b"hello");
}

/// A source may come and go: each registration reports what is ready then.
pub(crate) fn register_again_after_deregister() {
    let mut lp = Loop::new();
    let (mut client, server) = lp.tcp_pair();
    send(&server, b"hello");
    for token in 1..6 {
        lp.add(&mut client, token, BOTH);
        lp.wait(token, "the data", |seen| seen.readable);
        lp.remove(&mut client);
        lp.forget();
    }
    lp.quiet("nothing is registered");
}

/// A cloned registry is the same registry.
pub(crate) fn registry_clones_are_the_same() {
    let mut lp = Loop::new();
    let clone = lp.registry().try_clone().unwrap();
    let (mut socket, address) = udp();
    clone.register(&mut socket, Token(1), READABLE).unwrap();
    let twice = lp.registry().register(&mut socket, Token(1), READABLE);
    assert_kind(twice, ErrorKind::AlreadyExists);
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.datagram(&socket, 1).0, b"hello");
    lp.change(&mut socket, 2, READABLE);
    clone.deregister(&mut socket).unwrap();
    assert_kind(lp.registry().deregister(&mut socket), ErrorKind::NotFound);
}

/// Sources of different types live in one list as `Box<dyn Source>`.
pub(crate) fn boxed_sources_register() {
    let mut lp = Loop::new();
    let (client, server) = lp.tcp_pair();
    let (socket, address) = udp();
    let mut sources: Vec<Box<dyn Source>> = vec![
        Box::new(TcpListener::bind(localhost()).unwrap()),
        Box::new(client),
        Box::new(socket),
    ];
    for (token, source) in sources.iter_mut().enumerate() {
        lp.registry()
            .register(source, Token(token), READABLE)
            .unwrap();
    }
    send(&server, b"hello");
    lp.readable(1);
    udp().0.send_to(b"hello", address).unwrap();
    lp.readable(2);
    for source in &mut sources {
        lp.registry()
            .reregister(source, Token(7), READABLE)
            .unwrap();
        lp.registry().deregister(source).unwrap();
    }
    lp.quiet("nothing is registered");
}

/// A caller's own type is a source if it passes the three calls on.
pub(crate) fn own_types_are_sources() {
    struct Peer {
        socket: UdpSocket,
        calls: u32,
    }

    impl Source for Peer {
        fn register(&mut self, r: &Registry, token: Token, i: Interest) -> io::Result<()> {
            self.calls += 1;
            self.socket.register(r, token, i)
        }

        fn reregister(&mut self, r: &Registry, token: Token, i: Interest) -> io::Result<()> {
            self.calls += 1;
            self.socket.reregister(r, token, i)
        }

        fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
            self.calls += 1;
            self.socket.deregister(registry)
        }
    }

    let mut lp = Loop::new();
    let (socket, address) = udp();
    let mut peer = Peer { socket, calls: 0 };
    lp.add(&mut peer, 1, WRITABLE);
    lp.writable(1);
    lp.change(&mut peer, 2, READABLE);
    peer.socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.datagram(&peer.socket, 2).0, b"hello");
    lp.remove(&mut peer);
    assert_eq!(peer.calls, 3);
}

/// Sources may be registered, changed and dropped while events are being handled.
pub(crate) fn registering_between_events() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    lp.add(&mut listener, 0, READABLE);
    let mut kept = Vec::new();
    for token in (1..41).step_by(2) {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        lp.add(&mut client, token, BOTH);
        lp.writable(token);
        let mut server = lp.accept(&listener, 0).0;
        lp.add(&mut server, token + 1, READABLE);
        lp.change(&mut client, token, READABLE);
        send(&client, &[token as u8]);
        assert_eq!(lp.receive(&server, token + 1, 1), [token as u8]);
        if token % 3 == 0 {
            kept.push((client, server));
        }
    }
    assert_eq!(kept.len(), 7);
}

/// A number that is no open descriptor is refused by `register`, or reported as an error: a wait
/// that holds it neither hangs nor fails (WebAssembly/wasi-poll#9).
pub(crate) fn bad_descriptor_never_hangs() {
    const NOT_OPEN: RawFd = i32::MAX as RawFd - 7;
    let mut lp = Loop::new();
    // SAFETY: nobody owns this number, and `ManuallyDrop` keeps it from being closed.
    let stream = unsafe { TcpStream::from_raw_fd(NOT_OPEN) };
    let mut stream = ManuallyDrop::new(stream);
    let (mut socket, address) = udp();
    lp.add(&mut socket, 1, READABLE);
    if lp
        .registry()
        .register(&mut *stream, Token(2), READABLE)
        .is_ok()
    {
        lp.wait(2, "the error", |seen| seen.error);
    }
    assert!(stream.peer_addr().is_err());
    assert!(drain_error(&stream).is_some_and(|kind| kind != ErrorKind::WouldBlock));
    socket.send_to(b"hello", address).unwrap();
    assert_eq!(lp.datagram(&socket, 1).0, b"hello");
}

/// How reading fails, if it does.
fn drain_error(mut stream: &TcpStream) -> Option<ErrorKind> {
    io::Read::read(&mut stream, &mut [0; 8])
        .err()
        .map(|error| error.kind())
}

/// A regular file cannot be waited for: `register` says so at once, instead of a wait that never
/// ends.
pub(crate) fn regular_file_is_refused() -> Outcome {
    let path = TempPath::new();
    let Ok(mut file) = File::create(&path) else {
        return Outcome::Skipped("the guest was given no folder at /tmp");
    };
    file.write_all(b"not a socket").unwrap();
    let mut lp = Loop::new();
    // SAFETY: the descriptor comes from its only owner.
    let mut stream = unsafe { TcpStream::from_raw_fd(file.into_raw_fd()) };
    assert!(
        lp.registry()
            .register(&mut stream, Token(1), READABLE)
            .is_err()
    );
    lp.quiet("nothing is registered");
    Outcome::Passed
}

/// A registered descriptor that is closed behind the library's back does not take the others
/// along: the poll goes on serving them. In a process with threads the number could already be
/// another's, so natively the descriptor only moves to another owner and is closed there.
pub(crate) fn closed_behind_its_back() {
    let mut lp = Loop::new();
    let (mut victim, _) = udp();
    let (mut socket, address) = udp();
    lp.add(&mut victim, 1, READABLE);
    lp.add(&mut socket, 2, READABLE);
    let descriptor = victim.as_raw_fd();
    if GUEST {
        // SAFETY: there are no threads, and the first owner is forgotten below.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
        std::mem::forget(victim);
    } else {
        drop(OwnedFd::from(victim));
    }
    for _ in 0..5 {
        socket.send_to(b"hello", address).unwrap();
        assert_eq!(lp.datagram(&socket, 2).0, b"hello");
    }
    lp.forget();
    lp.quiet("the closed one has had its say");
}

/// Ownership passes through raw and owned descriptors and std's types without loss.
pub(crate) fn descriptors_change_hands() {
    let mut lp = Loop::new();
    let (client, server) = lp.tcp_pair();
    let peer = client.peer_addr().unwrap();
    // SAFETY: the descriptor comes from its only owner.
    let client = unsafe { TcpStream::from_raw_fd(client.into_raw_fd()) };
    let client = TcpStream::from(OwnedFd::from(client));
    let client: std::net::TcpStream = client.into();
    let mut client = TcpStream::from_std(client);
    assert_eq!(client.peer_addr().unwrap(), peer);
    lp.add(&mut client, 1, READABLE);
    send(&server, b"hello");
    assert_eq!(lp.receive(&client, 1, 5), b"hello");

    let listener = TcpListener::bind(localhost()).unwrap();
    let address = listener.local_addr().unwrap();
    let listener: std::net::TcpListener = listener.into();
    let mut listener = TcpListener::from_std(listener);
    assert_eq!(listener.local_addr().unwrap(), address);
    lp.tcp_pair_at(&mut listener);

    let (socket, address) = udp();
    // SAFETY: the descriptor comes from its only owner.
    let socket = unsafe { UdpSocket::from_raw_fd(socket.into_raw_fd()) };
    assert_eq!(
        UdpSocket::from(OwnedFd::from(socket)).local_addr().unwrap(),
        address
    );
}

/// A listener that is asked for both directions is never reported as writable.
pub(crate) fn listeners_are_never_writable() {
    let mut lp = Loop::new();
    let mut listener = TcpListener::bind(localhost()).unwrap();
    lp.add(&mut listener, 1, BOTH);
    lp.quiet("nobody has connected");
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    lp.add(&mut client, 2, WRITABLE);
    assert!(!lp.readable(1).writable);
    listener.accept().unwrap();
}
