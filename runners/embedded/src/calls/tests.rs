//! Hostile guests: every call with arguments of every sort, right ones among them. Whatever a guest
//! does, it is answered or ended, and the host goes on. Nothing leaves this machine, and no
//! address is used that is not the guest's own.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};
use rustix::net::{AddressFamily, SocketFlags, SocketType, getsockname, socketpair};
use wasmtime_wasi::WasiCtxBuilder;

use super::*;
use crate::adversary::Adversary;
use crate::errno::Stop;
use crate::host::{As, INET4, INET6, Rights, UNIX};

const GUESTS: u64 = 300;
/// Of each guest.
const CALLS_MADE: usize = 600;
/// So often it gets new sockets, as it spoils the old ones.
const FURNISHED: usize = 100;
const PAGE: usize = 1 << 16;
/// So few that there is an end of them.
const SOCKETS: usize = 48;

const STREAM: SocketType = SocketType::STREAM;
const DGRAM: SocketType = SocketType::DGRAM;

/// A guest, and what it is about to do.
struct Guest {
    host: Host,
    bytes: Vec<u8>,
    rng: StdRng,
    told: String,
}

impl Guest {
    fn new(seed: u64) -> Guest {
        let mut rng = StdRng::seed_from_u64(seed);
        let rights = Rights {
            net: false,
            af_unix: true,
        };
        let imitated = [As::Faultless, As::WasmEdge014][seed as usize % 2];
        let wasi = WasiCtxBuilder::new().args(&["guest"]).build_p1();
        let mut host = Host::new(wasi, rights, imitated);
        host.most = SOCKETS;
        // Whatever would block is ended at once.
        host.deadline = Some(Instant::now());
        if seed.is_multiple_of(3) {
            host.adversary = Some(Adversary::of_seed(seed, &[]));
        }
        let mut bytes = vec![0; PAGE * rng.random_range(1..=3)];
        rng.fill_bytes(&mut bytes);
        Guest {
            host,
            bytes,
            rng,
            told: String::new(),
        }
    }

