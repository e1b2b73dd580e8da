//! Waits. Each ends by a writable socket, or by a clock: one far away if anything else is ready,
//! and a near one if not, so that it never depends on time which events there are.

use fastrand::Rng;

use super::{SPARE, pick};
use crate::world::{Arg, SLOTS, Show, World, clock, number};

pub(super) fn poll(world: &mut World, rng: &mut Rng) {
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
pub(super) fn wait(world: &mut World, rng: &mut Rng) {
    let near = match rng.u8(..4) {
        0 => clock(1, 0, 0),
        1 => clock(pick(rng, &[0, 1]), 1, 1),
        _ => clock(pick(rng, &[0, 1]), 1_000_000, 0),
    };
    let mut subs = vec![clock(1, 1 << 50, 0), clock(pick(rng, &[2, 7]), 5, 0)];
    subs.insert(rng.usize(..3), near);
    poll_for(world, "poll_oneoff", &subs);
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
