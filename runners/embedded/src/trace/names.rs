//! Names for the numbers that calls take: preview 1's, and WasmEdge's.

use super::value::Value;

pub const FAMILIES: &[&str] = &["UNSPEC", "INET4", "INET6", "UNIX"];
pub const SOCKET_TYPES: &[&str] = &["ANY", "DGRAM", "STREAM"];
pub const CLOCKS: &[&str] = &["REALTIME", "MONOTONIC", "PROCESS_CPUTIME", "THREAD_CPUTIME"];
pub const EVENTS: &[&str] = &["clock", "read", "write"];
pub const OPTIONS: &[&str] = &[
    "SO_REUSEADDR",
    "SO_TYPE",
    "SO_ERROR",
    "SO_DONTROUTE",
    "SO_BROADCAST",
    "SO_SNDBUF",
    "SO_RCVBUF",
    "SO_KEEPALIVE",
    "SO_OOBINLINE",
    "SO_LINGER",
    "SO_RCVLOWAT",
    "SO_RCVTIMEO",
    "SO_SNDTIMEO",
    "SO_ACCEPTCONN",
    "SO_BINDTODEVICE",
];

/// Flags, from the lowest bit on.
pub const FD_FLAGS: &[&str] = &["APPEND", "DSYNC", "NONBLOCK", "RSYNC", "SYNC"];
pub const RECEIVE_FLAGS: &[&str] = &["PEEK", "WAITALL"];
pub const SEND_FLAGS: &[&str] = &[];
pub const HOW: &[&str] = &["RD", "WR"];
pub const EVENT_FLAGS: &[&str] = &["HANGUP"];

/// The name of `number`, if it has one.
pub fn one_of(names: &[&str], number: u64) -> Value {
    let name = usize::try_from(number).ok().and_then(|at| names.get(at));
    name.map_or(Value::Number(number), |name| Value::word(*name))
}

/// The names of all bits of `number`; those without a name are a number of their own.
pub fn flags(names: &[&str], number: u64) -> Value {
    if number == 0 {
        return Value::Number(0);
    }
    let set = |bit: usize| number & 1 << bit != 0;
    let named = names.iter().enumerate().filter(|(bit, _)| set(*bit));
    let mut words: Vec<String> = named.map(|(_, name)| (*name).into()).collect();
    let unknown = number >> names.len() << names.len();
    if unknown != 0 {
        words.push(format!("{unknown:#x}"));
    }
    Value::Word(words.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_a_number() {
        assert_eq!(one_of(FAMILIES, 3), Value::word("UNIX"));
        assert_eq!(one_of(FAMILIES, 4), Value::Number(4));
        assert_eq!(one_of(FAMILIES, u64::MAX), Value::Number(u64::MAX));
        assert_eq!(flags(FD_FLAGS, 0), Value::Number(0));
        assert_eq!(flags(FD_FLAGS, 4), Value::word("NONBLOCK"));
        assert_eq!(flags(FD_FLAGS, 0x105), Value::word("APPEND|NONBLOCK|0x100"));
        assert_eq!(flags(SEND_FLAGS, 1), Value::word("0x1"));
        assert_eq!(flags(HOW, 3), Value::word("RD|WR"));
        assert_eq!(
            flags(HOW, u64::MAX),
            Value::word("RD|WR|0xfffffffffffffffc")
        );
    }
}
