//! Data is sent and received.

use fastrand::Rng;

use super::address::{destination, version, version_for};
use super::{any_slot, can_talk, near, pick};
use crate::world::{Arg, Show, World};

pub(super) fn send(world: &mut World, rng: &mut Rng) {
    let slot = near(world, rng, can_talk);
    world.before_send(slot);
    let data = Arg::Send(pieces(rng, &[0, 1, 3, 10, 64, 64, 300]));
    let count = count_of(&data);
    let flags = Arg::Num(pick(rng, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
    let name = version(rng, "sock_send", "sock_send_v2");
    let out = Arg::Out(4, Show::Number);
    world.call(name, &[Arg::Slot(slot), data, count, flags, out]);
}

pub(super) fn send_to(world: &mut World, rng: &mut Rng) {
    let slot = near(world, rng, can_talk);
    world.before_send(slot);
    let data = match rng.u8(..20) {
        // More than a datagram holds.
        0 => Arg::Send(vec![vec![7; 9000]; 5]),
        _ => Arg::Send(pieces(rng, &[0, 1, 3, 10, 64, 300])),
    };
    let count = count_of(&data);
    let (address, port, there) = destination(world, rng, slot);
    let name = version_for(rng, &address, ["sock_send_to", "sock_send_to_v2"]);
    let flags = Arg::Num(pick(rng, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 2]));
    let out = Arg::Out(4, Show::Number);
    let args = [Arg::Slot(slot), data, count, address, port, flags, out];
    if world.call(name, &args).errno == 0 {
        world.sent_to = Some(there);
    }
}

fn pieces(rng: &mut Rng, lens: &[usize]) -> Vec<Vec<u8>> {
    let count = pick(rng, &[0, 1, 1, 1, 2, 3]);
    let mut piece = || (0..pick(rng, lens)).map(|_| rng.u8(..)).collect();
    (0..count).map(|_| piece()).collect()
}

fn count_of(list: &Arg) -> Arg {
    Arg::Num(match list {
        Arg::Send(pieces) => pieces.len() as i64,
        Arg::Recv(lens) => lens.len() as i64,
        _ => 0,
    })
}

pub(super) fn recv(world: &mut World, rng: &mut Rng) {
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

pub(super) fn recv_from(world: &mut World, rng: &mut Rng) {
    let sent_to = world.sent_to.take();
    let slot = sent_to.unwrap_or_else(|| near(world, rng, can_talk));
    let [buffers, count, flags] = room(rng);
    let name = pick(
        rng,
        &["sock_recv_from", "sock_recv_from_8", "sock_recv_from_v2"],
    );
    // On streams there is no address. Of an unnamed Unix socket WasmEdge (0.14.1) gives no family,
    // and its first version gives what lay about in its memory.
    let (show, port) = match (world.slots[slot].family, world.slots[slot].kind) {
        (_, 2) => (Show::Ignored, Show::Ignored),
        (3, _) if name == "sock_recv_from" => (Show::Ignored, Show::Ignored),
        (3, _) => (Show::Unix, Show::Ignored),
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
    let mut args = vec![slot, buffers, count, address, flags, len, truncated];
    if name != "sock_recv_from" {
        args.insert(5, Arg::Out(2, port));
    }
    world.call(name, &args);
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

pub(super) fn shutdown(world: &mut World, rng: &mut Rng) {
    let how = Arg::Num(pick(rng, &[0, 1, 1, 2, 2, 3, 3, 4]));
    world.call("sock_shutdown", &[any_slot(rng), how]);
}
