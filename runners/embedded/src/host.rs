//! What one guest has: its descriptors, its rights, and the host that it is to believe itself on.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketType, sockopt};
use wasmtime::{StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::adversary::Adversary;
use crate::calls::Call;
use crate::errno::{Answer, Errno, Stop};
use crate::memory::Memory;
use crate::poll::Poller;

/// Descriptors of sockets begin here: the standard ones and those of files are below.
pub const FIRST: u32 = 1 << 16;
/// No guest needs more, and a guest in a loop must not take all that this process may have.
const MOST: usize = 16_384;

const OVER: &str = "the guest waits, and its time is over";
/// Between two tries of what should succeed and does not.
const BREATH: Duration = Duration::from_millis(1);
/// A guest's memory and its table of functions.
const MOST_BYTES: usize = 1 << 30;
const MOST_ELEMENTS: usize = 1 << 20;

/// Address families, as WasmEdge numbers them.
pub const INET4: u32 = 1;
pub const INET6: u32 = 2;
pub const UNIX: u32 = 3;

/// Which host's faults the guest meets. Without any it meets what a faultless WasmEdge would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum As {
    /// No known fault.
    #[value(name = "faultless")]
    Faultless,
    /// The faults of WasmEdge 0.14.1; what ends that host ends the guest here, with a sentence.
    #[value(name = "wasmedge-0.14")]
    WasmEdge014,
}

/// What the guest may do with sockets.
#[derive(Debug, Clone, Copy)]
pub struct Rights {
    /// Addresses other than loopback's, and names that a network is asked for.
    pub net: bool,
    pub af_unix: bool,
}

#[derive(Debug)]
pub struct Socket {
    pub fd: OwnedFd,
    /// Never used twice, unlike a descriptor.
    pub id: u64,
    pub family: u32,
    pub kind: SocketType,
    /// What the guest has asked for: the descriptor itself never blocks.
    pub nonblocking: bool,
    pub accepted: bool,
    /// A fault has ended it: the peer has got a reset.
    pub reset: bool,
    /// What `SO_ERROR` then tells, once.
    pub error: Option<Errno>,
}

/// Told of each call, before and after. The arguments are as the guest passed them.
pub trait Observer: Send {
    fn before(&mut self, call: &'static Call, args: &[u64], memory: &Memory<'_>);
    fn after(&mut self, ending: &Ending<'_>, args: &[u64], memory: &Memory<'_>);
}

/// How a call has ended.
#[derive(Debug)]
pub struct Ending<'a> {
    pub call: &'static Call,
    pub answer: &'a Answer,
    pub took: Duration,
    /// What the adversary did to it.
    pub faults: &'a [String],
}

pub struct Host {
    pub wasi: WasiP1Ctx,
    pub rights: Rights,
    pub host: As,
    /// When whatever blocks is to be given up.
    pub deadline: Option<Instant>,
    pub poller: Poller,
    pub observer: Option<Box<dyn Observer>>,
    pub adversary: Option<Adversary>,
    /// All calls so far, and the polls since one waited or told something.
    pub calls: u64,
    pub idle: u64,
    /// How many sockets the guest may have.
    pub most: usize,
    pub limits: StoreLimits,
    pub sockets: HashMap<u32, Socket>,
    numbers: StdRng,
    next_id: u64,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Host");
        shown.field("host", &self.host).field("calls", &self.calls);
        shown
            .field("sockets", &self.sockets)
            .finish_non_exhaustive()
    }
}

impl Host {
    pub fn new(wasi: WasiP1Ctx, rights: Rights, host: As) -> Host {
        Host {
            wasi,
            rights,
            host,
            deadline: None,
            poller: Poller::default(),
            observer: None,
            adversary: None,
            calls: 0,
            idle: 0,
            most: MOST,
            limits: StoreLimitsBuilder::new()
                .memory_size(MOST_BYTES)
                .table_elements(MOST_ELEMENTS)
                .build(),
            sockets: HashMap::new(),
            numbers: StdRng::from_os_rng(),
            next_id: 0,
        }
    }

