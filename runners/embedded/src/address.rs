//! Addresses as they cross the border: 4, 16 or 128 bytes, and a port beside them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix};

use crate::calls::Context;
use crate::errno::{Answer, Errno, Stop};
use crate::host::{Host, INET4, INET6, UNIX};
use crate::memory::{Memory, Piece};

/// The size of an address with its family.
pub const STORAGE: usize = 128;
/// A Unix address has this much room for its path.
pub const PATH: usize = 108;

/// The system's own number of a family.
pub fn system(family: u32) -> Option<AddressFamily> {
    match family {
        INET4 => Some(AddressFamily::INET),
        INET6 => Some(AddressFamily::INET6),
        UNIX => Some(AddressFamily::UNIX),
        _ => None,
    }
}

/// Which generation of a call it is: the first knows bare IP addresses only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// An address that the guest passes.
#[derive(Debug, Clone)]
pub enum Address {
    Ip(SocketAddr),
    Unix(SocketAddrUnix),
}

/// Reads the address that `at` describes, for the socket `fd`; its port is a parameter of the
/// call.
pub fn read(context: &Context<'_>, version: Version, [fd, at, port]: [u64; 3]) -> Answer<Address> {
    let (host, memory) = (&*context.host, &context.memory);
    let piece = memory.piece(at as u32)?;
    let length = piece.length as usize;
    if !([4, 16].contains(&length) || length == STORAGE && version == Version::V2) {
        return Err(Errno::INVAL.into());
    }
    let bytes = memory.get(piece)?;
    // Longer ports are cut, as by WasmEdge.
    let port = port as u16;
    let ip = |ip: IpAddr| Ok(Address::Ip((ip, port).into()));
    match length {
        4 => return ip(four(bytes).into()),
        16 => return ip(sixteen(bytes).into()),
        _ => {}
    }
    match u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) {
        INET4 => ip(four(&bytes[2..]).into()),
        INET6 => ip(sixteen(&bytes[2..]).into()),
        // Of such an address, another family's socket looks at the family, after the length, and
        // WasmEdge's are all of full length.
        UNIX if host
            .socket(fd as u32)
            .is_some_and(|socket| socket.family != UNIX) =>
        {
            Ok(Address::Unix(SocketAddrUnix::new(&[b'?'; PATH - 1][..])?))
        }
        UNIX => Ok(Address::Unix(path(host, &bytes[2..2 + PATH])?)),
        _ if host.faultless() => Err(Errno::INVAL.into()),
        family => Err(Stop::Trap(format!(
            "WasmEdge ends here: an address of the unknown family {family}"
        ))),
    }
}

fn four(bytes: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])
}

fn sixteen(bytes: &[u8]) -> Ipv6Addr {
    let mut all = [0; 16];
    all.copy_from_slice(&bytes[..16]);
    all.into()
}

fn path(host: &Host, bytes: &[u8]) -> Answer<SocketAddrUnix> {
    let length = |bytes: &[u8]| {
        bytes
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(bytes.len())
    };
    if bytes[0] != 0 {
        return Ok(SocketAddrUnix::new(&bytes[..length(bytes)])?);
    }
    let name = &bytes[1..];
    // An abstract name is as long as its address says, and WasmEdge 0.14.1 and 0.17.1 always say
    // that all of it counts.
    let end = match host.faultless() {
        true => name
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1),
        false => name.len(),
    };
    if end == 0 {
        return Ok(SocketAddrUnix::new_unnamed());
    }
    Ok(SocketAddrUnix::new_abstract_name(&name[..end])?)
}

/// Whether the guest may use `address` at all.
pub fn permit(host: &Host, address: &Address) -> Answer {
    let Address::Ip(address) = address else {
        return Ok(());
    };
    let ip = address.ip().to_canonical();
    if host.rights.net || ip.is_loopback() {
        return Ok(());
    }
    Err(Errno::NOTCAPABLE.into())
}

/// An address that the guest is told: its family, its bytes and its port.
#[derive(Debug)]
pub struct Told {
    pub family: u32,
    pub bytes: Vec<u8>,
    pub port: u16,
}

pub fn told(address: &SocketAddrAny) -> Answer<Told> {
    if let Ok(ip) = SocketAddr::try_from(address.clone()) {
        let (family, bytes) = match ip.ip() {
            IpAddr::V4(ip) => (INET4, ip.octets().to_vec()),
            IpAddr::V6(ip) => (INET6, ip.octets().to_vec()),
        };
        let port = ip.port();
        return Ok(Told {
            family,
            bytes,
            port,
        });
    }
    let unix = SocketAddrUnix::try_from(address.clone()).map_err(|_| Errno::AFNOSUPPORT)?;
    let mut bytes = vec![0; PATH];
    if let Some(path) = unix.path_bytes() {
        let path = path.strip_suffix(&[0]).unwrap_or(path);
        bytes[..path.len()].copy_from_slice(path);
    } else if let Some(name) = unix.abstract_name() {
        bytes[1..=name.len()].copy_from_slice(name);
    }
    Ok(Told {
        family: UNIX,
        bytes,
        port: 0,
    })
}

impl Told {
    /// Writes family and bytes into the 128 bytes at `piece`.
    pub fn store(&self, memory: &mut Memory<'_>, piece: Piece) -> Result<(), Errno> {
        let room = memory.get_mut(piece)?;
        room[..2].copy_from_slice(&(self.family as u16).to_le_bytes());
        room[2..2 + self.bytes.len()].copy_from_slice(&self.bytes);
        Ok(())
    }

    /// Writes the bytes alone to `piece`, if they fit.
    pub fn store_bare(&self, memory: &mut Memory<'_>, piece: Piece) -> Result<(), Errno> {
        if let Some(room) = memory.get_mut(piece)?.get_mut(..self.bytes.len()) {
            room.copy_from_slice(&self.bytes);
        }
        Ok(())
    }
}
