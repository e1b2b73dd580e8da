//! `abuse SEED COUNT [--trace] [--tame]`: so many calls, of all that there are, with arguments from
//! the seed. It prints the seed first and `done COUNT` last. A host may answer with any errno, or
//! trap, which ends the run; `--tame` gives the calls of preview 1 itself, where hosts do that, no
//! bad pointers and codes, and `--trace` prints each call before it is made.
//!
//! The host may write wherever it is told to, so it is told of nothing that this program needs.
//! The lower half of the stack, which is at the bottom of the memory and never that deep, is
//! filled before each call with bytes that make an address in this half or outside of the memory,
//! whichever four the host takes; lengths are made of the same. What is connected and sent to is
//! on loopback, what is looked up is a number, and a wait has a clock.

use std::env;
use std::process::ExitCode;

use fastrand::Rng;

use crate::abi::{CALLS, Call, Kind};
use crate::world::{clock, words};

/// Addresses and lengths end below this; together they stay below the live stack.
const REACH: usize = 0x4_0000;
const CELLAR: usize = 2 * REACH;
/// The live stack stays above this, with room for what a few other small bytes could name.
const LOWEST_USED: usize = 0xe_0000;
const PAGE: usize = 0x1_0000;
/// What begins here lies outside: from here on are the addresses that begin with a large byte.
const LONGEST: usize = 0x80_0000;
/// So many events, written from the highest address of ours, end below `CELLAR`.
const MOST_ROWS: i64 = 0x3ff;
const NONBLOCK: i64 = 4;
/// The output must stay open and whole.
const SPOIL_OUTPUT: &[&str] = &[
    "fd_write",
    "fd_pwrite",
    "fd_close",
    "fd_renumber",
    "fd_fdstat_set_rights",
    "fd_seek",
    "fd_fdstat_set_flags",
    "fd_filestat_set_size",
    "fd_allocate",
];

unsafe extern "C" {
    /// By numbers: the lowest address is one that Rust's own functions refuse.
    #[link_name = "memcpy"]
    fn copy_to(to: usize, from: *const u8, len: usize) -> usize;
}

struct Abuser {
    rng: Rng,
    fds: Vec<i32>,
    template: Vec<u8>,
    /// Where the last page begins, which nobody else uses.
    page: usize,
    tame: bool,
}

pub fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |index: usize| args.get(index).and_then(|word| word.parse::<u64>().ok());
    let (Some(seed), Some(count)) = (number(0), number(1)) else {
        eprintln!("usage: abuse SEED COUNT [--trace] [--tame]");
        return ExitCode::from(2);
    };
    let says = |option: &str| args.iter().any(|word| word == option);
    println!("seed {seed}");
    let mut abuser = Abuser::new(seed, says("--tame"));
    for number in 0..count {
        abuser.step(number, says("--trace"));
    }
    println!("done {count}");
    ExitCode::SUCCESS
}

impl Abuser {
    fn new(seed: u64, tame: bool) -> Abuser {
        let here = 0u8;
        let live = &raw const here as usize;
        assert!(
            (LOWEST_USED..2 * CELLAR).contains(&live),
            "the stack is not at the bottom"
        );
        let mut rng = Rng::with_seed(seed);
        let template = (0..2 * CELLAR).map(|_| byte(&mut rng)).collect();
        let page = grow();
        assert!(page + PAGE <= LONGEST, "the memory is too long");
        Abuser {
            rng,
            fds: Vec::new(),
            template,
            page,
            tame,
        }
    }

    fn step(&mut self, number: u64, trace: bool) {
        self.keep_sockets();
        let call = &CALLS[self.rng.usize(..CALLS.len())];
        let ours = ["sock", "poll", "epoll"];
        let standard = !ours.iter().any(|family| call.name.starts_with(family));
        // A trap is the end of the run, so it is not to come before much else was asked.
        let good = standard && (self.tame || self.rng.u8(..40) > 0);
        let start = self.rng.usize(..CELLAR);
        match good {
            true => place(0, &vec![0; CELLAR]),
            false => place(0, &self.template[start..start + CELLAR]),
        }
        let args = self.arguments(call, good);
        if trace {
            println!("{number} {} {args:x?}", call.name);
        }
        // SAFETY: `arguments` names nothing but the lower half of the stack, and the last page.
        let errno = unsafe { call.make(&args) };
        assert!((0..0x1_0000).contains(&errno), "{} says {errno}", call.name);
    }

