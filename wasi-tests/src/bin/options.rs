//! The socket options that this library has and Mio has not: linger and the sizes of buffers. They
//! cannot be cases of the suite, whose sources are compiled over Mio too. It runs as a guest and,
//! from the native tests, as a module; it panics where something is wrong.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token};

const LIMIT: Option<Duration> = Some(Duration::from_secs(5));

pub fn main() {
    linger_is_kept();
    lingering_for_no_time_resets();
    buffers_take_sizes();
    println!("options work");
}

fn pair() -> (TcpStream, TcpStream) {
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    wait(&mut listener, Interest::READABLE);
    (client, listener.accept().unwrap().0)
}

fn wait(source: &mut impl mio::event::Source, interest: Interest) {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(4);
    poll.registry()
        .register(source, Token(0), interest)
        .unwrap();
    poll.poll(&mut events, LIMIT).unwrap();
    assert!(!events.is_empty(), "no event within {LIMIT:?}");
    poll.registry().deregister(source).unwrap();
}

fn linger_is_kept() {
    let (stream, _peer) = pair();
    assert_eq!(stream.linger().unwrap(), None);
    for time in [Some(Duration::from_secs(3)), Some(Duration::ZERO), None] {
        stream.set_linger(time).unwrap();
        assert_eq!(stream.linger().unwrap(), time);
    }
    // A second is the least that is not none, which would lose what is not sent yet.
    stream.set_linger(Some(Duration::from_millis(1))).unwrap();
    assert_eq!(stream.linger().unwrap(), Some(Duration::from_secs(1)));
    // More than the host can count is as long as it can.
    stream.set_linger(Some(Duration::MAX)).unwrap();
    assert!(stream.linger().unwrap() > Some(Duration::from_secs(60)));
    stream.set_linger(None).unwrap();
}

fn lingering_for_no_time_resets() {
    let (mut stream, mut peer) = pair();
    stream.write_all(b"on its way").unwrap();
    stream.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    wait(&mut peer, Interest::READABLE);
    let error = loop {
        match peer.read(&mut [0; 4]) {
            Ok(0) => panic!("an end without a reset"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

fn buffers_take_sizes() {
    let (stream, _peer) = pair();
    let socket = UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
    for size in [8_192, 65_536] {
        stream.set_send_buffer_size(size).unwrap();
        stream.set_recv_buffer_size(size).unwrap();
        socket.set_send_buffer_size(size).unwrap();
        socket.set_recv_buffer_size(size).unwrap();
        let sizes = [
            stream.send_buffer_size().unwrap(),
            stream.recv_buffer_size().unwrap(),
            socket.send_buffer_size().unwrap(),
            socket.recv_buffer_size().unwrap(),
        ];
        // Linux gives twice as much, also below WASI.
        let linux = cfg!(any(
            target_os = "android",
            target_os = "linux",
            target_os = "wasi"
        ));
        let given = if linux { 2 * size } else { size };
        assert_eq!(sizes, [given; 4]);
    }
}
