//! Addresses, subscriptions and events, taken apart. What is in the guest's memory may be anything.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::names;
use super::value::{Value, quoted};
use crate::address::STORAGE;
use crate::errno::Errno;
use crate::host::{INET4, INET6, UNIX};
use crate::memory::Memory;
use crate::poll::{EVENT, Event, SUBSCRIPTION, Subscription, Wanted};

/// So many subscriptions, events or pieces are shown.
pub const SHOWN: u32 = 32;

/// The room for a Unix path in an address.
const PATH: usize = 108;

/// An address of 4, 16 or 128 bytes, if it is one. Not every call tells a port.
pub fn address(bytes: &[u8], port: Option<u16>) -> Option<Value> {
    match bytes.len() {
        4 => ip(bytes, port),
        16 => ip(bytes, port),
        STORAGE => match u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) {
            INET4 => ip(&bytes[2..6], port),
            INET6 => ip(&bytes[2..18], port),
            UNIX => Some(Value::Word(unix(&bytes[2..2 + PATH]))),
            family => Some(Value::Fields(vec![(
                "family",
                Value::Number(family.into()),
            )])),
        },
        _ => None,
    }
}

fn ip(bytes: &[u8], port: Option<u16>) -> Option<Value> {
    let four = <[u8; 4]>::try_from(bytes).map(|four| Ipv4Addr::from(four).into());
    let sixteen = || <[u8; 16]>::try_from(bytes).map(|sixteen| Ipv6Addr::from(sixteen).into());
    let ip = four.or_else(|_| sixteen()).ok()?;
    Some(Value::Word(match port {
        Some(port) => SocketAddr::new(ip, port).to_string(),
        None => ip.to_string(),
    }))
}

fn unix(path: &[u8]) -> String {
    let ended = |path: &[u8]| {
        let end = path.iter().position(|byte| *byte == 0);
        quoted(&path[..end.unwrap_or(path.len())])
    };
    let abstract_end = path.iter().rposition(|byte| *byte != 0);
    match (path[0], abstract_end) {
        (_, None) => "unix:unnamed".into(),
        (0, Some(last)) => format!("unix:@{}", quoted(&path[1..=last])),
        _ => format!("unix:{}", ended(path)),
    }
}

pub fn subscriptions(memory: &Memory<'_>, at: u32, count: u32) -> Result<Value, Errno> {
    memory.array(at, count, SUBSCRIPTION, 8)?;
    let one = |index| subscription(memory, at + SUBSCRIPTION * index);
    list(one, count)
}

/// The events that the host says it has told; no more than there is room for.
pub fn events(memory: &Memory<'_>, at: u32, room: u32, found: u32) -> Result<Value, Errno> {
    memory.array(at, room, EVENT, 8)?;
    let one = |index| Event::read(memory, at + EVENT * index).map(event);
    list(one, room.min(found))
}

fn list(one: impl Fn(u32) -> Result<Value, Errno>, count: u32) -> Result<Value, Errno> {
    Ok(Value::List {
        head: (0..count.min(SHOWN)).map(one).collect::<Result<_, _>>()?,
        length: count.into(),
    })
}

fn subscription(memory: &Memory<'_>, at: u32) -> Result<Value, Errno> {
    let read = Subscription::read(memory, at)?;
    let mut fields = vec![("userdata", Value::Opaque(read.userdata))];
    fields.extend(match read.wanted {
        Wanted::Clock {
            id,
            timeout,
            absolute,
        } => {
            let name = if absolute { "at" } else { "timeout" };
            vec![
                ("clock", names::one_of(names::CLOCKS, id.into())),
                (name, Value::Nanos(timeout)),
            ]
        }
        Wanted::Read(fd) => vec![("read", Value::Number(fd.into()))],
        Wanted::Write(fd) => vec![("write", Value::Number(fd.into()))],
        Wanted::Nothing(_) => {
            let [tag]: [u8; 1] = memory.read(at + 8, 1)?;
            vec![("invalid", names::one_of(names::EVENTS, tag.into()))]
        }
    });
    Ok(Value::Fields(fields))
}

fn event(event: Event) -> Value {
    let kind = names::one_of(names::EVENTS, event.kind.into());
    let mut fields = vec![("userdata", Value::Opaque(event.userdata)), ("type", kind)];
    if event.error != Errno::SUCCESS {
        fields.push(("error", Value::Word(event.error.name())));
    }
    if event.nbytes != 0 {
        fields.push(("nbytes", Value::Number(event.nbytes)));
    }
    if event.flags != 0 {
        let flags = names::flags(names::EVENT_FLAGS, event.flags.into());
        fields.push(("flags", flags));
    }
    Value::Fields(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], port: u16) -> String {
        address(bytes, Some(port)).unwrap().to_string()
    }

    fn storage(family: u16, bytes: &[u8]) -> [u8; STORAGE] {
        let mut all = [0; STORAGE];
        all[..2].copy_from_slice(&family.to_le_bytes());
        all[2..2 + bytes.len()].copy_from_slice(bytes);
        all
    }

    #[test]
    fn addresses_of_every_family() {
        assert_eq!(shown(&[127, 0, 0, 1], 80), "127.0.0.1:80");
        let mut loopback = [0; 16];
        loopback[15] = 1;
        assert_eq!(shown(&loopback, 80), "[::1]:80");
        assert_eq!(address(&loopback, None).unwrap().to_string(), "::1");
        assert_eq!(shown(&storage(1, &[10, 0, 0, 7]), 9), "10.0.0.7:9");
        assert_eq!(shown(&storage(2, &loopback), 9), "[::1]:9");
        assert_eq!(shown(&storage(3, b"/tmp/x\0rest"), 0), r#"unix:"/tmp/x""#);
        assert_eq!(shown(&storage(3, b"\0na\0me"), 0), r#"unix:@"na\x00me""#);
        assert_eq!(shown(&storage(3, &[]), 0), "unix:unnamed");
        assert_eq!(shown(&storage(3, &[b'x'; 126]), 0).len(), 5 + 110);
        assert_eq!(shown(&storage(0xdead, &[]), 0), "{family=57005}");
        assert_eq!(address(&[1, 2, 3], None), None);
    }
}
