//! What stands between the guest and its sockets in the hostile host: it makes calls fail, and
//! lies about what a poll has found.
//!
//! Whether a fault comes is decided by the seed, the fault, and how many calls it could have
//! befallen before: by nothing else, so that the same guest meets the same faults again. What has
//! come is kept as orders, which bring it about without the seed.

mod fault;
mod polls;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rustix::net::{SocketFlags, SocketType, sockopt};

pub use fault::{Fault, Order, When};

use crate::address;
use crate::calls::Call;
use crate::errno::{Answer, Errno, Stop};
use crate::host::{Host, UNIX};
use crate::transfer::Meddling;

/// A guest that polls so often in a row, and neither waits nor is told anything, spins.
const MOST_IDLE: u64 = 1_000;
/// As many faults as a seed may choose of.
const MOST_KINDS: usize = 4;
/// What a late connection and a late clock are late by.
const LATE: Duration = Duration::from_millis(3);

#[derive(Debug)]
pub struct Adversary {
    seed: u64,
    orders: Vec<Order>,
    /// How many calls each fault could have befallen.
    counts: HashMap<Fault, u64>,
    log: Vec<Order>,
    /// What has come since somebody asked.
    news: Vec<String>,
    /// Faults of the current call, which the socket's own part of it carries out.
    pending: Option<Fault>,
    /// Connections that are not to be seen before their time; and whether they fail then.
    late: HashMap<u64, (Instant, bool)>,
    polls: polls::Memory,
}

impl Adversary {
    /// Just these faults.
    pub fn new(seed: u64, orders: Vec<Order>) -> Adversary {
        Adversary {
            seed,
            orders,
            counts: HashMap::new(),
            log: Vec::new(),
            news: Vec::new(),
            pending: None,
            late: HashMap::new(),
            polls: polls::Memory::default(),
        }
    }

    /// The faults that the seed chooses, but for those that are not wanted.
    pub fn of_seed(seed: u64, without: &[Fault]) -> Adversary {
        let mut dice = StdRng::seed_from_u64(seed);
        let wanted = |fault: &&Fault| !without.contains(fault);
        let mut all: Vec<Fault> = Fault::value_variants()
            .iter()
            .filter(wanted)
            .copied()
            .collect();
        let count = dice.random_range(1..=MOST_KINDS);
        all.shuffle(&mut dice);
        all.truncate(count);
        let orders = all.into_iter().map(|fault| Order {
            fault,
            when: When::Often([0.02, 0.1, 0.3][dice.random_range(0..3)]),
        });
        Adversary::new(seed, orders.collect())
    }

    /// What has come so far, as orders for exactly that.
    pub fn log(&self) -> &[Order] {
        &self.log
    }

    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    pub fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Dice that fall the same way at the same place of the same seed.
    fn dice(&self, fault: Fault, at: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed ^ (fault as u64 + 1) << 48 ^ at.wrapping_mul(0x9e37_79b9))
    }

    /// Whether `fault` comes now. Asked once for each call that it can befall.
    fn comes(&mut self, fault: Fault) -> Option<StdRng> {
        if !self.orders.iter().any(|order| order.fault == fault) {
            return None;
        }
        let at = self.counts.entry(fault).or_default();
        *at += 1;
        let at = *at;
        let mut dice = self.dice(fault, at);
        let roll: f64 = dice.random();
        let ordered = |order: &&Order| match order.when {
            When::Often(rate) => order.fault == fault && roll < rate,
            When::At(when) => order.fault == fault && when == at,
        };
        self.orders.iter().find(ordered)?;
        let order = Order {
            fault,
            when: When::At(at),
        };
        self.log.push(order);
        // Nobody may ask.
        if self.news.len() < MOST_KINDS * 2 {
            self.news.push(order.to_string());
        }
        Some(dice)
    }
}

impl Host {
    /// A poll is called. Ends a guest that spins, where somebody looks for it.
    pub fn limit(&mut self) -> Answer {
        self.idle += 1;
        if self.adversary.is_some() && self.idle > MOST_IDLE {
            return Err(Stop::Trap(format!(
                "the guest spins: {MOST_IDLE} polls told it nothing"
            )));
        }
        Ok(())
    }