    /// Gives it sockets with something to do, in place of those it has.
    fn furnish(&mut self) -> io::Result<()> {
        self.close_all();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        let second = TcpStream::connect(listener.local_addr()?)?;
        let udp = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("[::1]:0")?];
        for socket in &udp {
            socket.send_to(b"datagram", socket.local_addr()?)?;
        }
        let flags = SocketFlags::NONBLOCK;
        let mut all: Vec<(OwnedFd, u32, SocketType)> = Vec::new();
        all.extend([listener.into(), client.into(), second.into()].map(|fd| (fd, INET4, STREAM)));
        let [udp4, udp6] = udp;
        all.extend([(udp4.into(), INET4, DGRAM), (udp6.into(), INET6, DGRAM)]);
        for kind in [STREAM, DGRAM] {
            let (one, other) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
            rustix::io::write(&one, b"some data")?;
            all.extend([(one, UNIX, kind), (other, UNIX, kind)]);
        }
        for (fd, family, kind) in all {
            rustix::io::ioctl_fionbio(&fd, true)?;
            let number = self.host.insert(fd, family, kind);
            let socket = self.host.socket_mut(number).expect("it is new");
            socket.nonblocking = self.rng.random_ratio(3, 4);
        }
        Ok(())
    }

    fn close_all(&mut self) {
        let open: Vec<u32> = self.host.sockets.keys().copied().collect();
        let (host, bytes) = (&mut self.host, &mut self.bytes);
        let memory = Memory {
            bytes,
            aligned: true,
        };
        let mut context = Context { host, memory };
        for fd in open {
            wasi::close(&mut context, &[fd.into()]).expect("it is open");
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.choose(&mut self.rng).expect("there are some")
    }

    fn one_in(&mut self, times: u32) -> bool {
        self.rng.random_ratio(1, times)
    }

    fn number(&mut self) -> u32 {
        match self.rng.random_range(0..8) {
            0 => self.rng.random(),
            1 => self.pick(&[
                u32::MAX,
                i32::MAX as u32,
                i32::MIN as u32,
                1024,
                1025,
                1 << 16,
            ]),
            _ => self.rng.random_range(0..16),
        }
    }

    fn fd(&mut self) -> u32 {
        let mut open: Vec<u32> = self.host.sockets.keys().copied().collect();
        open.sort_unstable();
        match self.rng.random_range(0..12) {
            0 => self.number(),
            1 => self.rng.random_range(0..4),
            _ => open.choose(&mut self.rng).copied().unwrap_or_default(),
        }
    }

    /// One of the guest's own, or one that nobody listens at.
    fn port(&mut self) -> u32 {
        let fd = self.fd();
        let own = self.host.socket(fd).and_then(|socket| {
            let address: SocketAddr = getsockname(socket).ok()?.try_into().ok()?;
            Some(address.port().into())
        });
        match own {
            Some(port) if !self.one_in(8) => port,
            _ => self.pick(&[0, 0, 1, 1 << 16]),
        }
    }

    /// A place that has so much room, as a rule.
    fn place(&mut self, room: usize) -> u32 {
        let end = self.bytes.len();
        match self.rng.random_range(0..48) {
            0 => self.rng.random(),
            1 => (end as u32)
                .wrapping_add(self.rng.random_range(0..64))
                .wrapping_sub(48),
            2 => u32::MAX - self.rng.random_range(0..64),
            3 => self.rng.random_range(0..end) as u32,
            _ => self.rng.random_range(0..=(end - room.min(end)) / 8) as u32 * 8,
        }
    }

    /// Puts `content` somewhere, if that is in memory at all.
    fn put(&mut self, content: &[u8]) -> u32 {
        let at = self.place(content.len());
        let place = (at as usize).checked_add(content.len());
        if let Some(room) = place.and_then(|end| self.bytes.get_mut(at as usize..end)) {
            room.copy_from_slice(content);
        }
        at
    }

    fn put_words(&mut self, words: &[u32]) -> u32 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes)
    }

    fn address(&mut self) -> u32 {
        let mut bytes = [0; 128];
        let family = self.pick(&[INET4, INET4, INET6, UNIX]);
        bytes[0] = if self.one_in(200) { 9 } else { family as u8 };
        match family {
            INET4 => bytes[2..6].copy_from_slice(&[127, 0, 0, 1]),
            INET6 => bytes[17] = 1,
            // A name without a file.
            _ => bytes[3] = self.rng.random_range(b'a'..=b'd'),
        }
        let (bytes, size) = match self.rng.random_range(0..8) {
            0..3 => (&bytes[2..6], 4),
            3 => (&bytes[2..18], 16),
            4 => (&bytes[..], self.number()),
            _ => (&bytes[..], 128),
        };
        let at = self.put(bytes);
        self.put_words(&[at, size])
    }

    fn room_for_address(&mut self) -> u32 {
        let size = self.pick(&[128, 128, 128, 16, 4, 0, 5, 108, 129, u32::MAX]);
        let at = self.place(128);
        self.put_words(&[at, size])
    }

    fn pieces(&mut self) -> u32 {
        let mut list = Vec::new();
        for _ in 0..self.rng.random_range(0..4) {
            let size = self.pick(&[0, 1, 64, 3000, 70_000]);
            list.extend([self.place(size as usize), size]);
        }
        if self.one_in(16) {
            let number = self.number();
            list.push(number);
        }
        self.put_words(&list)
    }

    fn subscriptions(&mut self) -> u32 {
        let mut list = Vec::new();
        for _ in 0..self.rng.random_range(1..6) {
            let (tag, clock) = (self.pick(&[0, 1, 1, 2, 2, 2, 3, 255]), self.number());
            let id = if tag == 0 { clock } else { self.fd() };
            let time = self.pick(&[0, 0, 1, 1_000_000, u32::MAX]);
            let (high, flags) = (self.pick(&[0, 0, u32::MAX]), self.number());
            let data = self.number();
            list.extend([data, data, tag, 0, id, 0, time, high, 0, 0, flags, 0]);
        }
        self.put_words(&list)
    }

    /// What a look-up asks for, and the links that its answer is to fill.
    fn hints(&mut self) -> u32 {
        let kind = if self.one_in(100) {
            0
        } else {
            self.rng.random_range(1..3)
        };
        let flags = self.pick(&[0, 0, 1, 4, 8, 0x7f, 0x80]);
        let family = self.pick(&[0, 0, 0, 1, 2, 5]);
        self.put_words(&[flags | family << 16 | kind << 24, 0, 0, 0, 0, 0, 0])
    }

    fn links(&mut self) -> u32 {
        let mut next = self.place(28);
        for _ in 0..3 {
            let data = self.place(26);
            let address = self.put_words(&[0, 26, data]);
            next = self.put_words(&[0, 0, 0, address, 0, 0, next]);
        }
        self.put_words(&[next])
    }

    fn argument(&mut self, call: &Call, param: &Param) -> u64 {
        if param.kind == Kind::Long {
            return self.rng.random_range(0..9_u64).wrapping_sub(1);
        }
        let short = match (call.name, param.name, param.kind) {
            ("sock_getaddrinfo", "hints", _) => self.hints(),
            ("sock_getaddrinfo", "list", _) => self.links(),
            ("sock_getaddrinfo", "service", _) => self.put(b"80"),
            ("sock_getaddrinfo", "node_len", _) => self.pick(&[9, 9, 9, 3, 0]),
            ("sock_getaddrinfo", "service_len", _) => self.pick(&[2, 2, 0, 3]),
            ("sock_setsockopt", "len", _) => self.pick(&[4, 4, 4, 8, 16, 0, 3]),
            // The other levels are one answer.
            (_, "level", _) if !self.one_in(8) => 0,
            ("sock_getsockopt", "len", _) => {
                let size = self.pick(&[4, 4, 4, 16, 0, 3, 300]);
                self.put_words(&[size])
            }
            (_, _, Kind::Fd) => self.fd(),
            (_, _, Kind::Port) => self.port(),
            (_, _, Kind::Family | Kind::SocketType) if !self.one_in(16) => {
                self.rng.random_range(1..3)
            }
            (_, _, Kind::FdFlags) => self.pick(&[0, 4, 4, 4, 5, 32]),
            (_, _, Kind::ReceiveFlags | Kind::SendFlags) => self.pick(&[0, 0, 0, 0, 0, 0, 1, 2, 9]),
            (_, _, Kind::Pieces | Kind::Room) => self.pieces(),
            (_, _, Kind::Address) => self.address(),
            (_, _, Kind::Peer) => self.room_for_address(),
            (_, _, Kind::Subscriptions) => self.subscriptions(),
            (_, _, Kind::Text) => {
                let text = self.pick(&["localhost", "127.0.0.1", "::1", "80", "x", "\0"]);
                self.put(text.as_bytes())
            }
            (_, _, Kind::Bytes | Kind::Events | Kind::Pointer | Kind::OutFd | Kind::Out(_)) => {
                self.place(64)
            }
            _ => self.number(),
        };
        short.into()
    }

    /// Makes one call, which must come back.
    fn call(&mut self, call: &'static Call) -> Answer {
        let args: Vec<u64> = call
            .params
            .iter()
            .map(|param| self.argument(call, param))
            .collect();
        self.told = format!("{} {args:x?} on {:?}", call.name, self.host.host);
        let memory = Memory {
            aligned: self.host.faultless(),
            bytes: &mut self.bytes,
        };
        let host = &mut self.host;
        (call.run)(&mut Context { host, memory }, &args)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the host fell over {}", self.told);
        } else {
            self.close_all();
        }
    }
}

