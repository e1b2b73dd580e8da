//! The state machine of one socket: what the program waits for, and what the kernel was told.
//!
//! AFD is the driver below Winsock. Its one call that is of use here polls a socket, once, for a set
//! of conditions, and ends as soon as one of them holds: a poll is level-triggered and forgets. It
//! cannot be changed while it lasts. [`State::step`] says what follows from that.
//!
//! Registering and re-arming only edit the state and queue the socket; the kernel is told by
//! [`flush`], right before a wait. Where a thread waits already, it is told at once.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::collections::{HashSet, VecDeque};
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawSocket};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{FILE_OPEN, NtCreateFile};
use windows_sys::Win32::Foundation::{
    HANDLE, NTSTATUS, RtlNtStatusToDosError, STATUS_CANCELLED, STATUS_SUCCESS, STATUS_TIMEOUT,
    UNICODE_STRING,
};
use windows_sys::Win32::Networking::WinSock::{
    SIO_BASE_HANDLE, SIO_BSP_HANDLE, SIO_BSP_HANDLE_POLL, SIO_BSP_HANDLE_SELECT, WSAIoctl,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_SHARE_READ, FILE_SHARE_WRITE, SYNCHRONIZE};
use windows_sys::Win32::System::IO::{CancelIoEx, DeviceIoControl, IO_STATUS_BLOCK};

use super::iocp::Event;
use super::port::{Deliver, Operation, Overlapped, Port, cvt, lock};
use crate::error::{ErrorKind, error};
use crate::ready::{Direction, Outcome, Ready};
use crate::{Interest, Token};

const IOCTL_AFD_POLL: u32 = 0x0001_2024;

/// The conditions that a poll knows.
const RECEIVE: u32 = 1;
const EXPEDITED: u32 = 1 << 1;
const SEND: u32 = 1 << 2;
const DISCONNECT: u32 = 1 << 3;
const ABORT: u32 = 1 << 4;
const LOCAL_CLOSE: u32 = 1 << 5;
const ACCEPT: u32 = 1 << 7;
const CONNECT_FAIL: u32 = 1 << 8;

/// After these nothing is left to wait for.
const FATAL: u32 = ABORT | CONNECT_FAIL;
const READ: u32 = RECEIVE | ACCEPT | DISCONNECT | FATAL;
const WRITE: u32 = SEND | FATAL;

/// What each condition says of its socket.
const MEANING: [(u32, Ready); 6] = [
    (READ, Ready::READABLE),
    (WRITE, Ready::WRITABLE),
    (DISCONNECT | FATAL, Ready::READ_CLOSED),
    (FATAL, Ready::WRITE_CLOSED),
    (CONNECT_FAIL, Ready::ERROR),
    (EXPEDITED, Ready::PRIORITY),
];

fn meaning(conditions: u32) -> Ready {
    let said = MEANING.iter().filter(|(any, _)| any & conditions != 0);
    said.fold(Ready::NOTHING, |sum, (_, ready)| sum | *ready)
}

/// How long a direction rests that would be ready again at once, in units of 100 ns: 10 ms.
const REST: i64 = 100_000;

/// Polls share a handle of the driver's, so many that a cancel finds its own without a long search.
const SHARE: usize = 32;

/// AFD's own structure, for one socket.
#[repr(C)]
struct Poll {
    /// Negative: from now on.
    timeout: i64,
    count: u32,
    exclusive: u32,
    socket: RawSocket,
    conditions: u32,
    status: NTSTATUS,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Poll>() == 32);

/// All sockets of a port.
#[derive(Default)]
pub(super) struct Sockets {
    /// Whether a thread waits, or is about to.
    waiting: bool,
    /// Those that the kernel is to be told of.
    updates: VecDeque<Arc<Socket>>,
    /// Those without an owner, for the next to come.
    spare: Vec<Arc<Socket>>,
    owned: HashSet<RawSocket>,
    driver: Option<Arc<OwnedHandle>>,
}

#[repr(C)]
pub(super) struct Socket {
    operation: Operation,
    /// The kernel's while the operation is in flight.
    poll: UnsafeCell<Poll>,
    driver: Arc<OwnedHandle>,
    state: Mutex<State>,
}

