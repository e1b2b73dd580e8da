//! Named pipes: operations that are done, bent into a stream that is ready.
//!
//! A socket can be asked when a read would succeed; a pipe cannot: all that its driver has to say
//! is what became of a read. So one is always under way, into a buffer that is the pipe's own, and
//! when it ends there is something to be had: that is "readable", and [`Read`] is a copy out of the
//! buffer, whose last byte begins the next. A write goes into a second buffer and is taken whole;
//! until it has ended the pipe is not writable, and how it failed is the next write's answer. To
//! connect is an operation too, and "writable" is its end.
//!
//! Each of them is a [`Flight`]: what the kernel writes to, and a share of the pipe's [`State`],
//! which has the buffers. `Port::start` leaks a reference into a call and takes it back where the
//! call fails at once, and the packet brings it back else, so that the memory lasts as long as
//! anyone may write to it, whatever became of the [`NamedPipe`]. One lock is held while an
//! operation begins and while its end is noted, so that no end can overtake its beginning.
//!
//! A further flight is nothing but a packet. It tells what is ready already: at registering, where
//! the client came before the server asked, and where a read fails at once. The token is looked up
//! when a packet arrives, so that a new one is every later event's, and that of a pipe that is not
//! registered or has gone is nobody's.
//!
//! A server may have one client after the other. What was under way for the last is void when it is
//! disconnected: neither its bytes nor its errors reach the next. For the same reason no event ever
//! says that a direction is closed for good.
//!
//! Dropping a pipe cancels what it waits for and closes it, and so the peer knows at once. A write
//! is not cancelled: the pipe stays open behind the scenes until the peer has taken it, as long as
//! there is a poll to hear of it. Interests are not looked at: both directions are reported.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex, MutexGuard};
use std::{fmt, io, mem};

use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_MORE_DATA, ERROR_NO_DATA, ERROR_PIPE_CONNECTED, ERROR_PIPE_LISTENING,
    FALSE, GetLastError, INVALID_HANDLE_VALUE, NTSTATUS, RtlNtStatusToDosError,
    STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED, TRUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX, ReadFile, WriteFile,
};
use windows_sys::Win32::System::IO::CancelIoEx;
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, DisconnectNamedPipe, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES,
};

use super::iocp::Event;
use super::port::{Deliver, Operation, Overlapped, Port, cvt, lock};
use crate::error::{ErrorKind, error};
use crate::ready::Ready;
use crate::{Interest, Registry, Token, event};

/// What the system keeps for each direction of a new pipe, and what a write buffer may keep.
const QUOTA: usize = 65_536;
/// What is read at once.
const ROOM: usize = 8_192;

/// One end of a named pipe of Windows, which never blocks.
///
/// [`NamedPipe::new`] makes a server's end. A client's is a `File` that was opened with
/// `FILE_FLAG_OVERLAPPED`, whose handle [`from_raw_handle`](FromRawHandle::from_raw_handle) takes
/// over. Until it is registered, reading, writing and connecting answer
/// [`WouldBlock`](io::ErrorKind::WouldBlock). It stays with the [`Poll`](crate::Poll) that it was
/// registered with first: another refuses it, even after `deregister`.
///
/// A write is taken whole and goes on in the background; the next one answers `WouldBlock` until it
/// has ended, or tells how it failed. Events are of both directions, whatever was asked for.
///
/// ```no_run
/// use mio::windows::NamedPipe;
/// use mio::{Events, Interest, Poll, Token};
/// use std::io::{ErrorKind, Write};
///
/// # fn main() -> std::io::Result<()> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(8);
/// let mut server = NamedPipe::new(r"\\.\pipe\greeter")?;
/// let both = Interest::READABLE | Interest::WRITABLE;
/// poll.registry().register(&mut server, Token(0), both)?;
/// while let Err(error) = server.connect() {
///     if error.kind() != ErrorKind::WouldBlock {
///         return Err(error);
///     }
///     poll.poll(&mut events, None)?;
/// }
/// server.write_all(b"hello")?;
/// # Ok(())
/// # }
/// ```
pub struct NamedPipe {
    connect: Arc<Flight>,
    read: Arc<Flight>,
    write: Arc<Flight>,
    notice: Arc<Flight>,
    /// That of the first poll, for good.
    port: Option<Arc<Port>>,
}