    /// A few sockets, of which none blocks whatever was done to it.
    fn keep_sockets(&mut self) {
        let at = 8;
        if self.fds.len() < 8 || self.rng.u8(..50) == 0 {
            let (family, kind) = (self.rng.i64(1..4), self.rng.i64(1..3));
            if quietly("sock_open", &[family, kind, at]) == 0 {
                self.fds.push(peek(at));
            }
            if let Some(fd) = self.fds.last().map(|fd| i64::from(*fd)) {
                let address = self.address(64);
                quietly("sock_bind_v2", &[fd, address, 0]);
                quietly("sock_listen", &[fd, 9]);
            }
        }
        if self.fds.len() > 24 {
            let index = self.rng.usize(..self.fds.len());
            quietly("fd_close", &[i64::from(self.fds[index])]);
            if self.rng.bool() {
                self.fds.swap_remove(index);
            }
        }
        for fd in &self.fds {
            quietly("fd_fdstat_set_flags", &[i64::from(*fd), NONBLOCK]);
        }
    }

    fn arguments(&mut self, call: &Call, good: bool) -> Vec<i64> {
        let mut name_len = None;
        let mut args = Vec::new();
        for kind in call.kinds {
            let arg = match kind {
                Kind::Fd => self.fd(call.name),
                Kind::Ptr => self.pointer(good),
                Kind::Addr => match self.rng.u8(..6) {
                    0 => self.wild(),
                    _ => self.address(0x1000),
                },
                Kind::Name => {
                    let (at, len) = self.name();
                    name_len = Some(len);
                    at
                }
                Kind::Subs => self.subscriptions(good),
                Kind::Size => match name_len.take() {
                    Some(len) => self.rng.i64(0..=len),
                    None => self.size(call, good),
                },
                Kind::Num => match self.rng.u8(..4) {
                    _ if good => self.rng.i64(0..2),
                    0 => i64::from(self.rng.i32(..)),
                    1 => self.rng.i64(-1..70),
                    _ => self.rng.i64(0..8),
                },
                Kind::Long => match self.rng.u8(..3) {
                    _ if good => self.rng.i64(0..9),
                    0 => self.rng.i64(..),
                    1 => -1,
                    _ => self.rng.i64(0..9),
                },
            };
            args.push(arg);
        }
        args
    }

    fn fd(&mut self, name: &str) -> i64 {
        let fd = match self.rng.u8(..10) {
            0 => self.rng.i32(0..6),
            1 => -1,
            2 => self.rng.i32(..),
            _ if self.fds.is_empty() => 0,
            _ => self.fds[self.rng.usize(..self.fds.len())],
        };
        let spoils = SPOIL_OUTPUT.contains(&name) || name.starts_with("fd_filestat_set");
        if matches!(fd, 1 | 2) && spoils {
            return 0;
        }
        i64::from(fd)
    }

    fn pointer(&mut self, good: bool) -> i64 {
        match self.rng.u8(..12) {
            _ if good => self.rng.i64(0..0x200) * 8,
            0 => self.wild(),
            1 => 0,
            // Only as long as nothing that is needed lies behind.
            2 if self.page + PAGE == memory_end() => memory_end() as i64 - self.rng.i64(0..40),
            3 => self.rng.i64(0..REACH as i64),
            _ => self.rng.i64(0..0x400) * 4,
        }
    }

    /// Outside.
    fn wild(&mut self) -> i64 {
        let end = memory_end() as i64;
        let choice = [end, 0xffff_ffff, 0xffff_fff8, 0x8000_0000, 0x7fff_ffff];
        choice[self.rng.usize(..choice.len())]
    }

    /// A length or a number that, from any address of ours, ends in our memory or outside.
    fn size(&mut self, call: &Call, good: bool) -> i64 {
        let most = match call.kinds.contains(&Kind::Subs) {
            true => MOST_ROWS,
            false => REACH as i64 - 1,
        };
        match self.rng.u8(..8) {
            0 if !good => [0xffff_ffff, 0x8000_0000, 0x7fff_ffff][self.rng.usize(..3)],
            1 => self.rng.i64(0..=most),
            2 => 0,
            _ => self.rng.i64(1..20),
        }
    }

