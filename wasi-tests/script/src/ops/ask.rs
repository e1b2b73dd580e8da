//! Questions: names, options, flags, and what a socket has no right to.

use fastrand::Rng;

use super::socket::{NONBLOCK, set_flags};
use super::{any_slot, pick};
use crate::world::{Arg, FDSTAT, SLOTS, Show, Twist, World, words};

pub(super) fn names(world: &mut World, rng: &mut Rng) {
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

pub(super) fn get_option(world: &mut World, rng: &mut Rng) {
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

pub(super) fn set_option(world: &mut World, rng: &mut Rng) {
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

pub(super) fn flags(world: &mut World, rng: &mut Rng) {
    let slot = rng.usize(..SLOTS);
    let new = pick(rng, &[0, 0, 4, 4, 2, 16, 20, 12, 32]);
    set_flags(world, slot, new);
    world.call("fd_fdstat_get", &[Arg::Slot(slot), Arg::Out(24, FDSTAT)]);
    set_flags(world, slot, NONBLOCK);
}

/// Calls that a socket has no right to, or no use for.
pub(super) fn standard(world: &mut World, rng: &mut Rng) {
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

/// Names that need no server, and of whose kind there is exactly one answer.
pub(super) fn look_up(world: &mut World, rng: &mut Rng) {
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
