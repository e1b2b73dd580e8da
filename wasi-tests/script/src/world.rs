//! What a script has open, and how one call is made and told: what a host may choose (descriptors,
//! ports) by names in their order, everything else exactly.

use std::ops::Range;

use crate::abi::{Call, Kind};
use crate::arena::Arena;

pub const SLOTS: usize = 16;
/// Outside of any guest's memory.
const WILD: i64 = 0xffff_fff0;
/// So long the receiver's kernel may keep back what lets a small segment follow another.
const NAGLE_MS: u64 = 50;
const SETTLE_MS: u64 = 2;

/// An argument, and how it is told.
pub enum Arg {
    Slot(usize),
    Stdin,
    /// A descriptor that was closed.
    Gone(i32),
    Num(i64),
    Port(u16),
    /// Something to read, and its name.
    Put(Vec<u8>, String),
    /// An address: its bytes, and the length it is said to have.
    Addr(Vec<u8>, u32),
    /// Room for an address of this length.
    AddrOut(u32, Show),
    Send(Vec<Vec<u8>>),
    Recv(Vec<u32>),
    Out(usize, Show),
    /// A value that the host reads, then writes.
    InOut(u32),
    /// As many linked results of a look-up.
    Chain(usize),
}

/// How something that the host wrote is told.
#[derive(Clone, Copy)]
pub enum Show {
    Hex,
    Number,
    /// The length of what was received.
    Received,
    Port,
    /// Two bytes in the network's order.
    NetPort,
    /// Structs of this size, by their fields' offsets and sizes.
    Fields(usize, &'static [(usize, usize)]),
    /// Events; the number of bytes is told only where nothing can change it.
    Events,
    /// Only whether it was written.
    Whether,
    Ignored,
    /// Without the family, which the host does not always set.
    Unix,
}

pub const FDSTAT: Show = Show::Fields(24, &[(0, 1), (2, 2), (8, 8), (16, 8)]);
const ADDRINFO: &[(usize, usize)] = &[(0, 2), (2, 1), (3, 1), (4, 1), (8, 4), (20, 4)];
const EVENT: &[(usize, usize)] = &[(0, 8), (8, 2), (10, 1), (16, 8), (24, 2)];

/// What is done to a call's pointers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    None,
    /// This one of them lies outside.
    Wild(usize),
    /// None is aligned.
    Skewed,
}

pub struct Answer {
    pub errno: i32,
    /// What the host wrote, per `Out`, `AddrOut` and `InOut`; empty if it did not.
    pub outs: Vec<Vec<u8>>,
}

#[derive(Clone, Default)]
pub struct Slot {
    pub fd: Option<i32>,
    pub family: u32,
    pub kind: u32,
    /// Where it is bound: the host's 128 bytes, and the port.
    pub bound: Option<(Vec<u8>, u16)>,
    /// Whether it is a connection, made or accepted.
    pub linked: bool,
    /// When it sent last, in waited milliseconds.
    pub sent: Option<u64>,
}

impl Slot {
    pub fn is_tcp(&self) -> bool {
        self.family < 3 && self.kind == 2
    }
}

pub struct World {
    arena: Arena,
    pub slots: Vec<Slot>,
    ports: Vec<u16>,
    /// Whether the next port was just chosen: if it had been seen before, that was another's.
    pub fresh_port: bool,
    /// The slot that the last datagram went to.
    pub sent_to: Option<usize>,
    waited: u64,
    pub twist: Twist,
    /// What this run alone has, and is not to be told.
    pub unique: Vec<u8>,
    /// The numbers of the operation and of the call in it.
    pub at: (usize, usize),
}

impl World {
    pub fn new() -> World {
        World {
            arena: Arena::new(),
            slots: vec![Slot::default(); SLOTS + 1],
            ports: Vec::new(),
            fresh_port: false,
            sent_to: None,
            waited: 0,
            twist: Twist::None,
            unique: Vec::new(),
            at: (0, 0),
        }
    }

    fn port(&mut self, port: u16) -> String {
        if port < 1024 {
            return port.to_string();
        }
        let mut known = self.ports.iter().rposition(|p| *p == port);
        if self.fresh_port {
            known = None;
        }
        let index = known.unwrap_or_else(|| {
            self.ports.push(port);
            self.ports.len() - 1
        });
        format!("port#{index}")
    }

