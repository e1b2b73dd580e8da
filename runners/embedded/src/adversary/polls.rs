//! Faults of `poll_oneoff`.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::fault::NO_ERRNO;
use super::{Fault, LATE};
use crate::errno::{Answer, Errno};
use crate::host::Host;
use crate::poll::{Event, HANGUP, Subscription, Told, Wanted};

/// What earlier calls had, for faults that bring it up again.
#[derive(Debug, Default)]
pub struct Memory {
    userdata: Vec<u64>,
    /// Whether descriptors are lost until a call without any; and how many calls since then.
    lost: bool,
    whole: u32,
}

/// How many calls at least lie between two that lose the descriptors.
const WHOLE: u32 = 2;
/// Of so many userdata of earlier calls one comes back.
const REMEMBERED: usize = 64;

impl Host {
    /// Faults that answer the whole call.
    pub fn meddle_before_poll(&mut self, list: &[Subscription]) -> Answer<Option<Told>> {
        let Some(adversary) = &mut self.adversary else {
            return Ok(None);
        };
        let sockets =
            |one: &&Subscription| matches!(one.wanted, Wanted::Read(_) | Wanted::Write(_));
        let all = |errno: Errno| -> Told {
            let events: Vec<Event> = list.iter().map(|one| one.event(errno)).collect();
            events.into()
        };
        if adversary.polls.lost {
            if list.iter().find(sockets).is_none() {
                // A call without any descriptor empties the queue, and all is well again.
                adversary.polls.lost = false;
                adversary.polls.whole = 0;
            } else {
                let lost: Vec<Event> = list
                    .iter()
                    .filter(sockets)
                    .map(|one| one.event(Errno::NOENT))
                    .collect();
                return Ok(Some(lost.into()));
            }
        }
        if !self.poller.is_clean() {
            // The trap of the last call is still set, and the host is to answer this one itself.
            return Ok(None);
        }
        if adversary.comes(Fault::Zero).is_some() {
            return Ok(Some(Told::default()));
        }
        if let Some(mut dice) = adversary.comes(Fault::Interrupt) {
            // The call itself may say so, or each of its events.
            return match dice.random() {
                true => Err(Errno::INTR.into()),
                false => Ok(Some(all(Errno::INTR))),
            };
        }
        adversary.polls.whole += 1;
        // A host that is interrupted all the time could not be healed.
        let whole = adversary.polls.whole > WHOLE && list.iter().find(sockets).is_some();
        if whole && adversary.comes(Fault::Lost).is_some() {
            adversary.polls.lost = true;
            return Ok(Some(all(Errno::INTR)));
        }
        if adversary.comes(Fault::Poison).is_some() {
            self.poller.interrupt(list);
            return Ok(Some(all(Errno::INTR)));
        }
        Ok(None)
    }

    /// Whether a clock is to strike before its time.
    pub fn strikes_early(&mut self) -> bool {
        let adversary = self.adversary.as_mut();
        adversary.is_some_and(|adversary| adversary.comes(Fault::Early).is_some())
    }

    /// Faults of what was found. It gets worse, never better: what is true of a socket is still so
    /// in the next call.
    pub fn meddle_after_poll(&mut self, list: &[Subscription], mut told: Told) -> Told {
        let Some(adversary) = &mut self.adversary else {
            return told;
        };
        let events = &mut told.events;
        if adversary.comes(Fault::Late).is_some() && events.iter().all(|event| event.kind == 0) {
            std::thread::sleep(LATE);
        }
        if let Some(mut dice) = adversary.comes(Fault::Error) {
            befall(list, events, &mut dice, |event, dice| {
                let errnos = [
                    Errno::NOMEM,
                    Errno::IO,
                    Errno::PERM,
                    Errno::NOTCAPABLE,
                    NO_ERRNO,
                ];
                event.error = errnos.choose(dice).copied().unwrap_or(Errno::IO);
            });
        }
        if let Some(mut dice) = adversary.comes(Fault::Hangup) {
            befall(list, events, &mut dice, |event, _| event.flags |= HANGUP);
        }
        let current = |userdata: &u64| list.iter().any(|one| one.userdata == *userdata);
        if let Some(mut dice) = adversary.comes(Fault::Corrupt)
            && let Some(event) = pick(events, &mut dice)
        {
            // What is another subscription's would be a true event, for all that can be told.
            while current(&event.userdata) {
                event.userdata ^= 1 << dice.random_range(0..64);
            }
        }
        if let Some(mut dice) = adversary.comes(Fault::Duplicate) {
            let copy = pick(events, &mut dice).copied();
            events.extend(copy);
        }
        if let Some(mut dice) = adversary.comes(Fault::Stale) {
            let mut old = adversary.polls.userdata.clone();
            old.retain(|userdata| !current(userdata));
            if let Some(userdata) = old.choose(&mut dice) {
                events.push(made_up(*userdata, &mut dice));
            }
        }
        if let Some(mut dice) = adversary.comes(Fault::Unknown) {
            let userdata = dice.random();
            events.push(made_up(userdata, &mut dice));
        }
        if let Some(mut dice) = adversary.comes(Fault::Reorder) {
            events.shuffle(&mut dice);
        }
        told.found = told.events.len() as u32;
        if let Some(mut dice) = adversary.comes(Fault::Flood) {
            told.found = told.found.max(list.len() as u32);
            told.found = told
                .found
                .saturating_add(dice.random::<u32>() >> dice.random_range(0..32));
        }
        let memory = &mut adversary.polls.userdata;
        memory.extend(list.iter().map(|one| one.userdata));
        let surplus = memory.len().saturating_sub(REMEMBERED);
        memory.drain(..surplus);
        told
    }
}

fn pick<'a>(events: &'a mut [Event], dice: &mut StdRng) -> Option<&'a mut Event> {
    let place = dice.random_range(0..events.len().max(1));
    events.get_mut(place)
}

/// Something befalls an event that there is, or one is made for it.
fn befall(
    list: &[Subscription],
    events: &mut Vec<Event>,
    dice: &mut StdRng,
    change: impl Fn(&mut Event, &mut StdRng),
) {
    if dice.random() {
        if let Some(event) = pick(events, dice) {
            change(event, dice);
        }
        return;
    }
    let Some(one) = list.choose(dice) else {
        return;
    };
    if matches!(one.wanted, Wanted::Clock { .. }) {
        return;
    }
    let mut event = one.event(Errno::SUCCESS);
    change(&mut event, dice);
    events.retain(|other| other.userdata != one.userdata);
    events.push(event);
}

fn made_up(userdata: u64, dice: &mut StdRng) -> Event {
    Event {
        userdata,
        error: Errno::SUCCESS,
        kind: dice.random_range(0..4),
        nbytes: dice.random(),
        flags: dice.random_range(0..4),
    }
}
