//! What the library allocates once it is warm: nothing.
//!
//! `steady ROUNDS` goes through so many rounds of everything that a server does again and again
//! (accept, register, wait, read, write, gather, wake, close), first to warm up and then to count.
//! It prints `allocations COUNT`. Idle connections are there as well, so that a host whose calls
//! cost more with each of them is treated accordingly.

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};

/// The system's allocator, which counts how often it is asked for memory.
struct Counting;

static ASKED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it is; a resize is made of these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

const IDLE: usize = 100;
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const SOON: Option<Duration> = Some(Duration::from_millis(1));

struct Server {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    address: SocketAddr,
    datagrams: UdpSocket,
    waker: Waker,
}

fn main() -> ExitCode {
    let rounds = env::args().nth(1).and_then(|word| word.parse().ok());
    let Some(rounds) = rounds else {
        eprintln!("usage: steady ROUNDS");
        return ExitCode::from(2);
    };
    match allocations(rounds) {
        Ok(count) => {
            println!("allocations {count}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn allocations(rounds: usize) -> io::Result<usize> {
    let mut server = Server::new()?;
    let _idle: Vec<_> = (0..IDLE)
        .map(|_| server.connection())
        .collect::<io::Result<_>>()?;
    (0..rounds).try_for_each(|_| server.round())?;
    let before = ASKED.load(Ordering::Relaxed);
    (0..rounds).try_for_each(|_| server.round())?;
    Ok(ASKED.load(Ordering::Relaxed) - before)
}

impl Server {
    fn new() -> io::Result<Server> {
        let poll = Poll::new()?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listener = TcpListener::bind(any)?;
        let mut datagrams = UdpSocket::bind(any)?;
        let registry = poll.registry();
        registry.register(&mut listener, Token(0), Interest::READABLE)?;
        registry.register(&mut datagrams, Token(1), BOTH)?;
        Ok(Server {
            waker: Waker::new(registry, Token(2))?,
            address: listener.local_addr()?,
            events: Events::with_capacity(16),
            poll,
            listener,
            datagrams,
        })
    }

    /// Both ends of a connection, registered.
    fn connection(&mut self) -> io::Result<[TcpStream; 2]> {
        let mut client = TcpStream::connect(self.address)?;
        let registry = self.poll.registry();
        registry.register(&mut client, Token(3), BOTH)?;
        let mut server = loop {
            self.poll.poll(&mut self.events, SOON)?;
            match self.listener.accept() {
                Ok((server, _)) => break server,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        };
        let registry = self.poll.registry();
        registry.register(&mut server, Token(4), BOTH)?;
        Ok([client, server])
    }

    fn round(&mut self) -> io::Result<()> {
        let [mut client, mut server] = self.connection()?;
        for _ in 0..3 {
            let head_and_body = [IoSlice::new(b"head"), IoSlice::new(b"body")];
            assert_eq!(client.write_vectored(&head_and_body)?, 8);
            self.told(|server| server.events.iter().any(|event| event.token() == Token(4)))?;
            assert_eq!(server.read(&mut [0; 64])?, 8);
            would_block(server.read(&mut [0; 64]));
        }
        let here = self.datagrams.local_addr()?;
        self.datagrams.send_to(b"datagram", here)?;
        self.told(|server| server.datagrams.recv_from(&mut [0; 64]).is_ok())?;
        self.waker.wake()?;
        self.told(|server| server.events.iter().any(|event| event.token() == Token(2)))?;
        self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        let registry = self.poll.registry();
        registry.reregister(&mut server, Token(5), Interest::READABLE)?;
        registry.deregister(&mut client)?;
        drop(client);
        self.told(|server| server.events.iter().any(|event| event.token() == Token(5)))?;
        assert_eq!(server.read(&mut [0; 64])?, 0);
        Ok(())
    }

    /// Waits until `done`, which looks at the events or for itself.
    fn told(&mut self, done: impl Fn(&Server) -> bool) -> io::Result<()> {
        loop {
            self.poll.poll(&mut self.events, SOON)?;
            if done(self) {
                return Ok(());
            }
        }
    }
}

fn would_block(result: io::Result<usize>) {
    let error = result.expect_err("there is no more to read");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}