// SAFETY: `poll` is used under the lock of `state` while its phase is `Idle`, else by the kernel.
unsafe impl Sync for Socket {}

pub(super) struct State {
    socket: RawSocket,
    token: Token,
    /// The conditions that the program asked for, and those of them that are not told yet.
    interest: u32,
    armed: u32,
    /// To be armed after a rest.
    resting: u32,
    phase: Phase,
    queued: bool,
    /// Whether the socket can be polled: it is registered, and not closed behind our back.
    open: bool,
    /// Whether a row has it.
    owned: bool,
}

#[derive(Copy, Clone, PartialEq)]
enum Phase {
    Idle,
    /// Until one of these conditions holds, or a rest is over.
    Pending(u32, bool),
    Cancelled,
}

#[derive(PartialEq)]
enum Step {
    Nothing,
    Poll,
    Cancel,
}

impl State {
    /// What the kernel is to be told.
    fn step(&self) -> Step {
        let rests = self.resting != 0;
        match self.phase {
            // Nothing is asked of the kernel, and nothing is to be asked.
            Phase::Idle if !self.open || (self.armed == 0 && !rests) => Step::Nothing,
            // Nothing is asked yet.
            Phase::Idle => Step::Poll,
            // The socket is let go, and nobody is to hear of it again.
            Phase::Pending(..) if !self.open => Step::Cancel,
            // The poll covers what is asked for, or more: what is not is dropped when it is told.
            Phase::Pending(polled, timed) if self.armed & !polled == 0 && (timed || !rests) => {
                Step::Nothing
            }
            // The poll lacks something. It ends as cancelled, and that begins the next.
            Phase::Pending(..) => Step::Cancel,
            // Its packet is on the way: the memory is the kernel's until then.
            Phase::Cancelled => Step::Nothing,
        }
    }

    /// All that is of interest, from the start.
    pub(super) fn watch(&mut self, token: Token, interest: Interest) {
        let when = |asked: bool, conditions: u32| if asked { conditions } else { 0 };
        self.token = token;
        self.interest = when(interest.is_readable(), READ)
            | when(interest.is_writable(), WRITE)
            | when(interest.is_priority(), EXPEDITED | FATAL);
        self.armed = self.interest;
        self.resting = 0;
    }

    pub(super) fn note(&mut self, direction: Direction, outcome: Outcome) {
        let side = match direction {
            Direction::Read => READ | EXPEDITED,
            Direction::Write => WRITE,
        };
        let side = self.interest & side;
        match outcome {
            Outcome::Took | Outcome::Drained | Outcome::Dry => {
                self.armed |= side;
                self.resting &= !side;
            }
            Outcome::Left | Outcome::Stuck => self.resting |= side & !self.armed,
            Outcome::Ended => {
                self.armed &= !side | FATAL;
                self.resting &= !side;
            }
            Outcome::Moved | Outcome::Nothing => {}
        }
    }

    /// Takes the conditions that a poll has told out of what is armed.
    fn tell(&mut self, conditions: u32, deliver: Deliver<'_>) {
        // A fatal one is an event of both directions.
        self.armed &= if conditions & FATAL == 0 {
            !conditions
        } else {
            0
        };
        deliver(Event::new(self.token, meaning(conditions)));
    }
}

impl Socket {
    /// Takes `socket` under watch, for nothing yet.
    pub(super) fn new(port: &Port, socket: RawSocket) -> io::Result<Arc<Socket>> {
        let socket = base(socket)?;
        let mut sockets = lock(&port.sockets);
        if sockets.owned.contains(&socket) {
            let what = "another registered source owns the same socket";
            let advice = "register only one of them";
            return Err(error(ErrorKind::AlreadyExists, what, advice));
        }
        let this = match sockets.spare.pop() {
            Some(this) => this,
            None => Arc::new(Socket::over(sockets.driver(port)?)),
        };
        sockets.owned.insert(socket);
        drop(sockets);
        let mut state = lock(&this.state);
        (state.socket, state.open, state.owned) = (socket, true, true);
        drop(state);
        Ok(this)
    }

