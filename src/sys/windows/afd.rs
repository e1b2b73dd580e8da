//! The state machine of one socket: what the program waits for, and what the kernel was told.
//!
//! AFD is the driver below Winsock. Its poll of a socket ends as soon as one of its conditions
//! holds: it is level-triggered, forgets, and cannot be changed while it lasts. [`State::is_due`]
//! says what follows from that.
//!
//! Registering and re-arming edit the state and queue the socket; [`flush`] tells the kernel right
//! before a wait. Where a thread waits already, it is told at once.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::collections::{HashSet, VecDeque};
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawSocket};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{FILE_OPEN, NtCreateFile};
use windows_sys::Win32::Foundation::*;
use windows_sys::Win32::Networking::WinSock::*;
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE, SYNCHRONIZE};
use windows_sys::Win32::System::IO::{CancelIoEx, DeviceIoControl, IO_STATUS_BLOCK};

use super::iocp::Event;
use super::port::{Deliver, Home, Operation, Overlapped, Port, cvt, lock};
use crate::error::{ErrorKind, error};
use crate::ready::{Direction, Outcome, Ready};
use crate::{Interest, Token};

const IOCTL_AFD_POLL: u32 = 0x0001_2024;

/// The conditions of a poll.
const RECEIVE: u32 = 1;
const EXPEDITED: u32 = 1 << 1;
const SEND: u32 = 1 << 2;
const DISCONNECT: u32 = 1 << 3;
const ABORT: u32 = 1 << 4;
const LOCAL_CLOSE: u32 = 1 << 5;
const ACCEPT: u32 = 1 << 7;
const CONNECT_FAIL: u32 = 1 << 8;

/// After these there is nothing left to wait for.
const FATAL: u32 = ABORT | CONNECT_FAIL;
const READ: u32 = RECEIVE | ACCEPT | DISCONNECT | FATAL;
const WRITE: u32 = SEND | FATAL;

/// What conditions say of their socket.
fn meaning(conditions: u32) -> Ready {
    let table = [
        (READ, Ready::READABLE),
        (WRITE, Ready::WRITABLE),
        (DISCONNECT | FATAL, Ready::READ_CLOSED),
        (FATAL, Ready::WRITE_CLOSED),
        (CONNECT_FAIL, Ready::ERROR),
        (EXPEDITED, Ready::PRIORITY),
    ];
    let said = table.iter().filter(|(any, _)| any & conditions != 0);
    said.fold(Ready::NOTHING, |sum, (_, ready)| sum | *ready)
}

/// A condition of ours: that the rest of a direction is over.
const RESTED: u32 = 1 << 31;

/// How long a direction rests that would be ready again at once: 10 ms, in units of 100 ns.
const REST: i64 = 100_000;

/// As many sockets share a handle of the driver's: to cancel a poll, it searches the handle's.
const SHARE: usize = 32;

/// The driver's own structure, for one socket.
#[derive(Copy, Clone, Default)]
#[repr(C)]
struct Poll {
    /// Negative: from now on.
    timeout: i64,
    count: u32,
    exclusive: u32,
    socket: usize,
    conditions: u32,
    status: NTSTATUS,
}

/// The sockets of a port.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    /// Whether a thread waits, or is about to.
    pub(super) waiting: bool,
    /// Those that the kernel is to be told of.
    updates: VecDeque<Arc<Socket>>,
    /// Those without a row, for the next to come.
    spare: Vec<Arc<Socket>>,
    watched: HashSet<usize>,
    driver: Option<Arc<OwnedHandle>>,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct Socket {
    operation: Operation,
    /// The kernel's while the operation is in flight.
    poll: UnsafeCell<Poll>,
    driver: Arc<OwnedHandle>,
    pub(super) state: Mutex<State>,
}

// SAFETY: `poll` is the kernel's unless the phase is `Idle`, and then the lock's on `state`.
unsafe impl Sync for Socket {}
impl std::panic::RefUnwindSafe for Socket {}

