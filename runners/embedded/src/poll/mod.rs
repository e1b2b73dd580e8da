//! `poll_oneoff` over sockets, clocks and the standard streams.
//!
//! The system's `poll` is asked, which keeps nothing from one call to the next. What WasmEdge
//! keeps there, and gets wrong (0.14.1, 0.17.1), is imitated by [`Poller`] for guests that are to
//! meet it.

mod wire;

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{FileType, fstat};
use rustix::net::SocketType;
use rustix::net::sockopt;
use rustix::stdio;

use crate::calls::Context;
use crate::clock;
use crate::errno::{Answer, Errno, Stop};
use crate::host::Host;
use crate::{sock, wasi};

pub use wire::{EVENT, Event, HANGUP, SUBSCRIPTION, Subscription, Wanted};

const REALTIME: u32 = 0;
/// Clocks and standard streams that a guest may poll beside both directions of all its sockets.
const SPARE: usize = 64;
/// The system has no events for it, neither now nor later.
const REGULAR: Errno = Errno::PERM;

/// What WasmEdge remembers of the call before.
#[derive(Debug, Default)]
pub struct Poller {
    /// The sockets of the last call, by their ids, and those that its queue still holds.
    remembered: HashSet<u64>,
    held: HashSet<u64>,
    /// The slots of a call that was interrupted: they are filled by the next one.
    interrupted: Vec<Wanted>,
}

impl Poller {
    /// A socket has been closed.
    pub fn forget(&mut self, id: u64) {
        self.remembered.remove(&id);
        self.held.remove(&id);
    }

    /// A call without subscriptions empties the queue, but not the memory of it.
    fn empty(&mut self) {
        self.held.clear();
    }

    fn turn(&mut self, ids: HashSet<u64>) {
        self.held = ids.iter().filter(|id| !self.lost(**id)).copied().collect();
        self.remembered = ids;
    }

    /// Whether it is believed to be in the queue, and is not.
    fn lost(&self, id: u64) -> bool {
        self.remembered.contains(&id) && !self.held.contains(&id)
    }

    pub fn is_clean(&self) -> bool {
        self.interrupted.is_empty()
    }

    pub fn interrupt(&mut self, list: &[Subscription]) {
        self.interrupted = list.iter().map(|one| one.wanted).collect();
    }
}

pub fn poll_oneoff(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let [list, events, count, found] = [0, 1, 2, 3].map(|index| args[index] as u32);
    context.memory.array(list, count, SUBSCRIPTION, 8)?;
    context.memory.array(events, count, EVENT, 8)?;
    context.memory.writable(found, 4)?;
    if count as usize > 2 * context.host.most + SPARE {
        return Err(Errno::NOMEM.into());
    }
    let read = |index| Subscription::read(&context.memory, list + SUBSCRIPTION * index);
    let list = (0..count).map(read).collect::<Result<Vec<_>, _>>()?;
    context.host.limit()?;
    let told = match context.host.meddle_before_poll(&list)? {
        Some(told) => told,
        None => {
            let start = Instant::now();
            let told = wait(context, &list)?;
            if !told.events.is_empty() || start.elapsed() > Duration::from_micros(100) {
                context.host.idle = 0;
            }
            context.host.meddle_after_poll(&list, told)
        }
    };
    // Never more than there is room for; but the number may lie.
    for (index, event) in told.events.iter().take(count as usize).enumerate() {
        let at = events + EVENT * index as u32;
        context.memory.write(at, 8, &event.bytes())?;
    }
    Ok(context.memory.set_u32(found, told.found)?)
}

/// What one call tells.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub events: Vec<Event>,
    /// What it says their number is.
    pub found: u32,
}

impl From<Vec<Event>> for Told {
    fn from(events: Vec<Event>) -> Told {
        let found = events.len() as u32;
        Told { events, found }
    }
}

/// One subscription while its call lasts.
#[derive(Debug, Default)]
struct Slot {
    event: Option<Event>,
    due: Option<Instant>,
    /// Its place among what the system is asked about.
    asked: Option<usize>,
}

fn wait(context: &mut Context<'_>, list: &[Subscription]) -> Answer<Told> {
    if list.is_empty() {
        context.host.poller.empty();
        return match context.host.faultless() {
            // As preview 1 says: without anything to wait for there is no end.
            true => Err(Errno::INVAL.into()),
            false => Ok(Told::default()),
        };
    }
    context.host.settle_late();
    let mut slots = Vec::with_capacity(list.len());
    let mut seen = HashSet::new();
    let start = Instant::now();
    for one in list {
        slots.push(prepare(context, one, start, &mut seen)?);
    }
    let early = context.host.strikes_early();
    let late = context.host.late();
    let host = &*context.host;
    let interrupted = &host.poller.interrupted;
    look(host, list, &mut slots, &late, early.then_some(start))?;
    if !interrupted.is_empty() {
        misplace(host, list, &mut slots, &late)?;
    }
    let sockets = list.iter().filter_map(|one| host.socket(one.fd()?));
    let ids = sockets.map(|socket| socket.id).collect();
    let poller = &mut context.host.poller;
    poller.turn(ids);
    poller.interrupted.clear();
    let events: Vec<Event> = slots.into_iter().filter_map(|slot| slot.event).collect();
    if events.is_empty() && context.host.first_late() <= Some(Instant::now()) && !late.is_empty() {
        // It was a late connection whose time has come.
        return wait(context, list);
    }
    Ok(events.into())
}

