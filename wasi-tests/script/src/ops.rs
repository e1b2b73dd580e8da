//! The operations of a script. None blocks for long, none makes what WasmEdge answers by aborting
//! (sizes of some options, family 0), and none depends on time: a wait ends by a writable socket,
//! or by a clock that is far away if anything else is ready, and alone in being ready if not.

use fastrand::Rng;

use crate::world::{Arg, FDSTAT, SLOTS, Show, Slot, Twist, World, clock, number, words};

/// A socket that can always be written to, after the slots of the script.
const SPARE: usize = SLOTS;
const NONBLOCK: i64 = 4;
/// Nobody listens there.
const NOBODY: u16 = 1;

type Operation = fn(&mut World, &mut Rng);

/// So many of the first operations are of the first few kinds, for the others to have sockets.
const WARM_UP: usize = 24;
const BUILDERS: usize = 4;

/// How often each comes, in relation to the others.
const OPERATIONS: &[(usize, Operation)] = &[
    (7, listener),
    (8, datagram),
    (12, dial),
    (8, accept),
    (3, open),
    (4, bind),
    (3, connect),
    (2, listen),
    (20, send),
    (10, send_to),
    (16, recv),
    (12, recv_from),
    (4, shutdown),
    (6, names),
    (6, get_option),
    (7, set_option),
    (3, flags),
    (3, close),
    (1, renumber),
    (14, poll),
    (2, wait),
    (3, look_up),
    (2, standard),
];

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn any_slot(rng: &mut Rng) -> Arg {
    match rng.u8(..40) {
        0 => Arg::Stdin,
        _ => Arg::Slot(rng.usize(..SLOTS)),
    }
}

/// The first such slot from a random one on; now and then, or if there is none, just any.
fn near(world: &World, rng: &mut Rng, such: impl Fn(&Slot) -> bool) -> usize {
    let start = rng.usize(..SLOTS);
    if rng.u8(..8) == 0 {
        return start;
    }
    let mut slots = (start..start + SLOTS).map(|slot| slot % SLOTS);
    slots
        .find(|slot| such(&world.slots[*slot]))
        .unwrap_or(start)
}

fn is_listener(slot: &Slot) -> bool {
    slot.bound.is_some() && slot.kind == 2 && !slot.linked
}

fn is_free(slot: &Slot) -> bool {
    slot.fd.is_none()
}

fn can_talk(slot: &Slot) -> bool {
    slot.linked || slot.kind == 1
}

pub fn prepare(world: &mut World) {
    // Before anything else, so that the host has what it needs to wait.
    world.settled();
    let mut random = world.call("random_get", &[Arg::Out(8, Show::Whether), Arg::Num(8)]);
    world.unique = random.outs.swap_remove(0);
    open_in(world, SPARE, 1, 1);
}

pub fn random(world: &mut World, rng: &mut Rng, aligned: bool) {
    let usual = if world.at.0 < WARM_UP {
        &OPERATIONS[..BUILDERS]
    } else {
        OPERATIONS
    };
    let all: usize = usual.iter().map(|(weight, _)| weight).sum();
    let mut left = rng.usize(..all);
    world.twist = match rng.u8(..60) {
        _ if world.at.0 < WARM_UP => Twist::None,
        0 | 1 => Twist::Wild(rng.usize(..8)),
        2 if !aligned => Twist::Skewed,
        _ => Twist::None,
    };
    for (weight, operation) in usual {
        if left < *weight {
            operation(world, rng);
            break;
        }
        left -= weight;
    }
    world.twist = Twist::None;
    world.settled();
}

// Sockets come and go.

fn open_in(world: &mut World, slot: usize, family: u32, kind: u32) {
    empty(world, slot);
    let args = [i64::from(family), i64::from(kind)].map(Arg::Num);
    let [family_arg, kind_arg] = args;
    let out = Arg::Out(4, Show::Whether);
    let answer = world.call("sock_open", &[family_arg, kind_arg, out]);
    let new = Slot {
        family,
        kind,
        ..Slot::default()
    };
    fill(world, slot, new, &answer.outs, answer.errno);
}

/// Makes room for a socket; the call that is to be twisted is another.
fn empty(world: &mut World, slot: usize) {
    let twist = std::mem::replace(&mut world.twist, Twist::None);
    if world.slots[slot].fd.is_some() {
        close_slot(world, slot);
    }
    world.twist = twist;
}