    /// A descriptor of the slot, or one that nobody has.
    pub fn fd(&self, slot: usize) -> i32 {
        let none = [-1 - slot as i32, 0x7fff_fff0 + slot as i32][slot % 2];
        self.slots[slot].fd.unwrap_or(none)
    }

    /// Waits until the kernel has done what it does behind a call's back.
    pub fn settle(&mut self, ms: u64) {
        self.waited += ms;
        self.arena.reset();
        let clock = clock(1, ms * 1_000_000, 0);
        let subs = self.arena.put(&clock, false);
        let event = self.arena.room(32, false);
        let count = self.arena.room(4, false);
        let place = |at| i64::from(self.arena.address(at));
        let args = [place(subs), place(event), 1, place(count)];
        // SAFETY: all of them lie in the arena.
        let errno = unsafe { Call::named("poll_oneoff").make(&args) };
        assert_eq!(errno, 0, "the host cannot wait");
    }

    pub fn settled(&mut self) {
        self.settle(SETTLE_MS);
    }

    /// Two small segments in a row would arrive together or not, as the receiver's kernel
    /// pleases: so the first one's receipt is waited for.
    pub fn before_send(&mut self, slot: usize) {
        let is_tcp = self.slots[slot].is_tcp();
        let sent = self.slots[slot].sent;
        if is_tcp && sent.is_some_and(|sent| self.waited < sent + NAGLE_MS) {
            self.settle(NAGLE_MS);
        }
        self.slots[slot].sent = Some(self.waited);
    }

    pub fn call(&mut self, name: &str, args: &[Arg]) -> Answer {
        let call = Call::named(name);
        let mut laid = self.lay(args);
        assert_eq!(laid.raw.len(), call.kinds.len(), "arguments of {call:?}");
        let twist = std::mem::replace(&mut self.twist, Twist::None);
        if let Twist::Wild(nth) = twist {
            let plain = |kind| matches!(kind, Kind::Fd | Kind::Size | Kind::Num | Kind::Long);
            let pointers = call.kinds.iter().enumerate().filter(|(_, k)| !plain(**k));
            let pointers: Vec<usize> = pointers.map(|(index, _)| index).collect();
            if let Some(index) = pointers.get(nth % pointers.len().max(1)) {
                laid.raw[*index] = WILD;
                laid.words.push(format!("pointer {index} wild"));
            }
        } else if twist == Twist::Skewed {
            laid.words.push("skewed".into());
        }
        self.arena.keep();
        // SAFETY: whatever can be written to lies in the arena.
        let errno = unsafe { call.make(&laid.raw) };
        let told = self.tell(&laid, errno);
        let (operation, step) = self.at;
        self.at.1 += 1;
        let words = laid.words.join(", ");
        println!("{operation}.{step} {name}({words}) = {errno} [{told}]");
        let changed = |place: &Range<usize>| match self.arena.is_changed(place.clone()) {
            true => self.arena.get(place.clone()).to_vec(),
            false => Vec::new(),
        };
        let outs = laid.outs.iter().map(|(place, _)| changed(place)).collect();
        Answer { errno, outs }
    }

    fn lay(&mut self, args: &[Arg]) -> Laid {
        let mut laid = Laid::default();
        self.arena.reset();
        for arg in args {
            self.lay_one(arg, &mut laid);
        }
        laid
    }

