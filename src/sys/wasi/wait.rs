//! One wait: from the table to the user's events, over a host that says less than it knows.
//!
#![doc = include_str!("wait.md")]

use std::io;
use std::ops::Range;
use std::time::Duration;

use wasi::{
    ERRNO_EXIST, ERRNO_INTR, ERRNO_NOENT, ERRNO_SUCCESS, EVENTRWFLAGS_FD_READWRITE_HANGUP,
    EVENTTYPE_CLOCK, Errno, EventFdReadwrite, Fd, Subscription,
};

use super::row::{FIRST, First, NOBODY};
use super::schedule::{Schedule, Step};
use super::table::{Delivery, Table};
use crate::Token;
use crate::error::{ErrorKind, error, no_capacity};
use crate::event::Event;
use crate::ready::Ready;
use crate::sys::Direction;

/// How long parked rows stay away, in nanoseconds: in all, and for each row that there is. To come
/// and go costs one some 4 µs on WasmEdge, and so does each that is handed over to find out whether
/// the host still answers nothing; so this takes a tenth of the time at most.
const PAUSE: u64 = 10_000_000;
const PAUSE_PER_ROW: u64 = 40_000;
/// How many calls in a row may say nothing before a wait gives up on the host.
const PATIENCE: u32 = 16;
/// How often a wait heals the host. What is unknown even then is the row's own error.
const HEALINGS: u32 = 4;
/// How often one call may be interrupted. Each time somebody has stopped the process.
const INTERRUPTIONS: u32 = 1024;

/// What a wait needs of the world.
pub(super) trait Host {
    /// `poll_oneoff`: waits for one of `rows`, writes the answer to `events`, returns its length.
    fn poll(&mut self, rows: &[Subscription], events: &mut [wasi::Event]) -> io::Result<usize>;
    /// The monotonic clock, in nanoseconds.
    fn now(&mut self) -> u64;
    /// A socket that can always be written to, if there is one: a wait that has it in the list
    /// ends at once. On WasmEdge the shortest clock costs 35 µs instead.
    fn spare(&mut self) -> Option<Fd>;
}

pub(super) struct Waiter<H> {
    pub(super) table: Table,
    schedule: Schedule,
    host: H,
    /// The host's last answer, and the part of it that is not delivered yet.
    answer: Vec<wasi::Event>,
    rest: Range<usize>,
    /// Wakes that have not been delivered: the wakers' tokens, each once.
    wakes: Vec<Token>,
    wakers: usize,
    wake_goes_first: bool,
    /// When the parked rows come back, by the host's clock; known from the next wait on.
    resume: Option<u64>,
    /// How many more calls of this wait may say nothing.
    patience: u32,
}

/// The caller's timeout.
#[derive(Default)]
struct Timer {
    limit: Option<u64>,
    /// When the limit ends. Known only once something needs it, since asking is a host call.
    deadline: Option<u64>,
    /// The time, if it was just asked for.
    now: Option<u64>,
}

/// What an answer said besides events of sources.
#[derive(Default)]
struct Aside {
    first: Option<Errno>,
    lost_rows: bool,
    /// Something that means nothing, such as that a row is still watched.
    nothing: bool,
}

impl<H: Host> Waiter<H> {
    pub(super) fn new(host: H) -> Waiter<H> {
        Waiter {
            table: Table::new(),
            schedule: Schedule::default(),
            host,
            answer: Vec::new(),
            rest: 0..0,
            wakes: Vec::new(),
            wakers: 0,
            wake_goes_first: false,
            resume: None,
            patience: PATIENCE,
        }
    }

    /// A further waker exists: its wakes will not allocate.
    pub(super) fn expect_waker(&mut self) {
        self.wakers += 1;
        self.wakes.reserve(self.wakers);
    }

    pub(super) fn wake(&mut self, token: Token) {
        if !self.wakes.contains(&token) {
            self.wakes.push(token);
        }
    }

    /// The waker is gone, and what it did not get through with it.
    pub(super) fn forget_wake(&mut self, token: Token) {
        self.wakes.retain(|wake| *wake != token);
        self.wakers -= 1;
    }

