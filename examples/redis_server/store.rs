//! The keys, what they stand for, and when they go.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Instant;

use crate::values::{Bytes, Kind, Value};

/// A request that cannot be carried out: what its client is told.
pub struct Fault(pub String);

impl From<&str> for Fault {
    fn from(text: &str) -> Fault {
        Fault(text.into())
    }
}

const OTHER_KIND: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

#[derive(Default)]
pub struct Store {
    entries: HashMap<Bytes, Entry>,
    /// The keys that are to go, and when, in that order.
    expiries: BTreeSet<(Instant, Bytes)>,
}

struct Entry {
    value: Value,
    expiry: Option<Instant>,
}

impl Store {
    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        let entry = self.entries.get(key)?;
        (!entry.is_over()).then_some(&entry.value)
    }

    /// What a key stands for, which must be a `K`.
    pub fn read<K: Kind>(&self, key: &[u8]) -> Result<Option<&K>, Fault> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => K::read(value).map(Some).ok_or(OTHER_KIND.into()),
        }
    }

    /// Changes what a key stands for, and takes it out if that leaves nothing.
    pub fn change<K: Kind, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut K) -> R,
    ) -> Result<Option<R>, Fault> {
        self.forget_if_over(key);
        let Some(entry) = self.entries.get_mut(key) else {
            return Ok(None);
        };
        let value = K::write(&mut entry.value).ok_or(OTHER_KIND)?;
        let result = change(value);
        if value.is_gone() {
            self.remove(key);
        }
        Ok(Some(result))
    }

    /// As [`Store::change`]; where there is none it begins with an empty one.
    pub fn change_or_new<K: Kind, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut K) -> R,
    ) -> Result<R, Fault> {
        self.forget_if_over(key);
        if let Some(entry) = self.entries.get_mut(key) {
            let value = K::write(&mut entry.value).ok_or(OTHER_KIND)?;
            return Ok(change(value));
        }
        let mut value = K::default();
        let result = change(&mut value);
        if !value.is_gone() {
            self.set(key, value, None);
        }
        Ok(result)
    }

    pub fn set(&mut self, key: &[u8], value: impl Kind, expiry: Option<Instant>) {
        let value = value.into_value();
        let before = match self.entries.get_mut(key) {
            Some(entry) => {
                entry.value = value;
                entry.expiry
            }
            None => {
                let expiry = None;
                self.entries.insert(key.into(), Entry { value, expiry });
                None
            }
        };
        if before != expiry {
            self.set_expiry(key, expiry);
        }
    }

    /// Says whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some((key, entry)) = self.entries.remove_entry(key) else {
            return false;
        };
        let over = entry.is_over();
        if let Some(expiry) = entry.expiry {
            self.expiries.remove(&(expiry, key));
        }
        !over
    }

    /// When a key goes; `None` where it stays for ever, or is not there.
    pub fn expiry(&self, key: &[u8]) -> Option<Instant> {
        let entry = self.entries.get(key).filter(|entry| !entry.is_over());
        entry.and_then(|entry| entry.expiry)
    }

    pub fn set_expiry(&mut self, key: &[u8], expiry: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut entry.expiry, expiry);
        if let Some(before) = before {
            self.expiries.remove(&(before, key.into()));
        }
        if let Some(expiry) = expiry {
            self.expiries.insert((expiry, key.into()));
        }
    }

    /// When the next key goes.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.expiries.first().map(|(expiry, _)| *expiry)
    }

    /// Takes out what is over, and says when the next is.
    pub fn expire(&mut self, now: Instant) -> Option<Instant> {
        while self.next_expiry().is_some_and(|next| next <= now) {
            if let Some((_, key)) = self.expiries.pop_first() {
                self.entries.remove(&key);
            }
        }
        self.next_expiry()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let here = self.entries.iter().filter(|(_, entry)| !entry.is_over());
        here.map(|(key, _)| &key[..])
    }

    pub fn clear(&mut self) {
        *self = Store::default();
    }

    fn forget_if_over(&mut self, key: &[u8]) {
        if self.entries.get(key).is_some_and(Entry::is_over) {
            self.remove(key);
        }
    }
}

impl Entry {
    fn is_over(&self) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= Instant::now())
    }
}