    /// Faults that answer a call instead of the host. Those of transfers need their socket, and
    /// come when that is known.
    pub fn meddle_with_call(&mut self, call: &'static Call, args: &[u64]) -> Answer {
        let Some(adversary) = &mut self.adversary else {
            return Ok(());
        };
        adversary.pending = None;
        let socket = args.first().and_then(|fd| self.sockets.get(&(*fd as u32)));
        let of_socket = call.name != "sock_open" && !call.name.starts_with("poll");
        if of_socket && socket.is_none() {
            return Ok(());
        }
        let kind = socket.map(|socket| socket.kind);
        for at in 0..adversary.orders.len() {
            let fault = adversary.orders[at].fault;
            if !fault.befalls(call.name) || adversary.pending.is_some() {
                continue;
            }
            let errno = match fault {
                Fault::Again => Some(Errno::AGAIN),
                Fault::Eintr => Some(Errno::INTR),
                Fault::Nobufs => Some(Errno::NOBUFS),
                Fault::Mfile => Some(Errno::MFILE),
                Fault::Aborted => Some(Errno::CONNABORTED),
                Fault::Short | Fault::Reset if kind != Some(SocketType::STREAM) => continue,
                Fault::Truncate if kind != Some(SocketType::DGRAM) => continue,
                Fault::Short | Fault::Reset | Fault::Truncate => None,
                Fault::ConnectLate | Fault::ConnectFails => None,
                _ => continue,
            };
            if adversary.comes(fault).is_some() {
                match errno {
                    Some(errno) => return Err(errno.into()),
                    None => adversary.pending = Some(fault),
                }
            }
        }
        Ok(())
    }

    /// Faults of one transfer.
    pub fn meddle(&mut self, fd: u64) -> Answer<Meddling> {
        let pending = self
            .adversary
            .as_mut()
            .and_then(|adversary| adversary.pending.take());
        let mut meddling = Meddling::default();
        match pending {
            Some(Fault::Short) => meddling.most = Some(1),
            Some(Fault::Truncate) => meddling.cut = Some(1),
            Some(Fault::Reset) => {
                self.reset(fd as u32, Errno::CONNRESET)?;
            }
            _ => {}
        }
        if self.is_late(fd as u32) {
            return Err(Errno::AGAIN.into());
        }
        match self.take_error(fd) {
            Some(error) => Err(error.into()),
            None => Ok(meddling),
        }
    }

    /// What a connection has failed with, once.
    pub fn take_error(&mut self, fd: u64) -> Option<Errno> {
        self.sockets.get_mut(&(fd as u32))?.error.take()
    }

    /// Ends a connection so that its peer gets a reset, and leaves a dead socket in its place.
    fn reset(&mut self, fd: u32, error: Errno) -> Answer {
        let Some(socket) = self.sockets.get_mut(&fd) else {
            return Ok(());
        };
        if socket.reset || sockopt::socket_acceptconn(&socket.fd).unwrap_or_default() {
            return Ok(());
        }
        if socket.family != UNIX {
            let _ = sockopt::set_socket_linger(&socket.fd, Some(Duration::ZERO));
        }
        // Not connected, it hangs up whoever polls it.
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let family = address::system(socket.family).ok_or(Errno::AFNOSUPPORT)?;
        socket.fd = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        socket.reset = true;
        socket.error = Some(error);
        Ok(())
    }

    /// After a connect: it may take its time.
    pub fn meddle_after_connect(&mut self, fd: u64) -> Answer {
        let Some(adversary) = &mut self.adversary else {
            return Ok(());
        };
        let fails = match adversary.pending.take() {
            Some(Fault::ConnectLate) => false,
            Some(Fault::ConnectFails) => true,
            _ => return Ok(()),
        };
        let Some(socket) = self.sockets.get(&(fd as u32)) else {
            return Ok(());
        };
        if socket.kind == SocketType::STREAM && socket.family != UNIX && socket.nonblocking {
            adversary
                .late
                .insert(socket.id, (Instant::now() + LATE, fails));
            return Err(Errno::INPROGRESS.into());
        }
        Ok(())
    }

    /// Whether this connection is still to be hidden from the guest.
    pub fn is_late(&mut self, fd: u32) -> bool {
        self.settle_late();
        let id = self.sockets.get(&fd).map(|socket| socket.id);
        let late = self.adversary.as_ref().map(|adversary| &adversary.late);
        id.is_some_and(|id| late.is_some_and(|late| late.contains_key(&id)))
    }

    /// Connections whose time has come may be seen from now on, or have failed.
    pub fn settle_late(&mut self) {
        let Some(adversary) = &mut self.adversary else {
            return;
        };
        let now = Instant::now();
        let mut failed = HashSet::new();
        adversary.late.retain(|id, (end, fails)| {
            if *end <= now && *fails {
                failed.insert(*id);
            }
            *end > now
        });
        let dead = self
            .sockets
            .iter()
            .filter(|(_, socket)| failed.contains(&socket.id));
        let dead: Vec<u32> = dead.map(|(fd, _)| *fd).collect();
        for fd in dead {
            let _ = self.reset(fd, Errno::TIMEDOUT);
        }
    }

    /// When the first late connection may be seen.
    pub fn first_late(&self) -> Option<Instant> {
        let late = &self.adversary.as_ref()?.late;
        late.values().map(|(end, _)| *end).min()
    }

    /// The ids of late connections.
    pub fn late(&self) -> HashSet<u64> {
        let late = self
            .adversary
            .as_ref()
            .map(|adversary| adversary.late.keys().copied());
        late.into_iter().flatten().collect()
    }
}
