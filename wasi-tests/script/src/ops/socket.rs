//! Sockets come, are bound and connected, and go.

use fastrand::Rng;

use super::address::{address, destination, version, version_for};
use super::{is_free, is_listener, near, pick};
use crate::world::{Arg, FDSTAT, SLOTS, Show, Slot, Twist, World, number, words};

pub const NONBLOCK: i64 = 4;

pub(super) fn open(world: &mut World, rng: &mut Rng) {
    let family = pick(rng, &[1, 1, 1, 2, 2, 3, 3, 0, 4, 255]);
    let kind = pick(rng, &[1, 1, 1, 2, 2, 2, 0, 3, 5]);
    open_in(world, rng.usize(..SLOTS), family, kind);
}

pub(super) fn open_in(world: &mut World, slot: usize, family: u32, kind: u32) {
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

/// As the first of several calls: the twist is for the next.
fn open_first(world: &mut World, slot: usize, family: u32, kind: u32) {
    let twist = std::mem::replace(&mut world.twist, Twist::None);
    open_in(world, slot, family, kind);
    world.twist = twist;
}

/// Makes room for a socket; the call that is to be twisted is another.
fn empty(world: &mut World, slot: usize) {
    let twist = std::mem::replace(&mut world.twist, Twist::None);
    if world.slots[slot].fd.is_some() {
        close_slot(world, slot);
    }
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

pub(super) fn set_flags(world: &mut World, slot: usize, flags: i64) {
    world.call("fd_fdstat_set_flags", &[Arg::Slot(slot), Arg::Num(flags)]);
}

pub(super) fn close(world: &mut World, rng: &mut Rng) {
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

fn close_slot(world: &mut World, slot: usize) {
    world.call("fd_close", &[Arg::Slot(slot)]);
    world.slots[slot] = Slot::default();
}

pub(super) fn renumber(world: &mut World, rng: &mut Rng) {
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

pub(super) fn bind(world: &mut World, rng: &mut Rng) {
    let other = world.slots[rng.usize(..SLOTS)].bound.clone();
    let port = match (rng.u8(..3), other) {
        (0, Some((_, port))) => Arg::Port(port),
        (1, _) => Arg::Num(0x1_0000),
        _ => Arg::Port(0),
    };
    let slot = rng.usize(..SLOTS);
    bind_slot(world, rng, slot, port);
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
        // A path has none, and WasmEdge writes anything.
        let port = if unix {
            0
        } else {
            number(&answer.outs[1]) as u16
        };
        world.slots[slot].bound = Some((answer.outs[0].clone(), port));
    }
}

pub(super) fn listener(world: &mut World, rng: &mut Rng) {
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

pub(super) fn listen(world: &mut World, rng: &mut Rng) {
    let slot = rng.usize(..SLOTS);
    listen_on(world, rng, slot);
}

pub(super) fn datagram(world: &mut World, rng: &mut Rng) {
    let slot = near(world, rng, is_free);
    open_first(world, slot, pick(rng, &[1, 1, 2, 3]), 1);
    bind_slot(world, rng, slot, Arg::Port(0));
    if rng.bool() {
        connect_slot(world, rng, slot);
    }
}

pub(super) fn connect(world: &mut World, rng: &mut Rng) {
    let slot = rng.usize(..SLOTS);
    connect_slot(world, rng, slot);
}

fn connect_slot(world: &mut World, rng: &mut Rng, slot: usize) {
    let (address, port, _) = destination(world, rng, slot);
    let name = version_for(rng, &address, ["sock_connect", "sock_connect_v2"]);
    world.call(name, &[Arg::Slot(slot), address, port]);
    world.settled();
}

/// A new stream to a listener, if that slot is one.
pub(super) fn dial(world: &mut World, rng: &mut Rng) {
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

pub(super) fn accept(world: &mut World, rng: &mut Rng) {
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