#[derive(Debug, Default)]
pub(super) struct State {
    socket: usize,
    token: usize,
    /// The conditions that were asked for, and those of them that are not told yet.
    interest: u32,
    armed: u32,
    /// To be armed after a rest.
    resting: u32,
    phase: Phase,
    queued: bool,
    /// Whether it can be polled: it was not let go, refused, or closed behind our back.
    open: bool,
    /// Whether a row has it.
    owned: bool,
}

#[derive(Copy, Clone, Debug, Default, PartialEq)]
enum Phase {
    #[default]
    Idle,
    /// Until one of these holds.
    Pending(u32),
    Cancelled,
}

impl State {
    /// What the kernel is to wait for.
    fn wanted(&self) -> u32 {
        self.armed | if self.resting == 0 { 0 } else { RESTED }
    }

    /// Whether the kernel is to be told something.
    fn is_due(&self) -> bool {
        match self.phase {
            // Nothing is asked of the kernel: there may be something to ask.
            Phase::Idle => self.open && self.wanted() != 0,
            // A poll that covers what is wanted stays; what else it tells is dropped. One that
            // lacks something is cancelled, and so is that of a socket that was let go.
            Phase::Pending(polled) => !self.open || self.wanted() & !polled != 0,
            // Its packet is on the way and begins the next; the memory is the kernel's until then.
            Phase::Cancelled => false,
        }
    }

    /// All that is of interest, from the start.
    pub(super) fn watch(&mut self, token: Token, interest: Interest) {
        let when = |asked: bool, conditions: u32| if asked { conditions } else { 0 };
        self.token = token.0;
        self.interest = when(interest.is_readable(), READ)
            | when(interest.is_writable(), WRITE)
            | when(interest.is_priority(), EXPEDITED | FATAL);
        (self.armed, self.resting) = (self.interest, 0);
    }

    pub(super) fn note(&mut self, direction: Direction, outcome: Outcome) {
        let side = [READ | EXPEDITED, WRITE][direction as usize] & self.interest;
        match outcome {
            Outcome::Took | Outcome::Drained | Outcome::Dry => self.armed |= side,
            Outcome::Left | Outcome::Stuck => self.resting |= side & !self.armed,
            Outcome::Ended => self.armed &= !side | FATAL,
            Outcome::Moved | Outcome::Nothing => {}
        }
        if !matches!(outcome, Outcome::Left | Outcome::Stuck) {
            self.resting &= !side;
        }
    }

    /// The socket is not to be polled any more. Its number may come back as another's.
    fn lose(&mut self, port: &Port) {
        if std::mem::take(&mut self.open) {
            lock(&port.sockets).watched.remove(&self.socket);
        }
        (self.armed, self.resting) = (0, 0);
    }

    /// Delivers what a poll has told, with what was told before and not found wanting since. It is
    /// not told again.
    fn tell(&mut self, conditions: u32, deliver: Deliver<'_>) {
        let known = self.interest & !self.armed;
        // A fatal one is an event of both directions.
        if conditions & FATAL != 0 {
            (self.armed, self.resting) = (0, 0);
        }
        self.armed &= !conditions;
        deliver(Event::new(Token(self.token), meaning(conditions | known)));
    }
}

impl Socket {
    /// One for a row, over no socket yet.
    pub(super) fn new(port: &Port) -> io::Result<Arc<Socket>> {
        let mut sockets = lock(&port.sockets);
        let this = match sockets.spare.pop() {
            Some(this) => this,
            None => Arc::new(Socket {
                operation: Operation::of::<Socket>(),
                poll: UnsafeCell::default(),
                driver: sockets.driver(port)?,
                state: Mutex::default(),
            }),
        };
        drop(sockets);
        lock(&this.state).owned = true;
        Ok(this)
    }