    fn over(driver: Arc<OwnedHandle>) -> Socket {
        let state = State {
            socket: 0,
            token: Token(0),
            interest: 0,
            armed: 0,
            resting: 0,
            phase: Phase::Idle,
            queued: false,
            open: false,
            owned: false,
        };
        Socket {
            operation: Operation::of::<Socket>(),
            poll: UnsafeCell::new(Poll {
                timeout: 0,
                count: 0,
                exclusive: 0,
                socket: 0,
                conditions: 0,
                status: 0,
            }),
            driver,
            state: Mutex::new(state),
        }
    }

    /// Changes what is armed. The kernel is told at once where a wait is under way, else before the
    /// next.
    pub(super) fn change(
        self: &Arc<Socket>,
        port: &Port,
        change: impl FnOnce(&mut State),
    ) -> io::Result<()> {
        let mut state = lock(&self.state);
        change(&mut state);
        if state.queued || state.step() == Step::Nothing {
            return Ok(());
        }
        let mut sockets = lock(&port.sockets);
        if sockets.waiting {
            drop(sockets);
            return self.update(&mut state, port);
        }
        state.queued = true;
        sockets.updates.push_back(Arc::clone(self));
        Ok(())
    }

    /// Ends the watch. What is in flight ends later, and is not told.
    pub(super) fn release(self: &Arc<Socket>, port: &Port) {
        let mut state = lock(&self.state);
        if state.open {
            lock(&port.sockets).owned.remove(&state.socket);
        }
        (state.open, state.owned) = (false, false);
        (state.armed, state.resting) = (0, 0);
        if state.phase == Phase::Idle {
            lock(&port.sockets).spare.push(Arc::clone(self));
        } else if state.step() == Step::Cancel {
            self.cancel(&mut state);
        }
    }

    /// Takes the next step. A poll that the driver refuses is an event of this socket's: it fails
    /// only where that cannot be sent.
    fn update(self: &Arc<Socket>, state: &mut State, port: &Port) -> io::Result<()> {
        match state.step() {
            Step::Nothing => Ok(()),
            Step::Cancel => {
                self.cancel(state);
                Ok(())
            }
            Step::Poll if self.poll(state, port).is_ok() => Ok(()),
            Step::Poll => {
                let sides = meaning(state.armed & (READ | WRITE));
                port.post(state.token, sides | Ready::ERROR)?;
                (state.armed, state.resting) = (0, 0);
                Ok(())
            }
        }
    }

    fn poll(self: &Arc<Socket>, state: &mut State, port: &Port) -> io::Result<()> {
        let timed = state.resting != 0;
        let poll = Poll {
            timeout: if timed { -REST } else { i64::MAX },
            count: 1,
            exclusive: 0,
            socket: state.socket,
            conditions: state.armed | LOCAL_CLOSE,
            status: 0,
        };
        let (memory, length) = (self.poll.get(), size_of::<Poll>() as u32);
        // SAFETY: the phase is `Idle`, so that the memory is not the kernel's.
        unsafe { memory.write(poll) };
        let driver = self.driver.as_raw_handle();
        // SAFETY: the operation is not in flight, as said; the driver's handle is bound to `port`,
        // and `start` keeps the memory until the packet is there.
        unsafe {
            port.start(self, |overlapped| {
                let memory = memory.cast();
                DeviceIoControl(
                    driver,
                    IOCTL_AFD_POLL,
                    memory,
                    length,
                    memory,
                    length,
                    null_mut(),
                    overlapped,
                )
            })?;
        }
        state.phase = Phase::Pending(state.armed, timed);
        Ok(())
    }

    /// Where there is nothing to cancel any more, the packet is there already.
    fn cancel(&self, state: &mut State) {
        let driver = self.driver.as_raw_handle();
        // SAFETY: the driver's handle is open, and the kernel only compares the pointer.
        unsafe { CancelIoEx(driver, self.operation.overlapped()) };
        state.phase = Phase::Cancelled;
    }
}