/// How often a call has succeeded, has failed, and has ended the guest.
type Counts = BTreeMap<String, [u32; 3]>;

fn count(counts: &mut Counts, call: &Call, answer: &Answer) {
    let name = format!("{}/{}", call.name, call.params.len());
    let which = match answer {
        Ok(()) => 0,
        Err(Stop::Errno(_)) => 1,
        Err(Stop::Exit(_) | Stop::Trap(_)) => 2,
    };
    counts.entry(name).or_default()[which] += 1;
}

#[test]
fn no_arguments_make_the_host_panic() {
    let mut counts = Counts::new();
    for seed in 0..GUESTS {
        let mut guest = Guest::new(seed);
        for number in 0..CALLS_MADE {
            if number % FURNISHED == 0 {
                guest.furnish().expect("sockets can be made");
            }
            let call = CALLS.choose(&mut guest.rng).expect("there are calls");
            let ends = ["fd_close", "fd_renumber", "sock_shutdown"];
            if ends.contains(&call.name) && !guest.one_in(4) {
                continue;
            }
            let answer = guest.call(call);
            count(&mut counts, call, &answer);
        }
    }
    // If one never succeeded, it was not tried in earnest; nobody here has files.
    let in_vain = |(name, counts): &(&String, &[u32; 3])| {
        let elsewhere = ["path_", "fd_", "proc_"];
        counts[0] == 0 && !elsewhere.iter().any(|group| name.starts_with(group))
    };
    let in_vain: Vec<_> = counts.iter().filter(in_vain).collect();
    assert!(
        in_vain.is_empty(),
        "never succeeded: {in_vain:?} of {counts:?}"
    );
    assert_eq!(counts.len(), CALLS.len());
}