    /// Watches `socket`, as it does unless that is new, or has been lost.
    pub(super) fn open(&self, port: &Port, socket: RawSocket) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.open {
            state.socket = base(socket as usize)?;
            state.open = lock(&port.sockets).watched.insert(state.socket);
        }
        let what = "another registered source owns the same socket";
        let twice = || error(ErrorKind::AlreadyExists, what, "register only one of them");
        state.open.then_some(()).ok_or_else(twice)
    }

    /// Tells the kernel what is due, where a wait is under way; else that is left to the next. A
    /// poll that it refuses is an event, the last: it fails only where that cannot be sent.
    pub(super) fn settle(self: &Arc<Socket>, state: &mut State, port: &Port) -> io::Result<()> {
        if state.queued || !state.is_due() {
            return Ok(());
        }
        let mut sockets = lock(&port.sockets);
        if !sockets.waiting {
            state.queued = true;
            sockets.updates.push_back(Arc::clone(self));
            return Ok(());
        }
        drop(sockets);
        if state.phase != Phase::Idle {
            let (driver, operation) = (self.driver.as_raw_handle(), self.operation.overlapped());
            // Where there is nothing left to cancel, the packet is on the way already.
            // SAFETY: the driver's handle is open, and the kernel only compares the pointer.
            unsafe { CancelIoEx(driver, operation) };
            state.phase = Phase::Cancelled;
        } else if self.poll(state, port).is_ok() {
            state.phase = Phase::Pending(state.wanted());
        } else {
            state.lose(port);
            port.post(Token(state.token), meaning(FATAL))?;
        }
        Ok(())
    }

    fn poll(self: &Arc<Socket>, state: &State, port: &Port) -> io::Result<()> {
        let (to, length) = (self.poll.get(), size_of::<Poll>() as u32);
        let poll = Poll {
            timeout: if state.resting == 0 { i64::MAX } else { -REST },
            count: 1,
            socket: state.socket,
            conditions: state.armed | LOCAL_CLOSE,
            ..Poll::default()
        };
        // SAFETY: the phase is `Idle`, so that the memory is not the kernel's.
        unsafe { to.write(poll) };
        let (driver, code, to) = (self.driver.as_raw_handle(), IOCTL_AFD_POLL, to.cast());
        // SAFETY: the operation is not in flight, as said; the driver's handle is bound to `port`;
        // and `start` keeps the memory until the packet is there.
        unsafe {
            port.start(self, |it| {
                DeviceIoControl(driver, code, to, length, to, length, null_mut(), it)
            })
        }
    }

    /// The row goes. What is in flight ends with the socket or by the next wait, and is not told.
    pub(super) fn release(self: &Arc<Socket>, port: &Port) {
        let mut state = lock(&self.state);
        state.lose(port);
        state.owned = false;
        if state.phase == Phase::Idle {
            lock(&port.sockets).spare.push(Arc::clone(self));
        }
        // There is no poll to be refused.
        let _ = self.settle(&mut state, port);
    }
}

// SAFETY: `repr(C)`, and the first field is made so by `Socket::new`.
unsafe impl Overlapped for Socket {
    fn done(self: Arc<Socket>, status: NTSTATUS, _: usize, port: Home<'_>, deliver: Deliver<'_>) {
        let Some(port) = port else { return };
        let mut state = lock(&self.state);
        state.phase = Phase::Idle;
        // SAFETY: the poll has ended, and the lock is held.
        let poll = unsafe { *self.poll.get() };
        let (news, lost) = (poll.conditions & state.armed, poll.conditions & LOCAL_CLOSE);
        // Nothing holds: the rest is over.
        let over = poll.count == 0;
        let status = if over { STATUS_TIMEOUT } else { status };
        match status {
            _ if !state.open => {}
            STATUS_TIMEOUT => state.armed |= std::mem::take(&mut state.resting),
            // By us, or by Windows with the thread that began it.
            STATUS_CANCELLED => {}
            STATUS_SUCCESS if lost == 0 && news == 0 => {}
            STATUS_SUCCESS if lost == 0 => state.tell(news, deliver),
            // The driver failed, or the socket was closed behind our back.
            _ => {
                state.lose(port);
                state.tell(CONNECT_FAIL, deliver);
            }
        }
        if !state.owned {
            lock(&port.sockets).spare.push(Arc::clone(&self));
        }
        // No wait is under way: it only queues.
        let _ = self.settle(&mut state, port);
    }
}