/// As the first of several calls: the twist is for the next.
fn open_first(world: &mut World, slot: usize, family: u32, kind: u32) {
    let twist = std::mem::replace(&mut world.twist, Twist::None);
    open_in(world, slot, family, kind);
    world.twist = twist;
}

/// Puts a new descriptor in its slot, and makes it non-blocking.
fn fill(world: &mut World, slot: usize, new: Slot, outs: &[Vec<u8>], errno: i32) {
    if errno == 0 && !outs[0].is_empty() {
        let fd = Some(number(&outs[0]) as i32);
        world.slots[slot] = Slot { fd, ..new };
        set_flags(world, slot, NONBLOCK);
    }
}

fn set_flags(world: &mut World, slot: usize, flags: i64) {
    world.call("fd_fdstat_set_flags", &[Arg::Slot(slot), Arg::Num(flags)]);
}

fn close_slot(world: &mut World, slot: usize) {
    world.call("fd_close", &[Arg::Slot(slot)]);
    world.slots[slot] = Slot::default();
}

fn open(world: &mut World, rng: &mut Rng) {
    let family = pick(rng, &[1, 1, 1, 2, 2, 3, 3, 0, 4, 255]);
    let kind = pick(rng, &[1, 1, 1, 2, 2, 2, 0, 3, 5]);
    open_in(world, rng.usize(..SLOTS), family, kind);
}

fn close(world: &mut World, rng: &mut Rng) {
    let slot = rng.usize(..SLOTS);
    let fd = world.fd(slot);
    close_slot(world, slot);
    // Once more: the number is nobody's until the next socket is opened.
    match rng.u8(..4) {
        0 => drop(world.call("fd_close", &[Arg::Gone(fd)])),
        1 => drop(world.call("sock_shutdown", &[Arg::Gone(fd), Arg::Num(3)])),
        2 => drop(world.call("fd_fdstat_get", &[Arg::Gone(fd), Arg::Out(24, FDSTAT)])),
        _ => {}
    }
}

fn renumber(world: &mut World, rng: &mut Rng) {
    let (from, to) = (rng.usize(..SLOTS), rng.usize(..SLOTS));
    if from == to {
        return;
    }
    let answer = world.call("fd_renumber", &[Arg::Slot(from), Arg::Slot(to)]);
    if answer.errno == 0 {
        let moved = std::mem::take(&mut world.slots[from]);
        let fd = world.slots[to].fd;
        world.slots[to] = Slot { fd, ..moved };
    }
}

// Addresses.

/// As the second version has them: a family and what it says.
fn storage(family: u16, address: &[u8]) -> Vec<u8> {
    let mut bytes = family.to_le_bytes().to_vec();
    bytes.extend_from_slice(address);
    bytes.resize(128, 0);
    bytes
}

fn loopback6() -> [u8; 16] {
    let mut address = [0; 16];
    address[15] = 1;
    address
}

fn unix_name(world: &World, rng: &mut Rng) -> Vec<u8> {
    let digit = rng.u8(..5);
    match rng.u8(..4) {
        // Abstract names are the whole machine's.
        0 => [b"\0", world.unique.as_slice(), &[b'0' + digit]].concat(),
        1 => [b"no/".as_slice(), &[b'0' + digit]].concat(),
        _ => vec![b'u', b'0' + digit],
    }
}

/// An address for a socket of this family, or of another, in any of the forms there are.
fn address(world: &World, rng: &mut Rng, family: u32, here: bool) -> Arg {
    let family = if rng.u8(..20) == 0 {
        rng.u32(1..=3)
    } else {
        family
    };
    if rng.u8(..24) == 0 {
        let len = pick(rng, &[0, 3, 5, 15, 17, 127, 129]);
        return Arg::Addr(vec![0; len as usize], len);
    }
    let mut v4 = pick(rng, &[[127, 0, 0, 1], [127, 0, 0, 1], [127, 0, 0, 2]]).to_vec();
    let mut v6 = loopback6().to_vec();
    if here && rng.u8(..6) == 0 {
        // Any address; one of documentation, which nobody has; one that needs a scope.
        v4 = pick(rng, &[[0, 0, 0, 0], [192, 0, 2, 1]]).to_vec();
        v6[15] = 0;
        v6[0] = pick(rng, &[0, 0xfe]);
        v6[1] = v6[0] & 0x80;
    }
    let bytes = match family {
        1 if rng.bool() => v4,
        1 => storage(1, &v4),
        2 if rng.bool() => v6,
        2 => storage(2, &v6),
        _ => storage(3, &unix_name(world, rng)),
    };
    let len = bytes.len() as u32;
    Arg::Addr(bytes, len)
}

