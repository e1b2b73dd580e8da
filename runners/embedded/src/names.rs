//! Names and addresses: `sock_getaddrinfo`, by the system's own resolver.

use std::io;
use std::net::SocketAddr;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo as resolve};

use crate::calls::Context;
use crate::errno::{Answer, Errno, Stop};
use crate::host::{INET4, INET6};

/// What the guest writes about each answer's size.
const ADDRINFO: u32 = 28;
/// The structure that an answer points to, and the bytes that this one points to.
const SOCKADDR: u32 = 12;
const DATA4: usize = 14;
const DATA6: usize = 26;

/// The node has no address of the family that is asked for: glibc's own number.
const ADDRESS_FAMILY: i32 = -9;

/// Passive 1, canonname 2, numeric host 4, numeric service 8, v4mapped 16, all 32, config 64.
const KNOWN_FLAGS: u16 = 0x7f;
const PASSIVE: u16 = 1;
const NUMERIC_HOST: u16 = 4;
const NUMERIC_SERVICE: u16 = 8;

struct Hints {
    flags: u16,
    family: u8,
    kind: u8,
    protocol: u8,
}

pub fn getaddrinfo(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let arg = |index: usize| args[index] as u32;
    let node = context.memory.text(arg(0), arg(1))?;
    let service = context.memory.text(arg(2), arg(3))?;
    if node.is_empty() && service.is_empty() {
        return Err(Errno::AINONAME.into());
    }
    let (most, found) = (arg(6), arg(7));
    if most == 0 {
        return Err(Errno::AIMEMORY.into());
    }
    let hints = read_hints(context, arg(4))?;
    let first = context.memory.u32(arg(5))?;
    context.memory.writable(found, 4)?;
    check(context, &node, &hints)?;
    let list = look_up(&node, &service, &hints)?;
    let told = list.len().min(most as usize);
    let mut at = first;
    for (address, kind) in &list[..told] {
        at = write(context, at, hints.flags, (*address, *kind))?;
    }
    Ok(context.memory.set_u32(found, told as u32)?)
}

fn read_hints(context: &Context<'_>, at: u32) -> Answer<Hints> {
    let bytes: [u8; ADDRINFO as usize] = context.memory.read(at, 4)?;
    let flags = u16::from_le_bytes([bytes[0], bytes[1]]);
    Ok(Hints {
        flags,
        family: bytes[2],
        kind: bytes[3],
        protocol: bytes[4],
    })
}

/// What is refused before anybody is asked.
fn check(context: &Context<'_>, node: &str, hints: &Hints) -> Answer {
    if hints.flags & !KNOWN_FLAGS != 0 {
        return Err(Errno::AIBADFLAG.into());
    }
    if u32::from(hints.family) > INET6 {
        return Err(Errno::AIFAMILY.into());
    }
    match hints.kind {
        1 | 2 => {}
        // The resolver then tells of raw sockets too, a number that WasmEdge does not have.
        0 if !context.host.faultless() => {
            let why = "WasmEdge ends here: sock_getaddrinfo for any type of socket";
            return Err(Stop::Trap(why.into()));
        }
        0 => {}
        _ => return Err(Errno::AISOCKTYPE.into()),
    }
    let local = node.is_empty() || node == "localhost" || node.parse::<std::net::IpAddr>().is_ok();
    if !local && hints.flags & NUMERIC_HOST == 0 && !context.host.rights.net {
        // Other names are asked of the network.
        return Err(Errno::AIFAIL.into());
    }
    Ok(())
}

