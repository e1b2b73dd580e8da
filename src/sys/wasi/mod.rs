//! WASI: a subscription table of our own over `poll_oneoff`, which is level-triggered and forgets.
//!
#![doc = include_str!("wasi.md")]

// A component has no `poll_oneoff`, and the C library's sockets.
#[cfg_attr(not(target_env = "p1"), path = "component.rs")]
mod abi;
mod row;
mod rows;
mod schedule;
#[cfg(feature = "net")]
#[cfg_attr(not(target_env = "p1"), path = "streams.rs")]
pub(crate) mod socket;
mod table;
mod wait;

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasi::{ERRNO_BADF, ERRNO_SUCCESS, Fd, Subscription};

use self::row::Key;
pub(crate) use self::row::Role;
use self::table::Table;
use self::wait::{Host, NO_EVENT, Waiter};
use crate::error::{ErrorKind, error};
use crate::event::Event as PublicEvent;
use crate::ready::Ready;
use crate::sys::{Direction, Outcome};
use crate::{Interest, Token};

/// A source as the host knows it.
#[derive(Copy, Clone)]
pub(crate) struct Source {
    pub(crate) fd: Fd,
    /// Whether this library made the socket. Of any other descriptor it asks the host what it is:
    /// WasmEdge (0.14 to 0.17) waits for ever for one that is closed, or is a file.
    pub(crate) trusted: bool,
    pub(crate) role: Role,
}

#[derive(Clone)]
pub(crate) struct Selector(Arc<Mutex<Waiter<WasiHost>>>);

impl Selector {
    fn lock(&self) -> MutexGuard<'_, Waiter<WasiHost>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl super::Selector for Selector {
    type Source = Source;
    type Row = Row;
    type Event = Event;

    fn new() -> io::Result<Selector> {
        open_poller()?;
        let waiter = Waiter::new(WasiHost(None));
        Ok(Selector(Arc::new(Mutex::new(waiter))))
    }
    fn try_clone(&self) -> io::Result<Selector> {
        Ok(self.clone())
    }
    fn subscribe(&self, source: Source, token: Token, interest: Interest) -> io::Result<Row> {
        if !source.trusted {
            abi::pollable(source.fd)?;
        }
        let table = &mut self.lock().table;
        let key = table.insert(source.fd, source.role, token, interest);
        let key = key.ok_or_else(|| {
            let what = "another registered source owns the same descriptor";
            error(ErrorKind::AlreadyExists, what, "register only one of them")
        })?;
        Ok(Row(Some((self.clone(), key))))
    }
    fn modify(&self, row: &Row, _: Source, token: Token, interest: Interest) -> io::Result<()> {
        row.change(|table, key| table.modify(key, token, interest));
        Ok(())
    }
    fn unsubscribe(&self, row: Row, _: Source) -> io::Result<()> {
        drop(row);
        Ok(())
    }
    fn wait(&self, events: &mut Vec<PublicEvent>, timeout: Option<Duration>) -> io::Result<()> {
        self.lock().wait(events, timeout)
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector").finish_non_exhaustive()
    }
}

/// A source's slot in the table. Its drop takes the rows out, so it goes before the descriptor.
#[derive(Debug)]
pub(crate) struct Row(Option<(Selector, Key)>);

impl Row {
    fn change(&self, change: impl FnOnce(&mut Table, Key)) {
        if let Some((selector, key)) = &self.0 {
            change(&mut selector.lock().table, *key);
        }
    }
}

impl super::Row for Row {
    const NONE: Row = Row(None);
    const LEVEL: bool = true;

    fn note(&self, direction: Direction, outcome: Outcome) {
        if outcome != Outcome::Nothing {
            self.change(|table, key| table.note(key, direction, outcome));
        }
    }
    fn permit_read(&self) -> io::Result<()> {
        if !abi::SHORT_IS_ALL {
            return Ok(());
        }
        let mut drained = false;
        self.change(|table, key| drained = table.take_drained(key));
        if drained {
            let again = wasi::ERRNO_AGAIN.raw();
            return Err(io::Error::from_raw_os_error(again.into()));
        }
        Ok(())
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.change(|table, key| table.remove(key));
    }
}

#[derive(Copy, Clone)]
pub(crate) struct Event {
    token: Token,
    ready: Ready,
}

impl super::RawEvent for Event {
    fn token(&self) -> Token {
        self.token
    }
    fn is(&self, ready: Ready) -> bool {
        self.ready.contains(ready)
    }
}

#[derive(Debug)]
pub(crate) struct Waker {
    selector: Selector,
    token: Token,
}

impl super::Wake for Waker {
    type Selector = Selector;

    fn new(selector: &Selector, token: Token) -> io::Result<Waker> {
        let selector = selector.clone();
        selector.lock().expect_waker();
        Ok(Waker { selector, token })
    }
    fn wake(&self) -> io::Result<()> {
        self.selector.lock().wake(self.token);
        Ok(())
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.selector.lock().forget_wake(self.token);
    }
}

/// With its spare socket.
struct WasiHost(Option<OwnedFd>);

impl Host for WasiHost {
    fn poll(&mut self, rows: &[Subscription], events: &mut [wasi::Event]) -> io::Result<usize> {
        abi::poll(rows, events)
    }
    fn now(&mut self) -> u64 {
        abi::now()
    }
    fn spare(&mut self) -> Option<Fd> {
        self.0 = self.0.take().or_else(abi::spare);
        self.0.as_ref().map(|fd| fd.as_raw_fd() as Fd)
    }
}

/// Makes WasmEdge (0.14 to 0.17) open its epoll descriptor and a timer while it can. One that does
/// so for the first time when the descriptors are used up answers every later wait with errors.
fn open_poller() -> io::Result<()> {
    static OPEN: AtomicBool = AtomicBool::new(false);
    if OPEN.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut answer = [NO_EVENT];
    wait::call_alone(&mut WasiHost(None), &mut answer)?;
    match answer[0].error {
        ERRNO_SUCCESS => {
            OPEN.store(true, Ordering::Relaxed);
            Ok(())
        }
        ERRNO_BADF => {
            let what = "the host cannot wait: its descriptors were used up before the first poller";
            let advice = "make a poller first, or raise the limit of open files";
            Err(error(ErrorKind::Other, what, advice))
        }
        errno => Err(io::Error::from_raw_os_error(errno.raw().into())),
    }
}