/// Where some slot is bound, or somewhere else.
fn destination(world: &World, rng: &mut Rng, family: u32) -> (Arg, Arg) {
    let there = world.slots[rng.usize(..SLOTS)].bound.clone();
    match there {
        Some((bytes, port)) if rng.u8(..8) > 0 => {
            let bytes = match bytes[0] {
                1 if rng.bool() => bytes[2..6].to_vec(),
                2 if rng.bool() => bytes[2..18].to_vec(),
                _ => bytes,
            };
            let len = bytes.len() as u32;
            (Arg::Addr(bytes, len), Arg::Port(port))
        }
        _ => (address(world, rng, family, false), Arg::Port(NOBODY)),
    }
}

fn version(rng: &mut Rng, plain: &'static str, second: &'static str) -> &'static str {
    pick(rng, &[plain, second, second])
}

/// As a rule the second one for addresses that only it knows.
fn version_for(rng: &mut Rng, address: &Arg, name: [&'static str; 2]) -> &'static str {
    match address {
        Arg::Addr(_, 128) if rng.u8(..8) > 0 => name[1],
        _ => version(rng, name[0], name[1]),
    }
}

fn bind_slot(world: &mut World, rng: &mut Rng, slot: usize, port: Arg) -> bool {
    let family = world.slots[slot].family.clamp(1, 3);
    let address = address(world, rng, family, true);
    let name = version_for(rng, &address, ["sock_bind", "sock_bind_v2"]);
    let fresh = matches!(port, Arg::Port(0) | Arg::Num(_));
    let bound = world.call(name, &[Arg::Slot(slot), address, port]);
    if bound.errno == 0 {
        world.fresh_port = fresh;
        learn(world, slot);
    }
    bound.errno == 0
}

/// Asks where the slot is bound, for others to connect to.
fn learn(world: &mut World, slot: usize) {
    let unix = world.slots[slot].family == 3;
    let port = if unix { Show::Ignored } else { Show::Port };
    let room = Arg::AddrOut(128, Show::Hex);
    let args = [Arg::Slot(slot), room, Arg::Out(4, port)];
    let answer = world.call("sock_getlocaladdr_v2", &args);
    world.fresh_port = false;
    let family = answer.outs[0].first().copied().unwrap_or_default();
    if answer.errno == 0 && (1..4).contains(&family) {
        let port = number(&answer.outs[1]) as u16;
        world.slots[slot].bound = Some((answer.outs[0].clone(), port));
    }
}

fn bind(world: &mut World, rng: &mut Rng) {
    let other = world.slots[rng.usize(..SLOTS)].bound.clone();
    let port = match (rng.u8(..3), other) {
        (0, Some((_, port))) => Arg::Port(port),
        (1, _) => Arg::Num(0x1_0000),
        _ => Arg::Port(0),
    };
    let slot = rng.usize(..SLOTS);
    bind_slot(world, rng, slot, port);
}

fn listener(world: &mut World, rng: &mut Rng) {
    let slot = near(world, rng, is_free);
    open_first(world, slot, pick(rng, &[1, 1, 2, 3]), 2);
    if rng.bool() {
        let on = Arg::Put(words(&[1]), "1".into());
        let args = [Arg::Slot(slot), Arg::Num(0), Arg::Num(0), on, Arg::Num(4)];
        world.call("sock_setsockopt", &args);
    }
    if bind_slot(world, rng, slot, Arg::Port(0)) {
        listen_on(world, rng, slot);
    }
}

fn listen_on(world: &mut World, rng: &mut Rng, slot: usize) {
    let backlogs: &[i64] = match world.slots[slot].family {
        // A full queue is no error at once with TCP.
        1 | 2 => &[64, 128, 0x7fff_ffff, -1],
        _ => &[0, 1, 2, 64, -1],
    };
    let name = version(rng, "sock_listen", "sock_listen_v2");
    world.call(name, &[Arg::Slot(slot), Arg::Num(pick(rng, backlogs))]);
}

fn listen(world: &mut World, rng: &mut Rng) {
    let slot = rng.usize(..SLOTS);
    listen_on(world, rng, slot);
}

fn datagram(world: &mut World, rng: &mut Rng) {
    let slot = near(world, rng, is_free);
    open_first(world, slot, pick(rng, &[1, 1, 2, 3]), 1);
    bind_slot(world, rng, slot, Arg::Port(0));
    if rng.bool() {
        connect_slot(world, rng, slot);
    }
}

fn connect_slot(world: &mut World, rng: &mut Rng, slot: usize) {
    let family = world.slots[slot].family.clamp(1, 3);
    let (address, port) = destination(world, rng, family);
    let name = version_for(rng, &address, ["sock_connect", "sock_connect_v2"]);
    world.call(name, &[Arg::Slot(slot), address, port]);
    world.settled();
}

fn connect(world: &mut World, rng: &mut Rng) {
    let slot = rng.usize(..SLOTS);
    connect_slot(world, rng, slot);
}

/// A new stream to a listener, if that slot is one.
fn dial(world: &mut World, rng: &mut Rng) {
    let (slot, listener) = (near(world, rng, is_free), near(world, rng, is_listener));
    let Some((bytes, port)) = world.slots[listener].bound.clone() else {
        return connect_slot(world, rng, slot);
    };
    if slot == listener {
        return;
    }
    open_first(world, slot, u32::from(bytes[0]), 2);
    let len = bytes.len() as u32;
    let args = [Arg::Slot(slot), Arg::Addr(bytes, len), Arg::Port(port)];
    let errno = world.call("sock_connect_v2", &args).errno;
    world.slots[slot].linked = matches!(errno, 0 | 26);
    world.settled();
    if rng.u8(..3) > 0 {
        accept_from(world, rng, listener);
    }
}

fn accept(world: &mut World, rng: &mut Rng) {
    let from = near(world, rng, is_listener);
    accept_from(world, rng, from);
}

fn accept_from(world: &mut World, rng: &mut Rng, from: usize) {
    let to = near(world, rng, is_free);
    if to == from {
        return;
    }
    empty(world, to);
    let name = pick(rng, &["sock_accept", "sock_accept_3", "sock_accept_v2"]);
    let mut args = vec![Arg::Slot(from), Arg::Out(4, Show::Whether)];
    if name != "sock_accept" {
        args.insert(1, Arg::Num(pick(rng, &[0, 0, 4, 4, 1, 2, 32])));
    }
    let answer = world.call(name, &args);
    let Slot { family, kind, .. } = world.slots[from];
    let new = Slot {
        family,
        kind,
        linked: true,
        ..Slot::default()
    };
    fill(world, to, new, &answer.outs, answer.errno);
}

// Data.

fn pieces(rng: &mut Rng, lens: &[usize]) -> Vec<Vec<u8>> {
    let count = pick(rng, &[0, 1, 1, 1, 2, 3]);
    let mut piece = || (0..pick(rng, lens)).map(|_| rng.u8(..)).collect();
    (0..count).map(|_| piece()).collect()
}

fn send(world: &mut World, rng: &mut Rng) {
    let slot = near(world, rng, can_talk);
    world.before_send(slot);
    let data = Arg::Send(pieces(rng, &[0, 1, 3, 10, 64, 64, 300]));
    let count = count_of(&data);
    let flags = Arg::Num(pick(rng, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
    let name = version(rng, "sock_send", "sock_send_v2");
    let out = Arg::Out(4, Show::Number);
    world.call(name, &[Arg::Slot(slot), data, count, flags, out]);
}

fn send_to(world: &mut World, rng: &mut Rng) {
    let slot = near(world, rng, can_talk);
    world.before_send(slot);
    let data = match rng.u8(..20) {
        // More than a datagram holds.
        0 => Arg::Send(vec![vec![7; 9000]; 5]),
        _ => Arg::Send(pieces(rng, &[0, 1, 3, 10, 64, 300])),
    };
    let count = count_of(&data);
    let family = world.slots[slot].family.clamp(1, 3);
    let (address, port) = destination(world, rng, family);
    let name = version_for(rng, &address, ["sock_send_to", "sock_send_to_v2"]);
    let flags = Arg::Num(pick(rng, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 2]));
    let out = Arg::Out(4, Show::Number);
    let args = [Arg::Slot(slot), data, count, address, port, flags, out];
    world.call(name, &args);
}

fn count_of(list: &Arg) -> Arg {
    Arg::Num(match list {
        Arg::Send(pieces) => pieces.len() as i64,
        Arg::Recv(lens) => lens.len() as i64,
        _ => 0,
    })
}

/// Buffers, their number, and flags.
fn room(rng: &mut Rng) -> [Arg; 3] {
    let lens: &[u32] = match rng.u8(..10) {
        0 => &[],
        1 => &[0],
        2 => &[2],
        3 => &[5, 0, 5],
        4 => &[1; 1025],
        _ => &[2000, 2000],
    };
    let buffers = Arg::Recv(lens.to_vec());
    let count = count_of(&buffers);
    [
        buffers,
        count,
        Arg::Num(pick(rng, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4])),
    ]
}

fn recv(world: &mut World, rng: &mut Rng) {
    let slot = Arg::Slot(near(world, rng, can_talk));
    let [buffers, count, flags] = room(rng);
    let len = Arg::Out(4, Show::Received);
    if rng.u8(..8) == 0 {
        world.call("fd_read", &[slot, buffers, count, len]);
        return;
    }
    let name = version(rng, "sock_recv", "sock_recv_v2");
    let truncated = Arg::Out(2, Show::Number);
    world.call(name, &[slot, buffers, count, flags, len, truncated]);
}

fn recv_from(world: &mut World, rng: &mut Rng) {
    let slot = near(world, rng, can_talk);
    let [buffers, count, flags] = room(rng);
    // On streams there is no address, and of an unnamed Unix socket no family.
    let (show, port) = match world.slots[slot] {
        Slot { kind: 2, .. } => (Show::Ignored, Show::Ignored),
        Slot { family: 3, .. } => (Show::Unix, Show::Ignored),
        _ => (Show::Hex, Show::NetPort),
    };
    let len = match rng.u8(..6) {
        0 => pick(rng, &[4, 16, 0, 5, 129]),
        _ => 128,
    };
    let address = Arg::AddrOut(len, show);
    let slot = Arg::Slot(slot);
    let len = Arg::Out(4, Show::Received);
    let truncated = Arg::Out(2, Show::Number);
    let name = pick(
        rng,
        &["sock_recv_from", "sock_recv_from_8", "sock_recv_from_v2"],
    );
    let mut args = vec![slot, buffers, count, address, flags, len, truncated];
    if name != "sock_recv_from" {
        args.insert(5, Arg::Out(2, port));
    }
    world.call(name, &args);
}

fn shutdown(world: &mut World, rng: &mut Rng) {
    let how = Arg::Num(pick(rng, &[0, 1, 1, 2, 2, 3, 3, 4]));
    world.call("sock_shutdown", &[any_slot(rng), how]);
}

// Questions.

fn names(world: &mut World, rng: &mut Rng) {
    let slot = any_slot(rng);
    let unix = matches!(slot, Arg::Slot(slot) if world.slots[slot].family == 3);
    let port = if unix { Show::Ignored } else { Show::Port };
    let name = pick(
        rng,
        &[
            "sock_getlocaladdr",
            "sock_getlocaladdr_3",
            "sock_getlocaladdr_v2",
            "sock_getpeeraddr",
            "sock_getpeeraddr_3",
            "sock_getpeeraddr_v2",
        ],
    );
    let first = !name.contains("addr_");
    let usual = if first { 16 } else { 128 };
    let len = match rng.u8(..4) {
        0 => pick(rng, &[4, 16, 128, 0, 5, 127, 129]),
        _ => usual,
    };
    let mut args = vec![slot, Arg::AddrOut(len, Show::Hex), Arg::Out(4, port)];
    if first {
        args.insert(2, Arg::Out(4, Show::Number));
    }
    world.call(name, &args);
}

/// Levels and names of options, most of which are there.
fn option(rng: &mut Rng) -> (i64, i64) {
    let level = pick(rng, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 6, 41, -1]);
    let name = match rng.u8(..10) {
        0 => pick(rng, &[15, 99, -1]),
        _ => rng.i64(0..15),
    };
    (level, name)
}

fn get_option(world: &mut World, rng: &mut Rng) {
    let slot = any_slot(rng);
    let (level, name) = option(rng);
    let len = match name {
        // With less than that WasmEdge aborts.
        1 | 2 => pick(rng, &[4, 4, 8]),
        _ => pick(rng, &[4, 4, 8, 16, 16, 2, 0, 20]),
    };
    let is_tcp = matches!(slot, Arg::Slot(slot) if world.slots[slot].is_tcp());
    // The kernel changes the sizes of a stream's buffers as it goes.
    let show = match name {
        5 | 6 if is_tcp => Show::Whether,
        _ => Show::Hex,
    };
    let value = Arg::Out(len, show);
    let args = [
        slot,
        Arg::Num(level),
        Arg::Num(name),
        value,
        Arg::InOut(len as u32),
    ];
    world.call("sock_getsockopt", &args);
}

fn set_option(world: &mut World, rng: &mut Rng) {
    let (level, name) = option(rng);
    let value = match name {
        // What is too small would make it a matter of time how much can be sent.
        5 | 6 => words(&[pick(rng, &[0x8000, 0x1_0000, 0x4_0000, u32::MAX])]),
        9 => words(&[pick(rng, &[0, 1]), pick(rng, &[0, 1])]),
        10 => words(&[pick(rng, &[0, 1, 8, 64])]),
        11 | 12 => words(&[pick(rng, &[0, 1]), 0, pick(rng, &[0, 5000, 2_000_000]), 0]),
        14 => b"no such device".to_vec(),
        _ => words(&[pick(rng, &[0, 1, 1, 7])]),
    };
    let len = match rng.u8(..8) {
        0 => pick(rng, &[0, 1, 3]),
        1 => pick(rng, &[4, 8]).min(value.len() as i64),
        _ => value.len() as i64,
    };
    let told = format!("{value:?}");
    let value = Arg::Put(value, told);
    let args = [
        any_slot(rng),
        Arg::Num(level),
        Arg::Num(name),
        value,
        Arg::Num(len),
    ];
    world.call("sock_setsockopt", &args);
}

fn flags(world: &mut World, rng: &mut Rng) {
    let slot = rng.usize(..SLOTS);
    let new = pick(rng, &[0, 0, 4, 4, 2, 16, 20, 12, 32]);
    set_flags(world, slot, new);
    world.call("fd_fdstat_get", &[Arg::Slot(slot), Arg::Out(24, FDSTAT)]);
    set_flags(world, slot, NONBLOCK);
}

/// Calls that a socket has no right to, or no use for.
fn standard(world: &mut World, rng: &mut Rng) {
    let slot = any_slot(rng);
    let out = |len| Arg::Out(len, Show::Hex);
    match rng.u8(..6) {
        0 => world.call("fd_filestat_get", &[slot, out(64)]),
        1 => world.call("fd_tell", &[slot, out(8)]),
        2 => world.call("fd_sync", &[slot]),
        3 => world.call("fd_datasync", &[slot]),
        4 => world.call("fd_seek", &[slot, Arg::Num(0), Arg::Num(1), out(8)]),
        _ => world.call("fd_prestat_get", &[slot, out(8)]),
    };
}

// Waiting.

/// A subscription: to a slot, or one that is wrong.
fn subscription(world: &World, rng: &mut Rng, index: u64) -> Vec<u8> {
    let slot = rng.usize(..SLOTS);
    let tag = rng.u8(1..3);
    let mut sub = match rng.u8(..24) {
        // A clock that may not be waited for, one that is absolute and far, and a strange flag.
        0 => clock(pick(rng, &[2, 3, 4]), 1, 0),
        1 => clock(pick(rng, &[0, 1]), u64::MAX, 1),
        2 => clock(1, 1 << 60, 2),
        3 => fd_sub(0, tag),
        4 => fd_sub(world.fd(slot), 3),
        _ => fd_sub(world.fd(slot), tag),
    };
    // Which events are a stream's is needed when they are told.
    let tcp = u64::from(world.slots[slot].is_tcp());
    let userdata = index | tcp << 8 | rng.u64(..) << 32;
    sub[..8].copy_from_slice(&userdata.to_le_bytes());
    sub
}

fn fd_sub(fd: i32, tag: u8) -> Vec<u8> {
    let mut sub = vec![0; 48];
    sub[8] = tag;
    sub[16..20].copy_from_slice(&fd.to_le_bytes());
    sub
}

/// A wait for these; the answer is the events.
fn poll_for(world: &mut World, name: &str, subs: &[Vec<u8>]) -> Vec<u8> {
    let count = subs.len();
    let told = |sub: &Vec<u8>| {
        let fd = number(&sub[16..20]) as i32;
        let slot = (0..=SLOTS).find(|slot| world.fd(*slot) == fd);
        match (sub[8], slot) {
            (0, _) => format!("clock {} {:x}", fd, number(&sub[24..32])),
            (tag, Some(slot)) => format!("{}s{slot}", [' ', 'r', 'w', '?'][tag as usize % 4]),
            (tag, None) => format!("{}0", [' ', 'r', 'w', '?'][tag as usize % 4]),
        }
    };
    let told: Vec<String> = subs.iter().map(told).collect();
    let subs = Arg::Put(subs.concat(), told.join(" "));
    let events = Arg::Out(32 * count, Show::Events);
    let count = Arg::Num(count as i64);
    let args = [subs, events, count, Arg::Out(4, Show::Number)];
    world.call(name, &args).outs.swap_remove(0)
}

fn poll(world: &mut World, rng: &mut Rng) {
    let name = pick(rng, &["poll_oneoff", "poll_oneoff", "epoll_oneoff"]);
    let count = rng.u64(1..9);
    let mut subs: Vec<_> = (1..=count).map(|n| subscription(world, rng, n)).collect();
    let end = rng.usize(..subs.len());
    // Its own index is 0.
    subs.insert(end, fd_sub(world.fd(SPARE), 2));
    let events = poll_for(world, name, &subs);
    world.settled();
    if rng.u8(..4) == 0 && !events.is_empty() {
        let of_slot = |event: &[u8]| event[0] != 0 && event[0] != crate::arena::FILL;
        let ready = events
            .chunks(32)
            .any(|event| of_slot(event) && event[8..10] == [0, 0]);
        let ms = if ready { 20_000 } else { 40 };
        subs[end] = clock(1, ms * 1_000_000, 0);
        poll_for(world, name, &subs);
    }
}

/// One near clock, and others that are wrong or far.
fn wait(world: &mut World, rng: &mut Rng) {
    let near = match rng.u8(..4) {
        0 => clock(1, 0, 0),
        1 => clock(pick(rng, &[0, 1]), 1, 1),
        _ => clock(pick(rng, &[0, 1]), 1_000_000, 0),
    };
    let mut subs = vec![clock(1, 1 << 50, 0), clock(pick(rng, &[2, 7]), 5, 0)];
    subs.insert(rng.usize(..3), near);
    poll_for(world, "poll_oneoff", &subs);
}

/// Names that need no server, and of whose kind there is exactly one answer.
fn look_up(world: &mut World, rng: &mut Rng) {
    world.twist = Twist::None;
    let hosts = [
        "127.0.0.1",
        "::1",
        "localhost",
        "",
        "10.1.2.3",
        "::ffff:1.2.3.4",
        "fe80::1",
    ];
    let host = pick(rng, &hosts);
    let service = pick(rng, &["80", "443", "", "65535", "0", "no-such"]);
    let (flags, family) = (pick(rng, &[0, 1, 4, 5, 12, 0x80]), rng.u8(..3));
    let (kind, protocol) = (rng.u8(1..3), rng.u8(..3));
    let mut hints = vec![0; 28];
    hints[0] = flags;
    hints[2..5].copy_from_slice(&[family, kind, protocol]);
    let results = rng.usize(..4);
    let told = format!("flags {flags} family {family} kind {kind} protocol {protocol}");
    let text = |text: &str| Arg::Put([text.as_bytes(), &[0]].concat(), format!("{text:?}"));
    let len = |text: &str| Arg::Num(text.len() as i64);
    let (chain, limit) = (Arg::Chain(results), Arg::Num(results as i64));
    let hints = Arg::Put(hints, told);
    let out = Arg::Out(4, Show::Number);
    let (node, node_len) = (text(host), len(host));
    let (name, name_len) = (text(service), len(service));
    let args = [node, node_len, name, name_len, hints, chain, limit, out];
    world.call("sock_getaddrinfo", &args);
}
