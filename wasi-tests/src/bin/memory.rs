//! What the library keeps on the heap for connections that are registered and idle.
//!
//! `memory COUNT` opens so many ends of connections, registers each for both directions, and polls
//! until all have been told. Then it prints `heap BYTES`, which is what the library has allocated
//! and not given back, and `stream BYTES`, the size of the type that the program itself keeps.

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// The system's allocator, which counts the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it is; a resize is made of these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

const BRIEFLY: Duration = Duration::from_millis(100);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn main() -> ExitCode {
    let count = env::args().nth(1).and_then(|word| word.parse().ok());
    let Some(count) = count else {
        eprintln!("usage: memory COUNT");
        return ExitCode::from(2);
    };
    match heap(count) {
        Ok(bytes) => {
            println!("heap {bytes}\nstream {}", size_of::<TcpStream>());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn heap(count: usize) -> io::Result<usize> {
    // What is the program's own is allocated before.
    let mut streams = Vec::with_capacity(count);
    let mut events = Events::with_capacity(1024);
    let before = IN_USE.load(Ordering::Relaxed);
    let mut poll = Poll::new()?;
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    while streams.len() < count {
        register(&poll, TcpStream::connect(address)?, &mut streams)?;
        let server = loop {
            poll.poll(&mut events, Some(BRIEFLY))?;
            match listener.accept() {
                Ok((server, _)) => break server,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        };
        register(&poll, server, &mut streams)?;
    }
    // All is told, and a wait that finds nothing has handed over every row.
    while !events.is_empty() {
        poll.poll(&mut events, Some(BRIEFLY))?;
    }
    Ok(IN_USE.load(Ordering::Relaxed) - before)
}

fn register(poll: &Poll, mut stream: TcpStream, streams: &mut Vec<TcpStream>) -> io::Result<()> {
    let token = Token(streams.len());
    poll.registry().register(&mut stream, token, BOTH)?;
    streams.push(stream);
    Ok(())
}