    pub(super) fn wait(&mut self, out: &mut Vec<Event>, limit: Option<Duration>) -> io::Result<()> {
        if out.capacity() == 0 {
            return Err(no_capacity());
        }
        self.table.begin();
        let wake_went_first = std::mem::take(&mut self.wake_goes_first);
        if wake_went_first {
            self.deliver_wakes(out);
        }
        let before = out.len();
        let _ = self.deliver(out, false);
        if out.len() == before && out.len() < out.capacity() {
            let idle = out.is_empty() && self.wakes.is_empty();
            let timeout = if idle { limit } else { Some(Duration::ZERO) };
            let result = self.ask(out, timeout);
            if idle && out.is_empty() {
                return result;
            }
        }
        self.deliver_wakes(out);
        self.wake_goes_first = !wake_went_first && !self.wakes.is_empty();
        Ok(())
    }

    fn ask(&mut self, out: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        let mut timer = Timer::new(timeout);
        if !self.table.has_armed() && self.table.parked() == 0 && timer.limit.is_none() {
            let what = "no source is watched, no waker was used and there is no timeout";
            let advice = "this poll could never return; register a source, read or write until \
                          `WouldBlock`, or give a timeout";
            return Err(error(ErrorKind::InvalidInput, what, advice));
        }
        self.plan(&mut timer);
        let (mut napped, mut healed) = (false, 0);
        self.patience = PATIENCE;
        while self.patience > 0 {
            let (limit, last) = self.limit(&mut timer);
            if limit == Some(0) && (napped || !self.table.has_armed()) {
                break;
            }
            let step = self.schedule.step(self.table.rows.cold(), limit);
            self.call(step, &mut timer)?;
            let aside = self.deliver(out, healed == HEALINGS);
            if aside.lost_rows {
                // Without any source: the host lets go of all that it remembers.
                call_alone(&mut self.host, &mut [NO_EVENT])?;
                healed += 1;
            }
            let first = match step.sleep {
                // There was none, whatever the host says of it.
                None => None,
                // The call was not to sleep, and did not: an error is one of the spare socket's.
                Some(0) => aside.first.and(Some(ERRNO_SUCCESS)),
                Some(_) => aside.first,
            };
            match first {
                _ if !out.is_empty() => break,
                _ if aside.lost_rows => {}
                Some(ERRNO_SUCCESS) if step.sleep != limit => {
                    napped = true;
                    continue;
                }
                Some(ERRNO_SUCCESS) if last => break,
                Some(ERRNO_SUCCESS) => {}
                Some(error) => return Err(io::Error::from_raw_os_error(error.raw().into())),
                None if aside.nothing || self.table.park_writers() => {}
                None => self.table.report_silent(out, self.patience < PATIENCE),
            }
            if !out.is_empty() {
                break;
            }
            self.patience -= 1;
        }
        let now = || self.host.now();
        self.schedule.end(out.is_empty(), &self.table.rows, now);
        Ok(())
    }

    /// Chooses how the rows are handed over. Only a choice that has to know the time asks for it.
    fn plan(&mut self, timer: &mut Timer) {
        let rows = &mut self.table.rows;
        rows.cool();
        if rows.are_many() {
            let now = self.host.now();
            timer.start(now);
            self.schedule.begin(now, rows);
        } else {
            self.schedule.step_aside();
        }
    }

    /// How long the next call may sleep, and whether the wait is over when it has.
    fn limit(&mut self, timer: &mut Timer) -> (Option<u64>, bool) {
        let pause = self.pause();
        // A wait that may be made up of several calls has to know when it began.
        let long = timer.limit.is_some_and(|limit| limit > PAUSE);
        let several = pause.is_some() || self.patience < PATIENCE;
        let exact = several || long && self.table.has_suspects();
        match (timer.left(&mut self.host, exact), pause) {
            (Some(left), Some(pause)) if left > pause => (Some(pause), false),
            (None, Some(pause)) => (Some(pause), false),
            (left, _) => (left, true),
        }
    }

    /// What is left of the pause of the parked rows; where it is over, they come back.
    fn pause(&mut self) -> Option<u64> {
        let parked = self.table.parked() as u64;
        if parked == 0 {
            self.resume = None;
            return None;
        }
        let now = self.host.now();
        let pause = PAUSE + (parked + self.table.rows.count() as u64) * PAUSE_PER_ROW;
        let resume = *self.resume.get_or_insert(now.saturating_add(pause));
        if now < resume {
            return Some(resume - now);
        }
        self.table.unpark();
        self.resume = None;
        self.patience = PATIENCE;
        None
    }