/// Waits for what the slots have no event of yet, and writes it there. Connections that are `late`
/// are not looked at; a clock that strikes early does so without waiting.
fn look(
    host: &Host,
    list: &[Subscription],
    slots: &mut [Slot],
    late: &HashSet<u64>,
    early: Option<Instant>,
) -> Answer {
    let hidden = |fd| {
        let socket = host.socket(fd);
        socket.is_some_and(|socket| late.contains(&socket.id))
    };
    let mut asked = Vec::new();
    for (one, slot) in list.iter().zip(&mut *slots) {
        if let (Some(fd), None) = (one.fd().filter(|fd| !hidden(*fd)), slot.event) {
            slot.asked = Some(asked.len());
            let fd = descriptor(host, fd).ok_or(Errno::BADF)?;
            asked.push(PollFd::from_borrowed_fd(fd, flags(host, one.wanted)));
        }
    }
    // They are still watched, although the call says that they are there already.
    let interrupted = &host.poller.interrupted;
    for wanted in interrupted {
        let (Wanted::Read(fd) | Wanted::Write(fd)) = *wanted else {
            continue;
        };
        if let Some(fd) = descriptor(host, fd).filter(|_| !hidden(fd)) {
            asked.push(PollFd::from_borrowed_fd(fd, flags(host, *wanted)));
        }
    }
    let clocks = slots.iter().filter_map(|slot| slot.due).min();
    // WasmEdge goes on waiting for the others (0.14.1, 0.17.1).
    let failed = slots.iter().any(|slot| slot.event.is_some());
    let end = match failed && host.faultless() && interrupted.is_empty() {
        true => Some(Instant::now()),
        false => clocks.into_iter().chain(host.first_late()).min(),
    };
    Host::wait(&mut asked, early.or(end), host.deadline)?;
    let now = Instant::now();
    let mut found: HashMap<u32, PollFlags> = HashMap::new();
    for (one, slot) in list.iter().zip(&*slots) {
        if let (Some(fd), Some(place)) = (one.fd(), slot.asked) {
            *found.entry(fd).or_insert(PollFlags::empty()) |= asked[place].revents();
        }
    }
    for (one, slot) in list.iter().zip(slots) {
        if slot.due.is_some_and(|due| due <= now || early.is_some()) {
            slot.event = Some(one.event(Errno::SUCCESS));
        }
        if slot.asked.is_some() {
            slot.event = ready(host, one, &found);
        }
    }
    Ok(())
}

/// Looks at one subscription before the wait: what cannot be waited for is answered at once.
fn prepare(
    context: &mut Context<'_>,
    one: &Subscription,
    now: Instant,
    seen: &mut HashSet<(u32, bool)>,
) -> Answer<Slot> {
    let failed = |errno| Slot {
        event: Some(one.event(errno)),
        ..Slot::default()
    };
    let fd = match one.wanted {
        Wanted::Nothing(_) => return Ok(failed(Errno::INVAL)),
        Wanted::Clock {
            id,
            timeout,
            absolute,
        } => {
            return Ok(Slot {
                due: due(id, timeout, absolute, now),
                ..Slot::default()
            });
        }
        Wanted::Read(fd) | Wanted::Write(fd) => fd,
    };
    if context.host.socket(fd).is_none() {
        match wasi::filetype(context, fd) {
            Err(Stop::Errno(errno)) => return Ok(failed(errno)),
            Err(other) => return Err(other),
            Ok(3) => return Ok(failed(Errno::NOTCAPABLE)),
            Ok(_) if fd > 2 => return Ok(failed(REGULAR)),
            Ok(_) => {
                let kind = descriptor(context.host, fd).and_then(|fd| fstat(fd).ok());
                let kind = kind.map(|stat| FileType::from_raw_mode(stat.st_mode));
                let pollable = [FileType::Fifo, FileType::Socket].map(Some);
                let terminal = descriptor(context.host, fd).is_some_and(rustix::termios::isatty);
                if !pollable.contains(&kind) && !terminal {
                    return Ok(failed(REGULAR));
                }
            }
        }
    }
    if !seen.insert((fd, matches!(one.wanted, Wanted::Read(_)))) {
        return Ok(failed(Errno::EXIST));
    }
    let poller = &context.host.poller;
    if poller.interrupted.contains(&one.wanted) {
        return Ok(failed(Errno::EXIST));
    }
    let id = context.host.socket(fd).map(|socket| socket.id);
    if !context.host.faultless() && id.is_some_and(|id| poller.lost(id)) {
        return Ok(failed(Errno::NOENT));
    }
    Ok(Slot::default())
}

