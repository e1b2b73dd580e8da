//! Texts, and numbers that are written as such.

use super::{After, Answer, Call, NO_INTEGER, SYNTAX, keys};
use crate::protocol;
use crate::values::Bytes;

pub fn get(call: &mut Call) -> Answer {
    let value = call.store.read::<Bytes>(call.word(1))?;
    protocol::bulk_or_nil(call.output, value.map(|value| &value[..]));
    Ok(After::More)
}

pub fn set(call: &mut Call) -> Answer {
    let (key, value) = (call.word(1), call.word(2));
    let (mut expiry, mut wanted, mut get) = (None, None, false);
    let mut options = 3..call.request.len();
    while let Some(at) = options.next() {
        match &call.word(at).to_ascii_uppercase()[..] {
            b"NX" if wanted.is_none() => wanted = Some(false),
            b"XX" if wanted.is_none() => wanted = Some(true),
            b"GET" => get = true,
            b"KEEPTTL" if expiry.is_none() => expiry = call.store.expiry(key),
            unit @ (b"EX" | b"PX") if expiry.is_none() => {
                let time = call.integer_at(options.next().ok_or(SYNTAX)?)?;
                expiry = Some(keys::after(time, if unit == b"EX" { 1_000 } else { 1 })?);
            }
            _ => return Err(SYNTAX.into()),
        }
    }
    if get {
        let before = call.store.read::<Bytes>(key)?;
        protocol::bulk_or_nil(call.output, before.map(|before| &before[..]));
    }
    let does = wanted.is_none_or(|there| call.store.get(key).is_some() == there);
    if does {
        call.store.set(key, Bytes::from(value), expiry);
    }
    match (get, does) {
        (true, _) => {}
        (false, true) => protocol::ok(call.output),
        (false, false) => protocol::nil(call.output),
    }
    Ok(After::More)
}

pub fn setnx(call: &mut Call) -> Answer {
    let key = call.word(1);
    let free = call.store.get(key).is_none();
    if free {
        call.store.set(key, Bytes::from(call.word(2)), None);
    }
    call.integer(i64::from(free))
}

/// A key that stands for something else counts as none.
pub fn mget(call: &mut Call) -> Answer {
    let keys = call.request.words(1);
    protocol::array(call.output, keys.len());
    for key in keys {
        let value = call.store.read::<Bytes>(key).ok().flatten();
        protocol::bulk_or_nil(call.output, value.map(|value| &value[..]));
    }
    Ok(After::More)
}

pub fn mset(call: &mut Call) -> Answer {
    let count = call.request.len();
    if count % 2 == 0 {
        return Err("ERR wrong number of arguments for 'mset' command".into());
    }
    for at in (1..count).step_by(2) {
        call.store
            .set(call.word(at), Bytes::from(call.word(at + 1)), None);
    }
    call.ok()
}

pub fn append(call: &mut Call) -> Answer {
    let more = call.word(2);
    let length = call.store.change_or_new(call.word(1), |text: &mut Bytes| {
        text.extend_from_slice(more);
        text.len()
    })?;
    call.integer(length)
}

pub fn strlen(call: &mut Call) -> Answer {
    let length = call.store.read::<Bytes>(call.word(1))?.map_or(0, Vec::len);
    call.integer(length)
}

pub fn incr(call: &mut Call) -> Answer {
    add(call, 1)
}

pub fn decr(call: &mut Call) -> Answer {
    add(call, -1)
}

pub fn incrby(call: &mut Call) -> Answer {
    add(call, call.integer_at(2)?)
}

pub fn decrby(call: &mut Call) -> Answer {
    let less = call.integer_at(2)?.checked_neg();
    add(call, less.ok_or("ERR decrement would overflow")?)
}

fn add(call: &mut Call, more: i64) -> Answer {
    let sum = call.store.change_or_new(call.word(1), |text: &mut Bytes| {
        let number = if text.is_empty() {
            Some(0)
        } else {
            protocol::number(text)
        };
        let sum = number.ok_or(NO_INTEGER)?.checked_add(more);
        let sum = sum.ok_or("ERR increment or decrement would overflow")?;
        *text = sum.to_string().into();
        Ok::<_, &str>(sum)
    })?;
    call.integer(sum?)
}
