//! Two streams that are connected: Unix sockets where there are any, else TCP.

#[cfg(unix)]
pub use mio::net::UnixStream as Stream;

#[cfg(unix)]
pub fn pair() -> (Stream, Stream) {
    Stream::pair().expect("a pair")
}

#[cfg(not(unix))]
pub use mio::net::TcpStream as Stream;

#[cfg(not(unix))]
pub fn pair() -> (Stream, Stream) {
    use std::net::{TcpListener, TcpStream};
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    let (far, _) = listener.accept().expect("accepted");
    let ours = |stream: TcpStream| {
        stream.set_nonblocking(true).expect("non-blocking");
        stream.set_nodelay(true).expect("undelayed");
        Stream::from_std(stream)
    };
    (ours(near), ours(far))
}