// SAFETY: `repr(C)`, and the first field is made by `Socket::over`.
unsafe impl Overlapped for Socket {
    fn done(
        self: Arc<Socket>,
        status: NTSTATUS,
        _: usize,
        port: Option<&Arc<Port>>,
        deliver: Deliver<'_>,
    ) {
        let Some(port) = port else { return };
        let mut state = lock(&self.state);
        state.phase = Phase::Idle;
        // SAFETY: the poll has ended, and the lock is held.
        let poll = unsafe { &*self.poll.get() };
        match status {
            _ if !state.open => {}
            STATUS_SUCCESS if poll.conditions & LOCAL_CLOSE != 0 => {
                // Somebody closed it behind our back. Its number may come back as another's.
                state.open = false;
                lock(&port.sockets).owned.remove(&state.socket);
            }
            STATUS_SUCCESS => {
                let conditions = poll.conditions & state.armed;
                if conditions != 0 {
                    state.tell(conditions, deliver);
                }
            }
            STATUS_TIMEOUT => {
                state.armed |= state.resting;
                state.resting = 0;
            }
            // By us, or with the thread that began it.
            STATUS_CANCELLED => {}
            _ => state.tell(CONNECT_FAIL, deliver),
        }
        if !state.owned {
            drop(state);
            lock(&port.sockets).spare.push(self);
        } else if !state.queued && state.step() != Step::Nothing {
            state.queued = true;
            lock(&port.sockets).updates.push_back(Arc::clone(&self));
        }
    }
}

/// Begins a wait: tells the kernel all that is new, and from now on what comes.
pub(super) fn flush(port: &Port) -> io::Result<()> {
    let mut sockets = lock(&port.sockets);
    sockets.waiting = true;
    while let Some(socket) = sockets.updates.pop_front() {
        drop(sockets);
        let mut state = lock(&socket.state);
        state.queued = false;
        socket.update(&mut state, port)?;
        drop(state);
        sockets = lock(&port.sockets);
    }
    Ok(())
}

/// Ends a wait.
pub(super) fn awake(port: &Port) {
    lock(&port.sockets).waiting = false;
}

impl Sockets {
    /// A handle of the driver's with room for one more poll.
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
    let length = (name.len() * size_of::<u16>()) as u16;
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
    let (mut driver, mut status): (HANDLE, _) = (null_mut(), IO_STATUS_BLOCK::default());
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    // SAFETY: all that is pointed to lives through the call.
    let answer = unsafe {
        NtCreateFile(
            &mut driver,
            SYNCHRONIZE,
            &attributes,
            &mut status,
            null(),
            0,
            share,
            FILE_OPEN,
            0,
            null(),
            0,
        )
    };
    if answer != STATUS_SUCCESS {
        // SAFETY: no pointers.
        let error = unsafe { RtlNtStatusToDosError(answer) };
        return Err(io::Error::from_raw_os_error(error as i32));
    }
    // SAFETY: the kernel has just given us this handle, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(driver) })
}

/// The driver's own socket, which a layer above it may have wrapped.
fn base(socket: RawSocket) -> io::Result<RawSocket> {
    let ask = |question: u32| {
        let (mut base, mut length) = (0, 0);
        let (to, room) = ((&raw mut base).cast(), size_of::<RawSocket>() as u32);
        // SAFETY: Windows writes `room` bytes to `base` at most, and how many to `length`.
        let answer = unsafe {
            let socket = socket as usize;
            WSAIoctl(
                socket,
                question,
                null(),
                0,
                to,
                room,
                &mut length,
                null_mut(),
                None,
            )
        };
        cvt((answer == 0).into()).map(|()| base)
    };
    ask(SIO_BASE_HANDLE).or_else(|error| {
        // A layer that refuses the question may answer another, which others answer with `socket`.
        let others = [SIO_BSP_HANDLE_SELECT, SIO_BSP_HANDLE_POLL, SIO_BSP_HANDLE];
        let mut answers = others.into_iter().filter_map(|other| ask(other).ok());
        answers.find(|base| *base != socket).ok_or(error)
    })
}
