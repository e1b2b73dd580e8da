//! Lists, hashes, sets and sorted sets.

use std::ops::Range;

use super::{After, Answer, Call, NO_FLOAT, SYNTAX};
use crate::protocol;
use crate::store::Fault;
use crate::values::{Bytes, Hash, Kind, List, Set, Sorted};

pub fn lpush(call: &mut Call) -> Answer {
    push(call, List::push_front)
}

pub fn rpush(call: &mut Call) -> Answer {
    push(call, List::push_back)
}

fn push(call: &mut Call, push: fn(&mut List, Bytes)) -> Answer {
    let items = call.request.words(2);
    let length = call.store.change_or_new(call.word(1), |list: &mut List| {
        items.for_each(|item| push(list, item.into()));
        list.len()
    })?;
    call.integer(length)
}

pub fn lpop(call: &mut Call) -> Answer {
    pop(call, List::pop_front)
}

pub fn rpop(call: &mut Call) -> Answer {
    pop(call, List::pop_back)
}

/// One, or an array of as many as are asked for.
fn pop<K: Kind>(call: &mut Call, pop: fn(&mut K) -> Option<Bytes>) -> Answer {
    let count = call.count_at(2)?;
    let popped = call.store.change(call.word(1), |all: &mut K| {
        let one_by_one = std::iter::from_fn(|| pop(all));
        one_by_one.take(count.unwrap_or(1)).collect::<Vec<_>>()
    })?;
    match (popped, count) {
        (None, Some(_)) => protocol::nil_array(call.output),
        (popped, None) => {
            let item = popped.and_then(|popped| popped.into_iter().next());
            protocol::bulk_or_nil(call.output, item.as_deref());
        }
        (Some(popped), Some(_)) => bulks(call, popped.iter().map(|item| &item[..])),
    }
    Ok(After::More)
}

/// An array of texts.
fn bulks<'b>(call: &mut Call, items: impl ExactSizeIterator<Item = &'b [u8]>) {
    protocol::array(call.output, items.len());
    items.for_each(|item| protocol::bulk(call.output, item));
}

pub fn llen(call: &mut Call) -> Answer {
    length::<List>(call, List::len)
}

fn length<K: Kind>(call: &mut Call, length: fn(&K) -> usize) -> Answer {
    let length = call.store.read::<K>(call.word(1))?.map_or(0, length);
    call.integer(length)
}

pub fn lrange(call: &mut Call) -> Answer {
    let (first, last) = (call.integer_at(2)?, call.integer_at(3)?);
    let list = call.store.read::<List>(call.word(1))?;
    let range = range(first, last, list.map_or(0, List::len));
    protocol::array(call.output, range.len());
    if let Some(list) = list {
        for item in list.range(range) {
            protocol::bulk(call.output, item);
        }
    }
    Ok(After::More)
}

/// The places from `first` to `last` of so many; those below zero count from the end.
fn range(first: i64, last: i64, length: usize) -> Range<usize> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let place = |place: i64| {
        if place < 0 {
            (place + length).max(-1)
        } else {
            place
        }
    };
    let (first, last) = (place(first).max(0), place(last).min(length - 1));
    if first > last {
        return 0..0;
    }
    let place = |place: i64| usize::try_from(place).unwrap_or(0);
    place(first)..place(last) + 1
}

pub fn hset(call: &mut Call) -> Answer {
    let count = call.request.len();
    if count % 2 == 1 {
        return Err("ERR wrong number of arguments for 'hset' command".into());
    }
    let request = call.request;
    let added = call.store.change_or_new(call.word(1), |hash: &mut Hash| {
        let pairs = (2..count).step_by(2);
        let add = |at: &usize| {
            let (field, value) = (request.word(*at), request.word(*at + 1));
            hash.insert(field.into(), value.into()).is_none()
        };
        pairs.filter(add).count()
    })?;
    if call.word(0).eq_ignore_ascii_case(b"HMSET") {
        return call.ok();
    }
    call.integer(added)
}

pub fn hget(call: &mut Call) -> Answer {
    let hash = call.store.read::<Hash>(call.word(1))?;
    let value = hash.and_then(|hash| hash.get(call.word(2)));
    protocol::bulk_or_nil(call.output, value.map(|value| &value[..]));
    Ok(After::More)
}

pub fn hdel(call: &mut Call) -> Answer {
    remove(call, |hash: &mut Hash, field| hash.remove(field).is_some())
}

/// Takes out members by their names, and tells how many there were.
fn remove<K: Kind>(call: &mut Call, remove: fn(&mut K, &[u8]) -> bool) -> Answer {
    let names = call.request.words(2);
    let removed = call.store.change(call.word(1), |all: &mut K| {
        names.filter(|name| remove(all, name)).count()
    })?;
    call.integer(removed.unwrap_or(0))
}