/// An operation of a pipe, in flight or not.
#[repr(C)]
struct Flight {
    operation: Operation,
    kind: Kind,
    pipe: Arc<Mutex<State>>,
}

enum Kind {
    /// Its end begins a read.
    Connect(Arc<Flight>),
    Read,
    Write,
    Notice,
}

struct State {
    /// None once it is closed.
    handle: Option<OwnedHandle>,
    token: Option<Token>,
    read: Half,
    write: Half,
    /// In flight, or to be begun when the pipe is registered.
    connecting: bool,
    connect_error: Option<io::Error>,
    /// What a notice that is in flight will tell; nothing where none is.
    told: Ready,
}

#[derive(Default)]
struct Half {
    phase: Phase,
    buffer: Vec<u8>,
    /// What of it has been taken, or written.
    at: usize,
}

#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    /// In flight: the buffer is the kernel's.
    Busy,
    /// In flight for a client that has been disconnected.
    Void,
    /// Of a read: there is something in the buffer, if only an empty message.
    Full,
    Failed(io::Error),
}

impl NamedPipe {
    /// Makes the first instance of a pipe of bytes, of this name (`\\.\pipe\...`), both ways.
    ///
    /// It fails where the name is taken. Other kinds of pipes come by their handles.
    pub fn new<A: AsRef<OsStr>>(addr: A) -> io::Result<NamedPipe> {
        let mut name: Vec<u16> = addr.as_ref().encode_wide().collect();
        if name.contains(&0) {
            let what = "the name of this pipe has a zero in it";
            return Err(error(ErrorKind::InvalidInput, what, "choose another name"));
        }
        name.push(0);
        let open = PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED;
        let (quota, most) = (QUOTA as u32, PIPE_UNLIMITED_INSTANCES);
        let name = name.as_ptr();
        // SAFETY: the name ends with a zero and lives through the call.
        let handle =
            unsafe { CreateNamedPipeW(name, open, PIPE_TYPE_BYTE, most, quota, quota, 0, null()) };
        cvt((handle != INVALID_HANDLE_VALUE).into())?;
        // SAFETY: the system has just given us this handle, and nobody else has it.
        Ok(unsafe { NamedPipe::from_raw_handle(handle) })
    }

    /// Waits for a client in the background, or learns that there is one.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) while no client has come: a writable event says
    /// that the waiting has ended, and [`NamedPipe::take_error`] whether it failed. Asked before
    /// the pipe is registered, the waiting begins then. Else the system's.
    pub fn connect(&self) -> io::Result<()> {
        let state = &mut *self.state();
        match &self.port {
            Some(port) => self.begin_connect(state, port),
            None => {
                state.connecting = true;
                Err(ErrorKind::WouldBlock.into())
            }
        }
    }