    fn lay_one(&mut self, arg: &Arg, laid: &mut Laid) {
        let skewed = self.twist == Twist::Skewed;
        let arena = &mut self.arena;
        let (value, word) = match arg {
            Arg::Slot(slot) => {
                let gone = ["", "-"][usize::from(self.slots[*slot].fd.is_none())];
                (i64::from(self.fd(*slot)), format!("s{slot}{gone}"))
            }
            Arg::Stdin => (0, "stdin".into()),
            Arg::Gone(fd) => (i64::from(*fd), "closed".into()),
            Arg::Num(number) => (*number, number.to_string()),
            Arg::Port(port) => (i64::from(*port), self.port(*port)),
            Arg::Put(bytes, word) => {
                let at = arena.put(bytes, skewed);
                (i64::from(arena.address(at)), word.clone())
            }
            Arg::Addr(bytes, len) => {
                let at = arena.put(bytes, skewed);
                let pair = words(&[arena.address(at), *len]);
                let at = arena.put(&pair, skewed);
                let word = format!("{}/{len}", self.hex(bytes));
                (i64::from(self.arena.address(at)), word)
            }
            Arg::AddrOut(len, show) => {
                let at = arena.room(*len as usize, skewed);
                laid.outs.push((at..at + *len as usize, *show));
                let pair = words(&[arena.address(at), *len]);
                let at = arena.put(&pair, skewed);
                (i64::from(arena.address(at)), format!("room {len}"))
            }
            Arg::Send(pieces) => {
                let places = pieces.iter().map(|p| (arena.put(p, false), p.len()));
                let places: Vec<(usize, usize)> = places.collect();
                let lens: Vec<usize> = pieces.iter().map(Vec::len).collect();
                (
                    self.vectors(&places, skewed),
                    format!("send {}", list(&lens)),
                )
            }
            Arg::Recv(lens) => {
                let places = lens.iter().map(|len| *len as usize);
                let places = places.map(|len| (arena.room(len, false), len));
                let places: Vec<(usize, usize)> = places.collect();
                laid.buffers.clone_from(&places);
                (
                    self.vectors(&places, skewed),
                    format!("recv {}", list(lens)),
                )
            }
            Arg::Out(len, show) => {
                let at = arena.room(*len, skewed);
                laid.outs.push((at..at + len, *show));
                (i64::from(arena.address(at)), "out".into())
            }
            Arg::InOut(value) => {
                let at = arena.put(&words(&[*value]), skewed);
                laid.outs.push((at..at + 4, Show::Number));
                (i64::from(arena.address(at)), format!("*{value}"))
            }
            Arg::Chain(count) => {
                let at = self.chain(*count, laid);
                (i64::from(self.arena.address(at)), format!("chain {count}"))
            }
        };
        laid.raw.push(value);
        laid.words.push(word);
    }

    fn vectors(&mut self, places: &[(usize, usize)], skewed: bool) -> i64 {
        let address = |(at, len): &(usize, usize)| [self.arena.address(*at), *len as u32];
        let list: Vec<u32> = places.iter().flat_map(address).collect();
        let at = self.arena.put(&words(&list), skewed);
        i64::from(self.arena.address(at))
    }

    /// Results of a look-up, each with an address, linked; the answer points to the first.
    fn chain(&mut self, count: usize, laid: &mut Laid) -> usize {
        let mut next = 0;
        let mut links = Vec::new();
        for _ in 0..count {
            let name = self.arena.room(64, false);
            let data = self.arena.room(32, false);
            let data_address = self.arena.address(data);
            let sockaddr = self.arena.put(&words(&[0, 26, data_address]), false);
            let [sockaddr_address, name] = [sockaddr, name].map(|at| self.arena.address(at));
            let info = [0, 0, 16, sockaddr_address, name, 64, next];
            let at = self.arena.put(&words(&info), false);
            next = self.arena.address(at);
            links.push((at, sockaddr, data));
        }
        for (at, sockaddr, data) in links.into_iter().rev() {
            laid.outs.push((at..at + 28, Show::Fields(28, ADDRINFO)));
            let fields = Show::Fields(12, &[(0, 1), (4, 4)]);
            laid.outs.push((sockaddr..sockaddr + 12, fields));
            laid.outs.push((data..data + 26, Show::Hex));
        }
        self.arena.put(&words(&[next]), false)
    }

    /// What the host wrote.
    fn tell(&mut self, laid: &Laid, errno: i32) -> String {
        let mut told = Vec::new();
        let mut places = Vec::new();
        for (place, show) in &laid.outs {
            places.push(place.clone());
            if matches!(show, Show::Ignored) {
                continue;
            }
            if !self.arena.is_changed(place.clone()) {
                told.push("-".into());
                continue;
            }
            let bytes = self.arena.get(place.clone()).to_vec();
            if let (Show::Received, 0) = (show, errno) {
                let (pieces, word) = self.received(laid, number(&bytes) as usize);
                places.extend(pieces);
                told.push(word);
            } else {
                told.push(self.show(&bytes, *show));
            }
        }
        if let Some(at) = self.arena.stray(&places) {
            told.push(format!("STRAY at {at}"));
        }
        told.join(", ")
    }