/// When a clock strikes; never, if that is further away than this host can count.
fn due(id: u32, timeout: u64, absolute: bool, now: Instant) -> Option<Instant> {
    let timeout = Duration::from_nanos(timeout);
    if !absolute {
        // WasmEdge takes the highest number for "never", and makes 1 ns of none.
        return now
            .checked_add(timeout)
            .filter(|_| timeout.as_nanos() < u64::MAX.into());
    }
    let clock = match id {
        REALTIME => SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
        _ => clock::monotonic(),
    };
    now.checked_add(timeout.saturating_sub(clock))
}

/// The system's own descriptor.
fn descriptor(host: &Host, fd: u32) -> Option<BorrowedFd<'_>> {
    match (host.socket(fd), fd) {
        (Some(socket), _) => Some(socket.as_fd()),
        (None, 0) => Some(stdio::stdin()),
        (None, 1) => Some(stdio::stdout()),
        (None, 2) => Some(stdio::stderr()),
        _ => None,
    }
}

fn flags(host: &Host, wanted: Wanted) -> PollFlags {
    let direction = match wanted {
        Wanted::Read(_) => PollFlags::IN,
        _ => PollFlags::OUT,
    };
    match host.faultless() {
        true => direction,
        false => direction | PollFlags::RDHUP,
    }
}

/// What the system's answers, by descriptors, mean for one subscription.
fn ready(host: &Host, one: &Subscription, found: &HashMap<u32, PollFlags>) -> Option<Event> {
    let fd = one.fd()?;
    let found = *found.get(&fd)?;
    let ended = host.socket(fd).is_some_and(|socket| socket.reset);
    let [input, output, hangup] =
        [PollFlags::IN, PollFlags::OUT, PollFlags::HUP].map(|flag| found.intersects(flag));
    let marked = match one.wanted {
        Wanted::Read(_) => input,
        _ => output,
    };
    // Without a direction there is nothing that WasmEdge could say, and it says nothing.
    let alone = host.faultless() && found.intersects(PollFlags::ERR);
    // And one who waits for both directions is not told of the one that only has hung up.
    let gone = hangup && (host.faultless() || !(input || output));
    if !(marked || gone || alone || ended) {
        return None;
    }
    Some(Event {
        nbytes: nbytes(host, one),
        flags: if hangup || ended { HANGUP } else { 0 },
        ..one.event(Errno::SUCCESS)
    })
}

/// WasmEdge says 1 of whatever is readable but listeners (0.14.1, 0.17.1), and what room there is
/// of what is writable.
fn nbytes(host: &Host, one: &Subscription) -> u64 {
    let Some(socket) = one.fd().and_then(|fd| host.socket(fd)) else {
        return 1;
    };
    let listener =
        socket.kind == SocketType::STREAM && sockopt::socket_acceptconn(socket).unwrap_or_default();
    match one.wanted {
        Wanted::Read(_) if listener => 0,
        Wanted::Read(_) if !host.faultless() => 1,
        Wanted::Read(_) => rustix::io::ioctl_fionread(socket).unwrap_or_default(),
        _ => sock::room_to_send(socket),
    }
}

/// After an interrupted call WasmEdge writes what becomes ready into the slots that the interrupted
/// call had, whatever the new call has in their place.
fn misplace(host: &Host, list: &[Subscription], slots: &mut [Slot], late: &HashSet<u64>) -> Answer {
    for (place, wanted) in host.poller.interrupted.iter().enumerate() {
        let (Wanted::Read(fd) | Wanted::Write(fd)) = *wanted else {
            continue;
        };
        let hidden = host
            .socket(fd)
            .is_some_and(|socket| late.contains(&socket.id));
        let Some(os) = descriptor(host, fd).filter(|_| !hidden) else {
            continue;
        };
        let mut now = [PollFd::from_borrowed_fd(os, flags(host, *wanted))];
        Host::wait(&mut now, Some(Instant::now()), None)?;
        let as_asked = Subscription {
            userdata: 0,
            wanted: *wanted,
        };
        let Some(event) = ready(host, &as_asked, &HashMap::from([(fd, now[0].revents())])) else {
            continue;
        };
        let same_kind = |there: &Subscription| {
            std::mem::discriminant(&there.wanted) == std::mem::discriminant(wanted)
        };
        match list.get(place) {
            Some(there) if same_kind(there) => {
                let userdata = there.userdata;
                slots[place].event = Some(Event { userdata, ..event });
            }
            _ => {
                return Err(Stop::Trap(
                    "WasmEdge ends here: the list has changed after an interrupted poll".into(),
                ));
            }
        }
    }
    Ok(())
}