    /// Takes the error of a `connect` that has failed in the background, if there is one.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.state().connect_error.take())
    }

    /// Parts with the client, so that [`NamedPipe::connect`] can wait for another.
    ///
    /// What the client has not read, and what the server has not, is lost.
    pub fn disconnect(&self) -> io::Result<()> {
        let state = &mut *self.state();
        // SAFETY: the handle is open while the pipe is there.
        cvt(unsafe { DisconnectNamedPipe(state.raw()) })?;
        for half in [&mut state.read, &mut state.write] {
            let flies = half.phase.is_in_flight();
            half.phase = if flies { Phase::Void } else { Phase::Idle };
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.notice.pipe)
    }

    fn begin_connect(&self, state: &mut State, port: &Port) -> io::Result<()> {
        if state.connecting {
            return Err(ErrorKind::WouldBlock.into());
        }
        let pipe = state.raw();
        // SAFETY: it is not in flight, as just seen; the handle is bound to this port.
        let begun = unsafe { port.start(&self.connect, |to| ConnectNamedPipe(pipe, to)) };
        match begun.map_err(|error| (code(&error), error)) {
            Ok(()) => {
                (state.connecting, state.connect_error) = (true, None);
                Err(ErrorKind::WouldBlock.into())
            }
            // The client came first; it may have gone as well.
            Err((ERROR_PIPE_CONNECTED | ERROR_NO_DATA, _)) => match state.read.phase {
                Phase::Idle => {
                    let ready = state.look(&self.read, port);
                    self.tell(state, port, ready)
                }
                _ => Ok(()), // It has been told.
            },
            Err((_, error)) => Err(error),
        }
    }

    /// Makes an event outside of a wait. One that is on its way takes it along.
    fn tell(&self, state: &mut State, port: &Port, ready: Ready) -> io::Result<()> {
        let before = state.told;
        state.told = before | ready;
        if before != Ready::NOTHING || ready == Ready::NOTHING {
            return Ok(());
        }
        // SAFETY: it is not in flight, since there was nothing to be told.
        let sent = unsafe { port.send(&self.notice) };
        sent.inspect_err(|_| state.told = Ready::NOTHING)
    }

    /// The port, while the pipe is registered.
    fn port(&self, state: &State) -> io::Result<&Arc<Port>> {
        let port = self.port.as_ref().filter(|_| state.token.is_some());
        port.ok_or_else(|| ErrorKind::WouldBlock.into())
    }

    fn take_in(&self, room: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.state();
        let port = self.port(state)?;
        match mem::take(&mut state.read.phase) {
            Phase::Full => {
                let count = (&state.read.buffer[state.read.at..]).read(room)?;
                state.read.at += count;
                if state.read.at < state.read.buffer.len() {
                    state.read.phase = Phase::Full;
                } else {
                    let ready = state.read_ahead(&self.read, port);
                    // Where it cannot be told, the next read tells it.
                    let _ = self.tell(state, port, ready);
                }
                Ok(count)
            }
            // A next failure at once is the next read's answer, and no event, or who only polls
            // would spin.
            Phase::Failed(error) => {
                let _ = state.begin_read(&self.read, port);
                end(error)
            }
            Phase::Idle => match state.begin_read(&self.read, port) {
                Err(error) if code(&error) != ERROR_PIPE_LISTENING => end(error),
                _ => Err(ErrorKind::WouldBlock.into()),
            },
            in_flight => {
                state.read.phase = in_flight;
                Err(ErrorKind::WouldBlock.into())
            }
        }
    }

    fn hand_over(&self, bytes: &[u8]) -> io::Result<usize> {
        let state = &mut *self.state();
        let port = self.port(state)?;
        if state.write.phase.is_in_flight() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if let Phase::Failed(error) = mem::take(&mut state.write.phase) {
            return Err(error);
        }
        state.write.buffer.clear();
        state.write.buffer.extend_from_slice(bytes);
        state.write.at = 0;
        state.begin_write(&self.write, port)?;
        Ok(bytes.len())
    }

    /// The next events are this token's, and the first tells what is ready now.
    fn watch(&self, token: Token, connect: bool) -> io::Result<()> {
        let state = &mut *self.state();
        let port = self.port.as_ref().ok_or_else(unregistered)?;
        let mut ready = state.look(&self.read, port);
        if connect {
            state.connecting = false;
            let begun = self.begin_connect(state, port);
            if let Some(error) = begun.err().filter(|e| e.kind() != ErrorKind::WouldBlock) {
                state.connect_error = Some(error);
                ready = ready | Ready::WRITABLE | Ready::ERROR;
            }
        }
        self.tell(state, port, ready)?;
        state.token = Some(token);
        Ok(())
    }

    /// Whether this registry has it.
    fn is_held(&self, registry: &Registry) -> io::Result<()> {
        let here = |port| Arc::ptr_eq(port, &registry.selector.port);
        let held = self.port.as_ref().is_some_and(here) && self.state().token.is_some();
        held.then_some(()).ok_or_else(unregistered)
    }
}