fn look_up(node: &str, service: &str, hints: &Hints) -> Answer<Vec<(SocketAddr, u8)>> {
    let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let bit = |ours: u16, systems: i32| if hints.flags & ours != 0 { systems } else { 0 };
    let asked = AddrInfoHints {
        flags: bit(PASSIVE, libc::AI_PASSIVE)
            | bit(NUMERIC_HOST, libc::AI_NUMERICHOST)
            | bit(NUMERIC_SERVICE, libc::AI_NUMERICSERV)
            | bit(16, libc::AI_V4MAPPED)
            | bit(32, libc::AI_ALL)
            | bit(64, libc::AI_ADDRCONFIG),
        address: match u32::from(hints.family) {
            INET4 => libc::AF_INET,
            INET6 => libc::AF_INET6,
            _ => libc::AF_UNSPEC,
        },
        socktype: match hints.kind {
            1 => SockType::DGram.into(),
            2 => SockType::Stream.into(),
            _ => 0,
        },
        protocol: match hints.protocol {
            1 => libc::IPPROTO_TCP,
            2 => libc::IPPROTO_UDP,
            _ => 0,
        },
    };
    let answers = resolve(some(node), some(service), Some(asked)).map_err(|error| {
        let errno = match error.kind() {
            _ if error.error_num() == ADDRESS_FAMILY => Errno::AIADDRFAMILY,
            LookupErrorKind::Again => Errno::AIAGAIN,
            LookupErrorKind::Badflags => Errno::AIBADFLAG,
            LookupErrorKind::NoName | LookupErrorKind::NoData => Errno::AINONAME,
            LookupErrorKind::Service => Errno::AISERVICE,
            LookupErrorKind::Family => Errno::AIFAMILY,
            LookupErrorKind::Socktype => Errno::AISOCKTYPE,
            LookupErrorKind::Memory => Errno::AIMEMORY,
            LookupErrorKind::System => Errno::AISYSTEM,
            _ => Errno::AIFAIL,
        };
        Stop::Errno(errno)
    })?;
    let kind = |number| match number {
        number if number == libc::SOCK_DGRAM => Some(1),
        number if number == libc::SOCK_STREAM => Some(2),
        // Raw sockets are nothing that a guest could open.
        _ => None,
    };
    let answers: Vec<_> = answers
        .collect::<io::Result<_>>()
        .map_err(|_| Errno::AISYSTEM)?;
    let known = answers
        .iter()
        .filter_map(|answer| Some((answer.sockaddr, kind(answer.socktype)?)));
    Ok(known.collect())
}

/// Fills the guest's structure at `at`, and tells where the next one is.
fn write(
    context: &mut Context<'_>,
    at: u32,
    flags: u16,
    (address, kind): (SocketAddr, u8),
) -> Answer<u32> {
    let memory = &mut context.memory;
    memory.array(at, 1, ADDRINFO, 4)?;
    let [sockaddr, next] = [memory.u32(at + 12)?, memory.u32(at + 24)?];
    memory.array(sockaddr, 1, SOCKADDR, 4)?;
    let data = memory.u32(sockaddr + 8)?;
    let (family, length, mut bytes) = match address {
        SocketAddr::V4(address) => {
            let mut bytes = vec![0; DATA4];
            bytes[2..6].copy_from_slice(&address.ip().octets());
            (INET4, size_of::<libc::sockaddr_in>(), bytes)
        }
        SocketAddr::V6(address) => {
            let mut bytes = vec![0; DATA6];
            bytes[6..22].copy_from_slice(&address.ip().octets());
            bytes[22..].copy_from_slice(&address.scope_id().to_ne_bytes());
            (INET6, size_of::<libc::sockaddr_in6>(), bytes)
        }
    };
    bytes[..2].copy_from_slice(&address.port().to_be_bytes());
    let protocol = if kind == 2 { 1 } else { 2 };
    let [low, high] = flags.to_le_bytes();
    memory.write(at, 1, &[low, high, family as u8, kind, protocol])?;
    // The system's own size, with the family that the guest finds elsewhere.
    memory.set_u32(at + 8, length as u32)?;
    // No name is told.
    memory.set_u32(at + 20, 0)?;
    memory.write(sockaddr, 1, &[family as u8])?;
    memory.set_u32(sockaddr + 4, bytes.len() as u32)?;
    memory.write(data, 1, &bytes)?;
    Ok(next)
}