    /// An address on loopback at this place or near, told to be of some length.
    fn address(&mut self, near: i64) -> i64 {
        let at = near + self.rng.i64(0..16);
        let v4 = [1, 0, 127, 0, 0, 1].to_vec();
        let v6 = [[2, 0, 0, 0].as_slice(), &[0; 13], &[1]].concat();
        let mut bytes = match self.rng.u8(..6) {
            0 => v4[2..].to_vec(),
            1 => v6[2..].to_vec(),
            2 => v6,
            3 => b"\x03\0\0abuse".to_vec(),
            // Of no family at all.
            4 => vec![self.rng.u8(4..); 2],
            _ => v4,
        };
        if ![4, 16].contains(&bytes.len()) {
            bytes.resize(128, 0);
        }
        let len = match self.rng.u8(..6) {
            // No length but these names an address, so what follows may be anything.
            0 => [0, 3, 5, 127, 129, 0xffff_ffff][self.rng.usize(..6)],
            _ => bytes.len() as u32,
        };
        let data = at as usize + 16;
        let pointer = match self.rng.u8(..12) {
            0 => self.wild() as u32,
            _ => data as u32,
        };
        place(at as usize, &words(&[pointer, len]));
        place(data, &bytes);
        at
    }

    /// The digits of some host or service, and how long they are.
    fn name(&mut self) -> (i64, i64) {
        let at = self.rng.i64(0x1000..0x2000);
        let names = [
            "127.0.0.1\0",
            "::1\0",
            "80\0",
            "\0",
            "4294967296\0",
            "65536\0",
        ];
        let name = names[self.rng.usize(..6)];
        place(at as usize, name.as_bytes());
        match self.rng.u8(..8) {
            0 => (self.wild(), 0),
            _ => (at, name.len() as i64 - 1),
        }
    }

    /// Anything, except that the first row is a clock that soon strikes.
    fn subscriptions(&mut self, good: bool) -> i64 {
        let at = self.pointer(good);
        let row = clock(1, self.rng.u64(1..1_000_000), 0);
        if at + 48 <= CELLAR as i64 {
            place(at as usize, &row);
            for index in 1..self.rng.i64(1..8) {
                let fd = self.fd("poll_oneoff") as i32;
                let at = (at + 48 * index) as usize;
                place(at + 8, &[self.rng.u8(..4)]);
                place(at + 16, &fd.to_le_bytes());
            }
        }
        at
    }
}

/// Any two, three or four of these bytes are a number below `REACH`, or one beyond the memory.
fn byte(rng: &mut Rng) -> u8 {
    match rng.u8(..3) {
        0 => rng.u8(0x81..),
        1 => rng.u8(..4),
        _ => 0,
    }
}

#[track_caller]
fn place(at: usize, bytes: &[u8]) {
    assert!(at + bytes.len() <= CELLAR);
    // SAFETY: that part of the stack is not in use, as `Abuser::new` has seen.
    unsafe { copy_to(at, bytes.as_ptr(), bytes.len()) };
}

fn peek(at: i64) -> i32 {
    // SAFETY: as for `place`; it is aligned and not the lowest address.
    unsafe { std::ptr::with_exposed_provenance::<i32>(at as usize).read_volatile() }
}

fn quietly(name: &str, args: &[i64]) -> i32 {
    // SAFETY: only calls that write to the lower half of the stack, or nowhere, come here.
    unsafe { Call::named(name).make(args) }
}

/// One page more of memory; the answer is where it begins.
#[cfg(target_arch = "wasm32")]
fn grow() -> usize {
    core::arch::wasm32::memory_grow::<0>(1) * PAGE
}

#[cfg(target_arch = "wasm32")]
fn memory_end() -> usize {
    core::arch::wasm32::memory_size::<0>() * PAGE
}

#[cfg(not(target_arch = "wasm32"))]
fn grow() -> usize {
    0
}

#[cfg(not(target_arch = "wasm32"))]
fn memory_end() -> usize {
    0
}