    /// Hands the step's rows over, and again for as long as the host is interrupted.
    fn call(&mut self, step: Step, timer: &mut Timer) -> io::Result<()> {
        let mut first = step.sleep.map(|sleep| match sleep {
            0 => self.host.spare().map_or(First::Clock(1), First::Spare),
            _ => First::Clock(sleep),
        });
        let room = self.table.rows.count() + 1;
        if self.answer.len() < room {
            let more = room + room / 4 - self.answer.len();
            self.answer.reserve_exact(more);
            self.answer.resize(self.answer.len() + more, NO_EVENT);
        }
        self.table.rows.show(step.cold);
        for _ in 0..INTERRUPTIONS {
            let rows = self.table.rows.prefix(first);
            let count = self.host.poll(rows, &mut self.answer)?.min(rows.len());
            let answer = &self.answer[..count];
            if count == 0 || answer.iter().any(|event| event.error != ERRNO_INTR) {
                self.rest = 0..count;
                return Ok(());
            }
            if let Some(First::Clock(window)) = first {
                let left = timer.left(&mut self.host, true).unwrap_or(window);
                first = Some(First::Clock(left.clamp(1, window)));
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// Delivers the host's answer as far as there is room.
    fn deliver(&mut self, out: &mut Vec<Event>, healed: bool) -> Aside {
        let mut aside = Aside::default();
        while let Some(event) = self.answer[..self.rest.end].get_mut(self.rest.start) {
            match event.error {
                ERRNO_EXIST | ERRNO_INTR => aside.nothing = true,
                ERRNO_NOENT if !healed => aside.lost_rows = true,
                error if event.userdata == FIRST => aside.first = Some(error),
                _ => match self.table.deliver(event.userdata, ready(event), out) {
                    Delivery::Full => break,
                    Delivery::Stale => aside.nothing = true,
                    Delivery::Done => {}
                },
            }
            // A host that later tells more events than it writes must not repeat this one.
            *event = NO_EVENT;
            self.rest.start += 1;
        }
        aside
    }

    fn deliver_wakes(&mut self, out: &mut Vec<Event>) {
        let room = out.capacity() - out.len();
        for token in self.wakes.drain(..room.min(self.wakes.len())) {
            let ready = Ready::READABLE;
            let raw = super::Event { token, ready };
            out.push(Event { raw });
        }
    }
}

/// A call that has nothing but a clock, and again for as long as it is interrupted.
pub(super) fn call_alone(host: &mut impl Host, answer: &mut [wasi::Event; 1]) -> io::Result<()> {
    let clock = [First::Clock(1).row()];
    for _ in 0..INTERRUPTIONS {
        host.poll(&clock, answer)?;
        if answer[0].error != ERRNO_INTR {
            break;
        }
    }
    Ok(())
}

impl Timer {
    fn new(timeout: Option<Duration>) -> Timer {
        let limit = timeout.map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
        Timer {
            limit,
            ..Timer::default()
        }
    }

    fn start(&mut self, now: u64) {
        self.deadline = self.limit.map(|limit| now.saturating_add(limit));
        self.now = Some(now);
    }

    /// What is left of the timeout. The first call of a short wait takes it as it is, and spares a
    /// look at the clock; a later one needs to be `exact`.
    fn left(&mut self, host: &mut impl Host, exact: bool) -> Option<u64> {
        let limit = self.limit?;
        if limit == 0 || !(exact || self.deadline.is_some()) {
            return Some(limit);
        }
        let now = self.now.take().unwrap_or_else(|| host.now());
        let deadline = *self.deadline.get_or_insert(now.saturating_add(limit));
        Some(deadline.saturating_sub(now))
    }
}

/// What the host says of a row, in the library's words.
fn ready(event: &wasi::Event) -> Ready {
    let hangup = event.fd_readwrite.flags & EVENTRWFLAGS_FD_READWRITE_HANGUP != 0;
    Direction::of_row(event.userdata).ready()
        | Ready::ERROR.when(event.error != ERRNO_SUCCESS)
        | (Ready::READ_CLOSED | Ready::WRITE_CLOSED).when(hangup)
}

/// An event of nobody's.
pub(super) const NO_EVENT: wasi::Event = wasi::Event {
    userdata: NOBODY,
    error: ERRNO_SUCCESS,
    type_: EVENTTYPE_CLOCK,
    fd_readwrite: EventFdReadwrite {
        nbytes: 0,
        flags: 0,
    },
};