impl event::Source for NamedPipe {
    fn register(&mut self, registry: &Registry, token: Token, _: Interest) -> io::Result<()> {
        let ours = &registry.selector.port;
        let (registered, asked) = {
            let state = self.state();
            (state.token.is_some(), state.connecting)
        };
        let elsewhere = self
            .port
            .as_ref()
            .is_some_and(|port| !Arc::ptr_eq(port, ours));
        if registered || elsewhere {
            let what = "this pipe is registered, or was with another poller";
            let advice = "use `reregister`, and the poller that had it first";
            return Err(error(ErrorKind::AlreadyExists, what, advice));
        }
        let first = self.port.is_none();
        if first {
            ours.associate(&*self)?;
            self.port = Some(Arc::clone(ours));
        }
        self.watch(token, first && asked)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, _: Interest) -> io::Result<()> {
        self.is_held(registry)?;
        self.watch(token, false)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.is_held(registry)?;
        self.state().token = None;
        Ok(())
    }
}

impl Drop for NamedPipe {
    fn drop(&mut self) {
        let state = &mut *self.state();
        state.token = None;
        // Whether somebody will hear of the end of a write.
        let heard = self
            .port
            .as_ref()
            .is_some_and(|port| Arc::strong_count(port) > 1);
        let lingers = heard && state.write.phase.is_in_flight();
        for flight in [&self.connect, &self.read, &self.write] {
            if !(lingers && matches!(flight.kind, Kind::Write)) {
                // SAFETY: the handle is open, and the system only compares the pointer.
                unsafe { CancelIoEx(state.raw(), flight.operation.overlapped()) };
            }
        }
        if !lingers {
            state.handle = None;
        }
    }
}

impl State {
    fn raw(&self) -> RawHandle {
        let handle = self.handle.as_ref();
        handle.map_or(INVALID_HANDLE_VALUE, AsRawHandle::as_raw_handle)
    }

    /// Reads into the buffer, which nobody else does.
    fn begin_read(&mut self, flight: &Arc<Flight>, port: &Port) -> io::Result<()> {
        let pipe = self.raw();
        self.read.buffer.clear();
        self.read.buffer.reserve_exact(ROOM);
        self.read.at = 0;
        let to = self.read.buffer.as_mut_ptr();
        // SAFETY: it is not in flight: who calls has seen the phase. The handle is bound to this
        // port, and the buffer has `ROOM` and stays as it is until the packet is there.
        unsafe {
            port.start(flight, |overlapped| {
                let answer = ReadFile(pipe, to, ROOM as u32, null_mut(), overlapped);
                // A part of a message: the system warns, and the packet comes nevertheless.
                let part = answer == FALSE && GetLastError() == ERROR_MORE_DATA;
                if part { TRUE } else { answer }
            })?;
        }
        self.read.phase = Phase::Busy;
        Ok(())
    }

    /// Writes what is left in the buffer.
    fn begin_write(&mut self, flight: &Arc<Flight>, port: &Port) -> io::Result<()> {
        let pipe = self.raw();
        let left = &self.write.buffer[self.write.at..];
        let (from, length) = (left.as_ptr(), left.len().min(u32::MAX as usize) as u32);
        // SAFETY: as for a read; the buffer has `length` bytes more.
        unsafe { port.start(flight, |to| WriteFile(pipe, from, length, null_mut(), to))? };
        self.write.phase = Phase::Busy;
        Ok(())
    }

