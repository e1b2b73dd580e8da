//! The arguments of one call by the table of calls: what goes in is read before the call, what
//! comes out after it. Whatever cannot be read is shown as the pointer that it is.

use super::names;
use super::structures::{self, SHOWN};
use super::value::Value;
use crate::calls::{Call, Kind};
use crate::errno::Errno;
use crate::memory::{Memory, Piece, room};

/// Names and paths are cut later than data.
const TEXT: usize = 256;
/// No option's value is longer.
const OPTION: u32 = 256;

/// An argument before the call.
#[derive(Debug)]
enum Begun {
    Known(Value),
    /// The host may fill these.
    Room(Vec<Piece>),
    /// The host may write an address here.
    Peer(Piece),
    /// The host may write what the parameter's kind says.
    Out,
}

/// A call whose arguments were looked at before it was made.
#[derive(Debug)]
pub struct Decoded {
    call: &'static Call,
    args: Vec<u64>,
    begun: Vec<Begun>,
    most: usize,
}

impl Decoded {
    /// Reads what goes in. Of data, `most` bytes are kept.
    pub fn before(call: &'static Call, args: &[u64], memory: &Memory<'_>, most: usize) -> Decoded {
        let mut decoded = Decoded {
            call,
            args: args.to_vec(),
            begun: Vec::new(),
            most,
        };
        decoded.begun = (0..call.params.len())
            .map(|at| decoded.begin(at, memory))
            .collect();
        decoded
    }

    /// The arguments that are known before the call, up to the first that is not.
    pub fn known(&self) -> impl Iterator<Item = &Value> {
        self.begun.iter().map_while(|begun| match begun {
            Begun::Known(value) => Some(value),
            _ => None,
        })
    }

    /// All arguments by their names; what the host tells counts only if the call has succeeded.
    pub fn after(&self, memory: &Memory<'_>, succeeded: bool) -> Vec<(&'static str, Value)> {
        let value = |at| {
            let told = succeeded.then(|| self.finish(at, memory)).flatten();
            told.map_or_else(|| self.untold(at), Value::told)
        };
        let names = self.call.params.iter().map(|param| param.name);
        names.zip((0..).map(value)).collect()
    }

    /// The descriptor that a call which has succeeded has opened.
    pub fn opened(&self, memory: &Memory<'_>) -> Option<u32> {
        let kinds = self.call.params.iter().map(|param| param.kind);
        let at = kinds.into_iter().position(|kind| kind == Kind::OutFd)?;
        memory.read(self.low(at), 1).map(u32::from_le_bytes).ok()
    }

    fn low(&self, at: usize) -> u32 {
        self.args[at] as u32
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.call.params.get(at).map(|param| param.kind)
    }

    fn begin(&self, at: usize, memory: &Memory<'_>) -> Begun {
        let arg = self.args[at];
        let name = |names| Begun::Known(names::one_of(names, arg));
        let flags = |names| Begun::Known(names::flags(names, arg));
        let read = |value: Option<Value>| Begun::Known(value.unwrap_or(Value::Pointer(arg as u32)));
        match self.call.params[at].kind {
            Kind::Fd | Kind::Number | Kind::Long | Kind::Port | Kind::Count => {
                Begun::Known(Value::Number(arg))
            }
            Kind::Pointer => Begun::Known(Value::Pointer(arg as u32)),
            Kind::Family => name(names::FAMILIES),
            Kind::SocketType => name(names::SOCKET_TYPES),
            Kind::Clock => name(names::CLOCKS),
            Kind::OptionName => name(names::OPTIONS),
            Kind::FdFlags => flags(names::FD_FLAGS),
            Kind::ReceiveFlags => flags(names::RECEIVE_FLAGS),
            Kind::SendFlags => flags(names::SEND_FLAGS),
            Kind::How => flags(names::HOW),
            Kind::Text => read(self.text(at, memory)),
            Kind::Pieces => read(self.pieces(at, memory)),
            Kind::Address => read(self.address(at, memory)),
            Kind::Subscriptions => read(self.subscriptions(at, memory)),
            Kind::Value if self.kind(at + 1) == Some(Kind::Count) => {
                read(option(memory, self.low(at), self.low(at + 1)))
            }
            Kind::Room => match memory.pieces(self.low(at), self.low(at + 1)) {
                Ok(pieces) => Begun::Room(pieces),
                Err(_) => read(None),
            },
            Kind::Peer => match memory.piece(self.low(at)) {
                Ok(piece) => Begun::Peer(piece),
                Err(_) => read(None),
            },
            Kind::Bytes | Kind::Value | Kind::Events | Kind::Out(_) | Kind::OutFd => Begun::Out,
        }
    }

