//! The small moves of the cases: checks of results, addresses, and bytes that can be recognised.

use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use mio::net::{TcpStream, UdpSocket};

use super::{FEW_OPTIONS, GUEST, Loop, WINSOCK};

/// `None` for an operation that would block, its value otherwise; any other error panics.
#[track_caller]
pub(crate) fn would_block<T>(result: io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("the operation failed: {error:?}"),
    }
}

/// The operation would block: the queue is empty, or full.
#[track_caller]
pub(crate) fn assert_blocks<T: Debug>(result: io::Result<T>) {
    assert_kind(result, ErrorKind::WouldBlock);
}

/// The operation fails in exactly this way.
#[track_caller]
pub(crate) fn assert_kind<T: Debug>(result: io::Result<T>, kind: ErrorKind) {
    match result {
        Ok(value) => panic!("expected {kind:?}, but it succeeded with {value:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{error:?}"),
    }
}

/// The operation fails since its direction has been shut down.
#[track_caller]
pub(crate) fn assert_shut<T: Debug>(result: io::Result<T>) {
    if WINSOCK {
        assert_eq!(result.expect_err("shut down").raw_os_error(), Some(10_058));
    } else {
        assert_kind(result, ErrorKind::BrokenPipe);
    }
}

/// On wasm32-wasip1 the call is refused as unsupported, in words that name it. Elsewhere it
/// succeeds.
#[track_caller]
pub(crate) fn only_native<T: Debug>(call: &str, result: io::Result<T>) -> Option<T> {
    if !FEW_OPTIONS {
        return Some(result.unwrap_or_else(|error| panic!("{call}: {error}")));
    }
    let error = result.expect_err(call);
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{call}: {error:?}");
    let text = error.to_string();
    assert!(
        text.contains(call),
        "the error of `{call}` does not name it: {text}"
    );
    None
}

/// Writes all of a message that is small enough for any send buffer.
#[track_caller]
pub(crate) fn send(mut stream: impl Write, bytes: &[u8]) {
    assert_eq!(stream.write(bytes).unwrap(), bytes.len());
}

/// Reads until the operation would block; whether the stream has ended is the second value.
#[track_caller]
pub(crate) fn drain(mut source: impl Read) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16_384];
    loop {
        match would_block(source.read(&mut buffer)) {
            Some(0) => return (bytes, true),
            Some(read) => bytes.extend_from_slice(&buffer[..read]),
            None => return (bytes, false),
        }
    }
}

/// Reads `count` bytes that are on their way, without a poll, and throws them away.
#[track_caller]
pub(crate) fn discard(lp: &Loop, stream: &TcpStream, count: usize) {
    let mut received = 0;
    while received < count {
        lp.left("the bytes on their way");
        received += drain(stream).0.len();
    }
    assert_eq!(received, count);
}

/// Writes until the operation would block, and tells how many bytes went.
#[track_caller]
pub(crate) fn fill(mut stream: impl Write) -> usize {
    let bytes = [b'x'; 65_536];
    let mut total = 0;
    while let Some(written) = would_block(stream.write(&bytes)) {
        assert_ne!(written, 0);
        total += written;
    }
    total
}

/// Any port of 127.0.0.1.
pub(crate) fn localhost() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Any port of `::1`.
pub(crate) fn localhost_v6() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::LOCALHOST, 0))
}

/// Why a case that needs IPv6 cannot run, if it cannot. A library that can bind nothing has not
/// told.
pub(crate) fn no_ipv6() -> Option<&'static str> {
    let error = UdpSocket::bind(localhost_v6()).err();
    let missing = error.is_some_and(|error| error.kind() != ErrorKind::Unsupported);
    missing.then_some("the machine has no IPv6 loopback address")
}

/// A TCP address that refuses connections for as long as this is kept.
///
/// It is the port of a client's end: taken, so that nobody else can listen there by chance.
pub(crate) struct RefusingTcp {
    address: SocketAddr,
    _pair: (TcpStream, TcpStream),
}

impl RefusingTcp {
    #[track_caller]
    pub(crate) fn new(lp: &mut Loop) -> RefusingTcp {
        let pair = lp.tcp_pair();
        let address = pair.0.local_addr().unwrap();
        RefusingTcp {
            address,
            _pair: pair,
        }
    }

    /// A stream whose connection is going to be refused.
    #[track_caller]
    pub(crate) fn connect(&self) -> TcpStream {
        loop {
            let stream = TcpStream::connect(self.address).unwrap();
            // Once in ten thousand times the kernel chooses the same port for the new stream, which
            // is then connected to itself.
            if stream.local_addr().unwrap() != self.address {
                return stream;
            }
        }
    }
}

/// A UDP address that refuses datagrams for as long as the sockets are kept.
///
/// A connected socket takes datagrams of its peer only; for all others its port is closed.
pub(crate) fn refusing_udp() -> (SocketAddr, [UdpSocket; 2]) {
    let peer = UdpSocket::bind(localhost()).unwrap();
    let socket = UdpSocket::bind(localhost()).unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    (socket.local_addr().unwrap(), [socket, peer])
}

/// A UDP socket on 127.0.0.1 and its address.
#[track_caller]
pub(crate) fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(localhost()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// The byte that belongs at `place` of the stream called `seed`.
fn pattern_byte(seed: u64, place: u64) -> u8 {
    let mut word = (seed ^ (place / 8)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word ^= word >> 29;
    word = word.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (word >> (8 * (place % 8))) as u8
}

/// `count` bytes of the stream called `seed`, from `place` on: any loss or swap shows.
pub(crate) fn pattern(seed: u64, place: u64, count: usize) -> Vec<u8> {
    (place..place + count as u64)
        .map(|place| pattern_byte(seed, place))
        .collect()
}

/// A name for a file or a Unix socket that no other run uses. It goes with its owner if it can.
///
/// WasmEdge takes the path as the host's own and lets a guest remove only what lies in a folder
/// it was given, so there the file may stay behind.
#[derive(Debug)]
pub(crate) struct TempPath(PathBuf);

impl TempPath {
    pub(crate) fn new() -> TempPath {
        let folder = if GUEST {
            PathBuf::from("/tmp")
        } else {
            std::env::temp_dir()
        };
        // Each `RandomState` differs from every other one, also from those of other processes.
        let name = RandomState::new().build_hasher().finish();
        TempPath(folder.join(format!("mio-wasi-{name:016x}")))
    }
}

impl AsRef<Path> for TempPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl std::ops::Deref for TempPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.0);
    }
}