    /// Sees to it that a read is under way, and what there is to tell if it fails at once. Without
    /// a client there is none, and the phase stays `Idle`.
    fn read_ahead(&mut self, flight: &Arc<Flight>, port: &Port) -> Ready {
        match self.begin_read(flight, port) {
            Err(error) if code(&error) != ERROR_PIPE_LISTENING => {
                self.read.phase = Phase::Failed(error);
                self.read.phase.readable()
            }
            _ => Ready::NOTHING,
        }
    }

    /// All that is ready; a read is under way afterwards if there is a client.
    fn look(&mut self, flight: &Arc<Flight>, port: &Port) -> Ready {
        if matches!(self.read.phase, Phase::Idle) {
            self.read_ahead(flight, port);
        }
        let writable = match self.write.phase {
            Phase::Failed(_) => Ready::WRITABLE | Ready::ERROR,
            Phase::Idle if !matches!(self.read.phase, Phase::Idle) => Ready::WRITABLE,
            _ => Ready::NOTHING,
        };
        self.read.phase.readable() | writable
    }

    /// A connect has ended. Without a port nobody wants to know yet.
    fn connected(&mut self, read: &Arc<Flight>, status: NTSTATUS, port: Option<&Port>) -> Ready {
        self.connecting = false;
        if let Err(error) = outcome(status) {
            self.connect_error = Some(error);
            return Ready::WRITABLE | Ready::ERROR;
        }
        // It can only be of the client before.
        if let Phase::Failed(_) = self.read.phase {
            self.read.phase = Phase::Idle;
        }
        port.map_or(Ready::NOTHING, |port| self.look(read, port)) | Ready::WRITABLE
    }

    fn has_read(&mut self, flight: &Arc<Flight>, end: End, port: Option<&Port>) -> Ready {
        let phase = mem::take(&mut self.read.phase);
        // Cancelled by others, it is begun again.
        if matches!(phase, Phase::Void) || end.status == STATUS_CANCELLED {
            return port.map_or(Ready::NOTHING, |port| self.read_ahead(flight, port));
        }
        self.read.phase = match outcome(end.status) {
            Ok(()) => {
                // SAFETY: the kernel has written so much of the room that it was given.
                unsafe { self.read.buffer.set_len(end.bytes.min(ROOM)) };
                Phase::Full
            }
            Err(error) => Phase::Failed(error),
        };
        self.read.phase.readable()
    }

    fn has_written(&mut self, flight: &Arc<Flight>, end: End, port: &Port) -> Ready {
        let phase = mem::take(&mut self.write.phase);
        let length = self.write.buffer.len();
        self.write.at = (self.write.at + end.bytes).min(length);
        let left = self.write.at < length;
        let end = match outcome(end.status) {
            _ if matches!(phase, Phase::Void) => Ok(()),
            Ok(()) if left && end.bytes == 0 => Err(ErrorKind::WriteZero.into()),
            Ok(()) if left => self.begin_write(flight, port),
            end => end,
        };
        if let Err(error) = end {
            self.write.phase = Phase::Failed(error);
        }
        if self.write.phase.is_in_flight() {
            return Ready::NOTHING;
        }
        if self.write.buffer.capacity() > QUOTA {
            self.write.buffer = Vec::new();
        }
        self.write.phase.writable()
    }
}

impl Phase {
    fn is_in_flight(&self) -> bool {
        matches!(self, Phase::Busy | Phase::Void)
    }

    /// What it says of reading. The end of the stream is no error.
    fn readable(&self) -> Ready {
        match self {
            Phase::Failed(error) if code(error) != ERROR_BROKEN_PIPE => {
                Ready::READABLE | Ready::ERROR
            }
            Phase::Failed(_) | Phase::Full => Ready::READABLE,
            _ => Ready::NOTHING,
        }
    }

    /// What it says of writing.
    fn writable(&self) -> Ready {
        match self {
            Phase::Idle => Ready::WRITABLE,
            Phase::Failed(_) => Ready::WRITABLE | Ready::ERROR,
            _ => Ready::NOTHING,
        }
    }
}

