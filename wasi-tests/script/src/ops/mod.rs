//! The operations of a script. None blocks for long, none asks for what WasmEdge (0.14.1) answers
//! by aborting (too little room for some options, family 0), and none depends on time.

mod address;
mod ask;
mod data;
mod socket;
mod wait;

use fastrand::Rng;

use crate::world::{Arg, SLOTS, Show, Slot, Twist, World};
use socket::open_in;

/// A socket that can always be written to, after the slots of the script.
const SPARE: usize = SLOTS;

type Operation = fn(&mut World, &mut Rng);

/// So many of the first operations are of the first few kinds, for the others to have sockets.
const WARM_UP: usize = 24;
const BUILDERS: usize = 4;

/// How often each comes, in relation to the others.
const OPERATIONS: &[(usize, Operation)] = &[
    (7, socket::listener),
    (8, socket::datagram),
    (12, socket::dial),
    (8, socket::accept),
    (3, socket::open),
    (4, socket::bind),
    (3, socket::connect),
    (2, socket::listen),
    (20, data::send),
    (10, data::send_to),
    (16, data::recv),
    (12, data::recv_from),
    (4, data::shutdown),
    (6, ask::names),
    (6, ask::get_option),
    (7, ask::set_option),
    (3, ask::flags),
    (3, socket::close),
    (1, socket::renumber),
    (14, wait::poll),
    (2, wait::wait),
    (3, ask::look_up),
    (2, ask::standard),
];

pub fn prepare(world: &mut World) {
    // Before anything else, so that the host has what it needs to wait.
    world.settled();
    let mut random = world.call("random_get", &[Arg::Out(8, Show::Whether), Arg::Num(8)]);
    world.unique = random.outs.swap_remove(0);
    open_in(world, SPARE, 1, 1);
}

pub fn random(world: &mut World, rng: &mut Rng, aligned: bool) {
    let usual = if world.at.0 <= WARM_UP {
        &OPERATIONS[..BUILDERS]
    } else {
        OPERATIONS
    };
    let all: usize = usual.iter().map(|(weight, _)| weight).sum();
    let mut left = rng.usize(..all);
    world.twist = match rng.u8(..60) {
        _ if world.at.0 <= WARM_UP => Twist::None,
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
