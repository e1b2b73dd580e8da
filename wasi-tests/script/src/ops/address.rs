//! Addresses in every form that there is, right and wrong, and who listens to what form.

use fastrand::Rng;

use super::{near, pick};
use crate::world::{Arg, Slot, World};

/// Nobody listens there.
const NOBODY: u16 = 1;

/// An address for a socket of this family, or of another, in any of the forms there are.
pub(super) fn address(world: &World, rng: &mut Rng, family: u32, here: bool) -> Arg {
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

/// Where some slot of the same kind is bound, or somewhere else; and that slot.
pub(super) fn destination(world: &World, rng: &mut Rng, from: usize) -> (Arg, Arg, usize) {
    let Slot { family, kind, .. } = world.slots[from];
    let alike = |slot: &Slot| slot.family == family && slot.kind == kind && slot.bound.is_some();
    let there = near(world, rng, alike);
    match world.slots[there].bound.clone() {
        Some((bytes, port)) if rng.u8(..8) > 0 => {
            let bytes = match bytes[0] {
                1 if rng.bool() => bytes[2..6].to_vec(),
                2 if rng.bool() => bytes[2..18].to_vec(),
                _ => bytes,
            };
            let len = bytes.len() as u32;
            (Arg::Addr(bytes, len), Arg::Port(port), there)
        }
        _ => {
            let address = address(world, rng, family.clamp(1, 3), false);
            (address, Arg::Port(NOBODY), there)
        }
    }
}

pub(super) fn version(rng: &mut Rng, plain: &'static str, second: &'static str) -> &'static str {
    pick(rng, &[plain, second, second])
}

/// As a rule the second one for addresses that only it knows.
pub(super) fn version_for(rng: &mut Rng, address: &Arg, name: [&'static str; 2]) -> &'static str {
    match address {
        Arg::Addr(_, 128) if rng.u8(..8) > 0 => name[1],
        _ => version(rng, name[0], name[1]),
    }
}

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