/// How an operation has ended.
#[derive(Copy, Clone)]
struct End {
    status: NTSTATUS,
    bytes: usize,
}

impl Flight {
    fn new(pipe: &Arc<Mutex<State>>, kind: Kind) -> Arc<Flight> {
        let (operation, pipe) = (Operation::of::<Flight>(), Arc::clone(pipe));
        Arc::new(Flight {
            operation,
            kind,
            pipe,
        })
    }
}

// SAFETY: `repr(C)`, and the first field is made by `Flight::new`.
unsafe impl Overlapped for Flight {
    fn done(
        self: Arc<Flight>,
        status: NTSTATUS,
        bytes: usize,
        port: Option<&Arc<Port>>,
        deliver: Deliver<'_>,
    ) {
        // Without a port there is no pipe any more.
        let Some(port) = port else { return };
        let state = &mut *lock(&self.pipe);
        let end = End { status, bytes };
        // For a pipe that is not registered, or has gone, nothing is begun but the rest of a write.
        let begin = state.token.map(|_| &**port);
        let ready = match &self.kind {
            Kind::Connect(read) => state.connected(read, status, begin),
            Kind::Read => state.has_read(&self, end, begin),
            Kind::Write => state.has_written(&self, end, port),
            Kind::Notice => mem::replace(&mut state.told, Ready::NOTHING),
        };
        if let Some(token) = state.token.filter(|_| ready != Ready::NOTHING) {
            deliver(Event::new(token, ready));
        }
    }
}

impl FromRawHandle for NamedPipe {
    unsafe fn from_raw_handle(handle: RawHandle) -> NamedPipe {
        // SAFETY: the caller keeps the same promise.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        let pipe = Arc::new(Mutex::new(State {
            handle: Some(handle),
            token: None,
            read: Half::default(),
            write: Half::default(),
            connecting: false,
            connect_error: None,
            told: Ready::NOTHING,
        }));
        let read = Flight::new(&pipe, Kind::Read);
        NamedPipe {
            connect: Flight::new(&pipe, Kind::Connect(Arc::clone(&read))),
            read,
            write: Flight::new(&pipe, Kind::Write),
            notice: Flight::new(&pipe, Kind::Notice),
            port: None,
        }
    }
}

impl AsRawHandle for NamedPipe {
    fn as_raw_handle(&self) -> RawHandle {
        self.state().raw()
    }
}

impl fmt::Debug for NamedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handle = self.as_raw_handle();
        f.debug_struct("NamedPipe")
            .field("handle", &handle)
            .finish()
    }
}

macro_rules! stream {
    ($($pipe:ty),+) => { $(
        impl Read for $pipe {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                self.take_in(room)
            }
        }
        impl Write for $pipe {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.hand_over(bytes)
            }
            /// A write that was taken needs no help.
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )+ };
}
stream!(NamedPipe, &NamedPipe);

/// The kernel's status as a result. A part of a message is no failure: the rest is read next.
fn outcome(status: NTSTATUS) -> io::Result<()> {
    if status >= 0 || status == STATUS_BUFFER_OVERFLOW {
        return Ok(());
    }
    // SAFETY: no pointers.
    let code = unsafe { RtlNtStatusToDosError(status) };
    Err(io::Error::from_raw_os_error(code as i32))
}

/// What a read that has failed answers: a peer that has gone is the end of the stream.
fn end(error: io::Error) -> io::Result<usize> {
    if code(&error) == ERROR_BROKEN_PIPE {
        return Ok(0);
    }
    Err(error)
}

/// The system's number of an error.
fn code(error: &io::Error) -> u32 {
    error.raw_os_error().unwrap_or_default() as u32
}

fn unregistered() -> io::Error {
    let what = "this pipe is not registered with this poller";
    error(ErrorKind::NotFound, what, "call `register` first")
}
