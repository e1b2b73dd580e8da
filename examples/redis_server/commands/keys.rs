//! Keys, whatever they stand for.

use std::time::Duration;

use tokio::time::Instant;

use super::{After, Answer, Call};
use crate::protocol;
use crate::store::Fault;

pub fn del(call: &mut Call) -> Answer {
    let store = &mut *call.store;
    let count = call
        .request
        .words(1)
        .filter(|key| store.remove(key))
        .count();
    call.integer(count)
}

pub fn exists(call: &mut Call) -> Answer {
    let there = |key: &&[u8]| call.store.get(key).is_some();
    let count = call.request.words(1).filter(there).count();
    call.integer(count)
}

pub fn kind(call: &mut Call) -> Answer {
    let kind = call
        .store
        .get(call.word(1))
        .map_or("none", |value| value.kind());
    protocol::simple(call.output, kind);
    Ok(After::More)
}

pub fn keys(call: &mut Call) -> Answer {
    let pattern = call.word(1);
    let keys: Vec<&[u8]> = call
        .store
        .keys()
        .filter(|key| matches(pattern, key))
        .collect();
    protocol::array(call.output, keys.len());
    for key in keys {
        protocol::bulk(call.output, key);
    }
    Ok(After::More)
}

/// Whether `text` is like `pattern`, whose `*` stands for any bytes and `?` for any one.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when it has gone wrong: behind the last star, which takes one byte more.
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    (p, t) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

pub fn expire(call: &mut Call) -> Answer {
    expire_in(call, 1_000)
}

pub fn pexpire(call: &mut Call) -> Answer {
    expire_in(call, 1)
}

fn expire_in(call: &mut Call, unit: i64) -> Answer {
    let (key, time) = (call.word(1), call.integer_at(2)?);
    if call.store.get(key).is_none() {
        return call.integer(0);
    }
    if time <= 0 {
        call.store.remove(key);
    } else {
        call.store.set_expiry(key, Some(after(time, unit)?));
    }
    call.integer(1)
}

/// So many units of milliseconds from now.
pub fn after(time: i64, unit: i64) -> Result<Instant, Fault> {
    let time = time.checked_mul(unit).filter(|time| *time > 0);
    let time = time.map(|time| Duration::from_millis(time.unsigned_abs()));
    let end = time.and_then(|time| Instant::now().checked_add(time));
    end.ok_or("ERR invalid expire time".into())
}

pub fn ttl(call: &mut Call) -> Answer {
    time_left(call, 1_000)
}

pub fn pttl(call: &mut Call) -> Answer {
    time_left(call, 1)
}

/// To the nearest unit of milliseconds. Redis has numbers of its own for what does not end.
fn time_left(call: &mut Call, unit: u128) -> Answer {
    let key = call.word(1);
    match call.store.expiry(key) {
        Some(end) => {
            let left = end.saturating_duration_since(Instant::now()).as_millis();
            call.integer((left + unit / 2) / unit)
        }
        None if call.store.get(key).is_some() => call.integer(-1),
        None => call.integer(-2),
    }
}

pub fn persist(call: &mut Call) -> Answer {
    let key = call.word(1);
    let ended = call.store.expiry(key).is_some();
    if ended {
        call.store.set_expiry(key, None);
    }
    call.integer(i64::from(ended))
}

pub fn dbsize(call: &mut Call) -> Answer {
    call.integer(call.store.len())
}

pub fn flush(call: &mut Call) -> Answer {
    call.store.clear();
    call.ok()
}