    fn received(&self, laid: &Laid, len: usize) -> (Vec<Range<usize>>, String) {
        let mut left = len;
        let mut data = Vec::new();
        let mut pieces = Vec::new();
        for (at, room) in &laid.buffers {
            let piece = *at..at + left.min(*room);
            left -= piece.len();
            data.extend_from_slice(self.arena.get(piece.clone()));
            pieces.push(piece);
        }
        (pieces, format!("{len} bytes {:016x}", sum(&data)))
    }

    fn show(&mut self, bytes: &[u8], show: Show) -> String {
        match show {
            Show::Hex => self.hex(bytes),
            Show::Unix => self.hex(&bytes[bytes.len().min(2)..]),
            Show::Number | Show::Received => number(bytes).to_string(),
            Show::Port => self.port(number(bytes) as u16),
            Show::NetPort => self.port((number(bytes) as u16).swap_bytes()),
            Show::Whether => "+".into(),
            Show::Ignored => String::new(),
            Show::Fields(size, fields) => told_fields(bytes, size, fields),
            Show::Events => {
                let touched = |event: &&[u8]| event.iter().any(|b| *b != crate::arena::FILL);
                let events = bytes.chunks(32).filter(touched);
                let events = events.map(|event| {
                    // Of a stream's buffer it depends on receipts that are under way.
                    let mut event = event.to_vec();
                    if event[10] == 2 && event[1] == 1 && number(&event[16..24]) > 0 {
                        event[16..24].copy_from_slice(&1u64.to_le_bytes());
                    }
                    told_fields(&event, 32, EVENT)
                });
                events.collect::<Vec<_>>().join("")
            }
        }
    }

    /// Bytes, the untouched and the zero ones at the end counted.
    fn hex(&self, bytes: &[u8]) -> String {
        let end =
            |bytes: &[u8], what: u8| bytes.iter().rposition(|b| *b != what).map_or(0, |n| n + 1);
        let written = &bytes[..end(bytes, crate::arena::FILL)];
        let head = &written[..end(written, 0)];
        let zeros = written.len() - head.len();
        let digits = |bytes: &[u8]| -> String {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            digits.collect()
        };
        let head = match self.unique.is_empty() {
            true => digits(head),
            false => digits(head).replace(&digits(&self.unique), "UNIQUE"),
        };
        format!("{head}+{zeros}")
    }
}

/// A call's arguments in the arena.
#[derive(Default)]
struct Laid {
    raw: Vec<i64>,
    words: Vec<String>,
    outs: Vec<(Range<usize>, Show)>,
    buffers: Vec<(usize, usize)>,
}

/// A subscription to a clock.
pub fn clock(id: u32, timeout_ns: u64, flags: u16) -> Vec<u8> {
    let mut sub = vec![0; 48];
    sub[16..20].copy_from_slice(&id.to_le_bytes());
    sub[24..32].copy_from_slice(&timeout_ns.to_le_bytes());
    sub[40..42].copy_from_slice(&flags.to_le_bytes());
    sub
}

fn list(lens: &[impl std::fmt::Debug]) -> String {
    match lens.len() {
        0..8 => format!("{lens:?}"),
        count => format!("[{:?}; {count}]", lens[0]),
    }
}

fn told_fields(bytes: &[u8], size: usize, fields: &[(usize, usize)]) -> String {
    let item = |item: &[u8]| {
        let field = |(at, len): &(usize, usize)| format!("{:x}", number(&item[*at..at + len]));
        format!(
            "<{}>",
            fields.iter().map(field).collect::<Vec<_>>().join(" ")
        )
    };
    bytes.chunks(size).map(item).collect()
}

pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A number in the host's order.
pub fn number(bytes: &[u8]) -> u64 {
    let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    bytes.iter().take(8).rev().fold(0, fold)
}

/// FNV: two hosts that received different bytes are to differ, nobody means harm.
fn sum(data: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    data.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