/// Begins a wait: tells the kernel all that is due, and from now on what comes.
pub(super) fn flush(port: &Port) -> io::Result<()> {
    lock(&port.sockets).waiting = true;
    let next = || lock(&port.sockets).updates.pop_front();
    while let Some(socket) = next() {
        let mut state = lock(&socket.state);
        state.queued = false;
        socket.settle(&mut state, port)?;
    }
    Ok(())
}

impl Sockets {
    /// A handle of the driver's for one more socket.
    fn driver(&mut self, port: &Port) -> io::Result<Arc<OwnedHandle>> {
        let room = |driver: &&Arc<OwnedHandle>| Arc::strong_count(driver) <= SHARE;
        if let Some(driver) = self.driver.as_ref().filter(room) {
            return Ok(Arc::clone(driver));
        }
        let driver = open()?;
        port.associate(&driver)?;
        Ok(Arc::clone(self.driver.insert(Arc::new(driver))))
    }
}

/// Opens the driver. What follows its name is ours to choose.
fn open() -> io::Result<OwnedHandle> {
    let mut name: Vec<u16> = r"\Device\Afd\MioWasi".encode_utf16().collect();
    let length = size_of_val(&name[..]) as u16;
    let name = UNICODE_STRING {
        Length: length,
        MaximumLength: length,
        Buffer: name.as_mut_ptr(),
    };
    let attributes = OBJECT_ATTRIBUTES {
        Length: size_of::<OBJECT_ATTRIBUTES>() as u32,
        ObjectName: &name,
        ..OBJECT_ATTRIBUTES::default()
    };
    let (mut driver, mut status) = (null_mut(), IO_STATUS_BLOCK::default());
    let (sync, share) = (SYNCHRONIZE, FILE_SHARE_READ | FILE_SHARE_WRITE);
    let (to, of, at) = (&mut driver, &attributes, &mut status);
    // SAFETY: all that is pointed to lives through the call.
    let answer =
        unsafe { NtCreateFile(to, sync, of, at, null(), 0, share, FILE_OPEN, 0, null(), 0) };
    // SAFETY: no pointers.
    match unsafe { RtlNtStatusToDosError(answer) } {
        // SAFETY: the kernel has just given us this handle, and nobody else has it.
        0 => Ok(unsafe { OwnedHandle::from_raw_handle(driver) }),
        error => Err(io::Error::from_raw_os_error(error as i32)),
    }
}

/// The driver's own socket, which a layer above it may have wrapped.
fn base(socket: usize) -> io::Result<usize> {
    let ask = |code: u32| {
        let (mut base, mut length, room) = (0_usize, 0, size_of::<usize>() as u32);
        let (to, size) = ((&raw mut base).cast(), &mut length);
        // SAFETY: Windows writes `room` bytes to `base` at most, and how many to `length`.
        let answer = unsafe { WSAIoctl(socket, code, null(), 0, to, room, size, null_mut(), None) };
        cvt((answer == 0).into()).map(|()| base)
    };
    ask(SIO_BASE_HANDLE).or_else(|error| {
        // A layer that refuses this may answer another; where there is none, all say `socket`.
        let others = [SIO_BSP_HANDLE_SELECT, SIO_BSP_HANDLE_POLL, SIO_BSP_HANDLE];
        let mut answers = others.into_iter().filter_map(|other| ask(other).ok());
        answers.find(|base| *base != socket).ok_or(error)
    })
}