    /// What the host has written; `None` where nothing can be read, and for what goes in.
    fn finish(&self, at: usize, memory: &Memory<'_>) -> Option<Value> {
        match (&self.begun[at], self.kind(at)?) {
            (Begun::Room(pieces), _) => {
                let length = self.length(memory).unwrap_or_default();
                Some(self.gathered(pieces, length.into(), memory))
            }
            (Begun::Peer(piece), _) => {
                structures::address(memory.get(*piece).ok()?, self.port_told(memory))
            }
            (Begun::Out, Kind::Out(2)) if self.call.params[at].name == "port" => self
                .port_told(memory)
                .map(|port| Value::Number(port.into())),
            (Begun::Out, Kind::Out(size)) => number(memory, self.low(at), size).map(Value::Number),
            (Begun::Out, Kind::OutFd) => number(memory, self.low(at), 4).map(Value::Number),
            (Begun::Out, Kind::Events) => {
                let found = *self.args.get(at + 2)? as u32;
                let found = number(memory, found, 4)? as u32;
                structures::events(memory, self.low(at), self.low(at + 1), found).ok()
            }
            (Begun::Out, Kind::Bytes) => {
                let room = self.low(at + 1);
                let length = self.length(memory).map_or(room, |length| length.min(room));
                let at = self.low(at);
                let bytes = memory.get(Piece { at, length }).ok()?;
                Some(Value::bytes(bytes, self.most))
            }
            (Begun::Out, Kind::Value) => {
                let length = number(memory, self.low(at + 1), 4)? as u32;
                if self.asks_for_error() {
                    let error = number(memory, self.low(at), length.min(4))?;
                    return Some(Value::Word(Errno(error as u16).name()));
                }
                option(memory, self.low(at), length)
            }
            _ => None,
        }
    }

    /// An argument of a call that told nothing.
    fn untold(&self, at: usize) -> Value {
        match &self.begun[at] {
            Begun::Known(value) => value.clone(),
            Begun::Room(pieces) => {
                let room = room(pieces, usize::MAX) as u64;
                Value::Fields(vec![("room", Value::Number(room))])
            }
            Begun::Peer(_) | Begun::Out => Value::Pointer(self.low(at)),
        }
    }

    /// How many bytes the host says that it has written.
    fn length(&self, memory: &Memory<'_>) -> Option<u32> {
        let told = self
            .named(|name, kind| ["len", "used"].contains(&name) && matches!(kind, Kind::Out(_)))?;
        number(memory, self.low(told), 4).map(|length| length as u32)
    }

    /// The port that the host has told: of a datagram's sender it is in the network's order.
    fn port_told(&self, memory: &Memory<'_>) -> Option<u16> {
        let at = self.named(|name, kind| name == "port" && matches!(kind, Kind::Out(_)))?;
        let [a, b] = memory.read(self.low(at), 1).ok()?;
        Some(match self.kind(at) {
            Some(Kind::Out(2)) => u16::from_be_bytes([a, b]),
            _ => u16::from_le_bytes([a, b]),
        })
    }

    /// Whether the option is the error that is pending.
    fn asks_for_error(&self) -> bool {
        let at = self.named(|_, kind| kind == Kind::OptionName);
        let name = at.map(|at| names::one_of(names::OPTIONS, self.args[at]));
        name == Some(Value::word("SO_ERROR"))
    }

    fn named(&self, is: impl Fn(&str, Kind) -> bool) -> Option<usize> {
        let mut params = self.call.params.iter();
        params.position(|param| is(param.name, param.kind))
    }

    fn text(&self, at: usize, memory: &Memory<'_>) -> Option<Value> {
        let (at, length) = (self.low(at), self.low(at + 1));
        let bytes = memory.get(Piece { at, length }).ok()?;
        Some(Value::bytes(bytes, self.most.max(TEXT)))
    }

    fn pieces(&self, at: usize, memory: &Memory<'_>) -> Option<Value> {
        let pieces = memory.pieces(self.low(at), self.low(at + 1)).ok()?;
        Some(self.gathered(&pieces, u64::MAX, memory))
    }

    /// The pieces one by one, as far as `left` bytes go.
    fn gathered(&self, pieces: &[Piece], mut left: u64, memory: &Memory<'_>) -> Value {
        let mut head = Vec::new();
        let mut length = 0;
        for piece in pieces {
            if left == 0 && !head.is_empty() {
                break;
            }
            let bytes = memory.get(*piece).unwrap_or_default();
            let bytes = &bytes[..left.min(bytes.len() as u64) as usize];
            left -= bytes.len() as u64;
            length += 1;
            if length <= u64::from(SHOWN) {
                head.push(Value::bytes(bytes, self.most));
            }
        }
        Value::List { head, length }
    }

    fn address(&self, at: usize, memory: &Memory<'_>) -> Option<Value> {
        let piece = memory.piece(self.low(at)).ok()?;
        let port = (self.kind(at + 1) == Some(Kind::Port)).then(|| self.low(at + 1) as u16);
        structures::address(memory.get(piece).ok()?, port)
    }

    fn subscriptions(&self, at: usize, memory: &Memory<'_>) -> Option<Value> {
        let count = *self.args.get(at + 2)? as u32;
        structures::subscriptions(memory, self.low(at), count).ok()
    }
}

fn number(memory: &Memory<'_>, at: u32, size: u32) -> Option<u64> {
    let bytes = memory.get(Piece { at, length: size }).ok()?;
    let mut all = [0; 8];
    all.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(all))
}

/// Most options are numbers of 32 bits.
fn option(memory: &Memory<'_>, at: u32, length: u32) -> Option<Value> {
    let bytes = memory.get(Piece { at, length }).ok()?;
    Some(match <[u8; 4]>::try_from(bytes) {
        Ok(number) => Value::told(Value::Number(u32::from_le_bytes(number).into())),
        Err(_) => Value::bytes(bytes, OPTION as usize),
    })
}