pub fn hlen(call: &mut Call) -> Answer {
    length::<Hash>(call, Hash::len)
}

pub fn hgetall(call: &mut Call) -> Answer {
    let hash = call.store.read::<Hash>(call.word(1))?;
    protocol::array(call.output, hash.map_or(0, Hash::len) * 2);
    for (field, value) in hash.into_iter().flatten() {
        protocol::bulk(call.output, field);
        protocol::bulk(call.output, value);
    }
    Ok(After::More)
}

pub fn sadd(call: &mut Call) -> Answer {
    let members = call.request.words(2);
    let added = call.store.change_or_new(call.word(1), |set: &mut Set| {
        members
            .filter(|member| set.insert(Bytes::from(*member)))
            .count()
    })?;
    call.integer(added)
}

pub fn srem(call: &mut Call) -> Answer {
    remove(call, |set: &mut Set, member| set.remove(member))
}

/// Any member may be taken; here it is the first in the order of bytes.
pub fn spop(call: &mut Call) -> Answer {
    pop(call, Set::pop_first)
}

pub fn scard(call: &mut Call) -> Answer {
    length::<Set>(call, Set::len)
}

pub fn sismember(call: &mut Call) -> Answer {
    let set = call.store.read::<Set>(call.word(1))?;
    let is_in = set.is_some_and(|set| set.contains(call.word(2)));
    call.integer(i64::from(is_in))
}

pub fn smembers(call: &mut Call) -> Answer {
    let set = call.store.read::<Set>(call.word(1))?;
    protocol::array(call.output, set.map_or(0, Set::len));
    for member in set.into_iter().flatten() {
        protocol::bulk(call.output, member);
    }
    Ok(After::More)
}

/// Only pairs of a score and a member: the options of Redis's own are not here.
pub fn zadd(call: &mut Call) -> Answer {
    let count = call.request.len();
    if count % 2 == 1 {
        return Err(SYNTAX.into());
    }
    let pairs = (2..count).step_by(2);
    let pairs = pairs.map(|at| Ok((score(call.word(at))?, call.word(at + 1))));
    let pairs = pairs.collect::<Result<Vec<_>, Fault>>()?;
    let added = call
        .store
        .change_or_new(call.word(1), |sorted: &mut Sorted| {
            let mut add = |(score, member): &(f64, &[u8])| sorted.insert(member, *score);
            pairs.iter().filter(|pair| add(pair)).count()
        })?;
    call.integer(added)
}

fn score(text: &[u8]) -> Result<f64, Fault> {
    let text = std::str::from_utf8(text).ok();
    let number = text.and_then(|text| text.parse::<f64>().ok());
    number
        .filter(|number| !number.is_nan())
        .ok_or(NO_FLOAT.into())
}

pub fn zrem(call: &mut Call) -> Answer {
    remove(call, Sorted::remove)
}

pub fn zpopmin(call: &mut Call) -> Answer {
    let count = call.count_at(2)?.unwrap_or(1);
    let popped = call.store.change(call.word(1), |sorted: &mut Sorted| {
        let one_by_one = std::iter::from_fn(|| sorted.pop_first());
        one_by_one.take(count).collect::<Vec<_>>()
    })?;
    let popped = popped.unwrap_or_default();
    protocol::array(call.output, popped.len() * 2);
    for (member, score) in popped {
        protocol::bulk(call.output, &member);
        protocol::bulk(call.output, score.to_string().as_bytes());
    }
    Ok(After::More)
}

pub fn zcard(call: &mut Call) -> Answer {
    length::<Sorted>(call, Sorted::len)
}

pub fn zscore(call: &mut Call) -> Answer {
    let sorted = call.store.read::<Sorted>(call.word(1))?;
    let score = sorted.and_then(|sorted| sorted.score(call.word(2)));
    let score = score.map(|score| score.to_string().into_bytes());
    protocol::bulk_or_nil(call.output, score.as_deref());
    Ok(After::More)
}

/// By place in the order, with scores if that is asked for.
pub fn zrange(call: &mut Call) -> Answer {
    let (first, last) = (call.integer_at(2)?, call.integer_at(3)?);
    let scores = call.request.len() == 5;
    if scores && !call.word(4).eq_ignore_ascii_case(b"WITHSCORES") {
        return Err(SYNTAX.into());
    }
    let sorted = call.store.read::<Sorted>(call.word(1))?;
    let range = range(first, last, sorted.map_or(0, Sorted::len));
    protocol::array(call.output, range.len() * if scores { 2 } else { 1 });
    let members = sorted.into_iter().flat_map(Sorted::iter);
    for (member, score) in members.skip(range.start).take(range.len()) {
        protocol::bulk(call.output, member);
        if scores {
            protocol::bulk(call.output, score.to_string().as_bytes());
        }
    }
    Ok(After::More)
}