    pub fn faultless(&self) -> bool {
        self.host == As::Faultless
    }

    pub fn socket(&self, fd: u32) -> Option<&Socket> {
        self.sockets.get(&fd)
    }

    pub fn socket_mut(&mut self, fd: u32) -> Option<&mut Socket> {
        self.sockets.get_mut(&fd)
    }

    /// A new socket's number: random, as WasmEdge's are, so that nobody takes it for an index.
    pub fn insert(&mut self, fd: OwnedFd, family: u32, kind: SocketType) -> u32 {
        let number = loop {
            let number = self.numbers.random_range(FIRST..1 << 31);
            if !self.sockets.contains_key(&number) {
                break number;
            }
        };
        self.insert_as(number, fd, family, kind);
        number
    }

    pub fn insert_as(&mut self, number: u32, fd: OwnedFd, family: u32, kind: SocketType) {
        self.next_id += 1;
        let socket = Socket {
            fd,
            id: self.next_id,
            family,
            kind,
            nonblocking: false,
            accepted: false,
            reset: false,
            error: None,
        };
        self.sockets.insert(number, socket);
    }

    /// Whether one more socket may be opened.
    pub fn has_room(&self) -> Answer {
        if self.sockets.len() >= self.most {
            return Err(Errno::MFILE.into());
        }
        Ok(())
    }

    pub fn remove(&mut self, fd: u32) -> Option<Socket> {
        self.sockets.remove(&fd)
    }

    /// `to` becomes another number of nobody's: `from` is `to` from now on.
    pub fn renumber(&mut self, from: u32, to: u32) -> Answer {
        if !self.sockets.contains_key(&to) {
            return Err(Errno::BADF.into());
        }
        let socket = self.sockets.remove(&from).ok_or(Errno::BADF)?;
        self.sockets.insert(to, socket);
        Ok(())
    }

    /// Waits until one of `fds` is ready, `end` has come or the guest's time is over.
    pub fn wait(
        fds: &mut [PollFd<'_>],
        end: Option<Instant>,
        deadline: Option<Instant>,
    ) -> Answer<usize> {
        let first = match (end, deadline) {
            (Some(end), Some(deadline)) => Some(end.min(deadline)),
            (end, deadline) => end.or(deadline),
        };
        loop {
            let left = first.map(|first| first.saturating_duration_since(Instant::now()));
            // What does not fit is longer than any guest lives.
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(fds, left.as_ref()) {
                Ok(0) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return Err(Stop::Trap(OVER.into()));
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) if left.is_some_and(|left| left.tv_sec > 1 << 40) => {}
                other => return Ok(other?),
            }
        }
    }
}

/// For a descriptor that the guest has left blocking: `operation` until it no longer would block.
pub fn until_ready<T>(
    (fd, nonblocking): (BorrowedFd<'_>, bool),
    wanted: PollFlags,
    (limit, deadline): (Option<Duration>, Option<Instant>),
    mut operation: impl FnMut() -> rustix::io::Result<T>,
) -> Answer<T> {
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut tries = 0;
    loop {
        match operation() {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) if !nonblocking => {
                let over = |end: Option<Instant>| end.is_some_and(|end| end <= Instant::now());
                let ready = Host::wait(&mut [PollFd::from_borrowed_fd(fd, wanted)], end, deadline)?;
                if ready == 0 || over(end) {
                    return Err(Errno::AGAIN.into());
                }
                if over(deadline) {
                    return Err(Stop::Trap(OVER.into()));
                }
                // A datagram may find its receiver full although there is room for it here.
                tries += 1;
                if tries > 1 {
                    thread::sleep(BREATH);
                }
            }
            other => return Ok(other?),
        }
    }
}

impl Drop for Host {
    /// A guest may have asked that the end of a socket waits for its peer; its own end does not.
    fn drop(&mut self) {
        for socket in self.sockets.values() {
            let _ = sockopt::set_socket_linger(&socket.fd, None);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
