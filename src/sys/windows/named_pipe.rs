//! Named pipes: operations that have ended, bent into a stream that is ready.
//!
//! All that a pipe's driver says of reading is what became of a read. So one is always in flight,
//! into a buffer of the pipe's own. Its end is "readable", [`Read`] copies out of the buffer, and
//! the last byte begins the next. A write is copied into another buffer and taken whole; until it
//! has ended the pipe is not writable, and its failure is the next write's answer. A connect is an
//! operation too: its end is "writable".
//!
//! Each is a [`Flight`], which the kernel writes to, with a share of the [`State`], which has the
//! buffers. `Port::start` keeps it until the packet is there, or the call has failed at once: so
//! memory lasts as long as anyone may write to it, whatever became of the pipe. One lock is held
//! while an operation begins and while its end is noted: no end overtakes a beginning.
//!
//! A fourth flight is a mere packet, for what is ready outside of a wait. A packet's token is
//! looked up when it arrives: a new one is all later events', and who is not registered has none.
//!
//! What was in flight for one client is void once it is disconnected: neither its bytes nor its
//! errors reach the next. For the same reason no event says that a direction is closed for good.
//!
//! A pipe that is dropped cancels and closes, so that its peer knows at once. A write is spared as
//! long as a poll may hear of its end: the pipe stays open until the peer has taken it.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex};
use std::{fmt, io, mem};

use windows_sys::Win32::Foundation::*;
use windows_sys::Win32::Storage::FileSystem::*;
use windows_sys::Win32::System::IO::CancelIoEx;
use windows_sys::Win32::System::Pipes::*;

use super::iocp::Event;
use super::port::{Deliver, Home, Operation, Overlapped, Port, cvt, lock};
use crate::error::{ErrorKind, error};
use crate::ready::Ready;
use crate::{Interest, Registry, Token, event};

/// What the system keeps for each direction of a new pipe, and a pipe for its next write.
const QUOTA: u32 = 65_536;
/// What is read at once.
const ROOM: usize = 8_192;

/// One end of a named pipe, which never blocks.
///
/// [`NamedPipe::new`] makes a server's end; a client's is the handle of a `File` that was opened
/// with `FILE_FLAG_OVERLAPPED`. Until it is registered, calls answer
/// [`WouldBlock`](io::ErrorKind::WouldBlock). It stays with its first poller, and its events are
/// of both directions, whatever was asked for.
///
/// A write is taken whole and goes on in the background; the next answers `WouldBlock` until it has
/// ended, or tells how it failed.
///
/// ```no_run
/// # fn example(poll: &mut mio::Poll, events: &mut mio::Events) -> std::io::Result<()> {
/// let mut server = mio::windows::NamedPipe::new(r"\\.\pipe\greeter")?;
/// poll.registry().register(&mut server, mio::Token(0), mio::Interest::WRITABLE)?;
/// while server.connect().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
///     poll.poll(events, None)?;
/// }
/// std::io::Write::write_all(&mut server, b"hello")
/// # }
/// ```
pub struct NamedPipe(Arc<Mutex<State>>);

/// The kinds of flights, and their places.
const CONNECT: usize = 0;
const READ: usize = 1;
const WRITE: usize = 2;
const NOTICE: usize = 3;

#[repr(C)]
struct Flight {
    operation: Operation,
    kind: usize,
    pipe: Arc<Mutex<State>>,
}

/// The first three are taken out of it when the pipe goes, which breaks the circle.
#[derive(Default)]
struct State {
    handle: Option<OwnedHandle>,
    flights: Vec<Arc<Flight>>,
    port: Option<Arc<Port>>,
    token: Option<Token>,
    sides: [Side; 4],
}

#[derive(Default)]
struct Side {
    phase: Phase,
    buffer: Vec<u8>,
    /// How much of it has been read, or written.
    at: usize,
}

#[derive(Copy, Clone, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    /// In flight: the buffer is the kernel's.
    Busy,
    /// In flight for a client that has been disconnected; or a connect that waits for a port.
    Void,
    /// There is something to be read, if only an empty message.
    Full,
    /// With the system's number of the error.
    Failed(u32),
}

impl NamedPipe {
    /// Makes the first instance of a pipe of bytes with this name (`\\.\pipe\...`), both ways.
    pub fn new<A: AsRef<OsStr>>(addr: A) -> io::Result<NamedPipe> {
        let name: Vec<u16> = addr.as_ref().encode_wide().chain([0]).collect();
        if name[..name.len() - 1].contains(&0) {
            let what = "the name of this pipe has a zero in it";
            return Err(error(ErrorKind::InvalidInput, what, "choose another name"));
        }
        let open = PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED;
        let (name, most, mode) = (name.as_ptr(), PIPE_UNLIMITED_INSTANCES, PIPE_TYPE_BYTE);
        // SAFETY: the name ends with a zero and lives through the call.
        let handle = unsafe { CreateNamedPipeW(name, open, mode, most, QUOTA, QUOTA, 0, null()) };
        cvt((handle != INVALID_HANDLE_VALUE).into())?;
        // SAFETY: the system has just given us this handle, and nobody else has it.
        Ok(unsafe { NamedPipe::from_raw_handle(handle) })
    }

    /// Begins to wait for a client, or learns that there is one.
    ///
    /// It fails with [`WouldBlock`](io::ErrorKind::WouldBlock) while there is none. A writable
    /// event says that the wait has ended, and [`NamedPipe::take_error`] whether it has failed.
    pub fn connect(&self) -> io::Result<()> {
        let state = &mut *lock(&self.0);
        // An error of the time before.
        let _ = state.sides[CONNECT].fail();
        state.begin(CONNECT);
        match state.sides[CONNECT].fail() {
            Ok(()) => blocked(),
            // A client came first, and may have gone as well.
            Err(ERROR_PIPE_CONNECTED | ERROR_NO_DATA) => state.tell(),
            Err(code) => Err(os(code)),
        }
    }

    /// Takes the error of a `connect` that has failed in the background, if there is one.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(lock(&self.0).sides[CONNECT].fail().err().map(os))
    }

    /// Parts with the client, so that [`NamedPipe::connect`] can wait for another. What either has
    /// not read is lost.
    pub fn disconnect(&self) -> io::Result<()> {
        let state = &mut *lock(&self.0);
        // SAFETY: the handle is open while the pipe is there.
        cvt(unsafe { DisconnectNamedPipe(state.raw()) })?;
        for side in &mut state.sides[READ..=WRITE] {
            let flies = side.flies();
            side.phase = if flies { Phase::Void } else { Phase::Idle };
        }
        Ok(())
    }

    /// Sets the token of a pipe that, as `held` says, this registry has or nobody has.
    fn set(&self, registry: &Registry, token: Option<Token>, held: bool) -> io::Result<()> {
        let (state, port) = (&mut *lock(&self.0), &registry.selector.port);
        if let (None, Some(handle), false) = (&state.port, &state.handle, held) {
            port.associate(handle)?;
            state.port = Some(Arc::clone(port));
            if mem::take(&mut state.sides[CONNECT].phase) == Phase::Void {
                // A failure at once shows below, or when it is asked again.
                state.begin(CONNECT);
                let _ = state.sides[CONNECT].fail();
            }
        }
        let elsewhere = |own: &Arc<Port>| !Arc::ptr_eq(own, port);
        let elsewhere = state.port.as_ref().is_some_and(elsewhere);
        if elsewhere || held != state.token.is_some() {
            let (kind, what) = if held && !elsewhere {
                (ErrorKind::NotFound, "this pipe is not registered")
            } else {
                (ErrorKind::AlreadyExists, "this pipe is registered")
            };
            return Err(error(kind, what, "it has one poller, for good"));
        }
        if token.is_some() {
            state.tell()?;
        }
        state.token = token;
        Ok(())
    }
}

impl event::Source for NamedPipe {
    fn register(&mut self, r: &Registry, t: Token, _: Interest) -> io::Result<()> {
        self.set(r, Some(t), false)
    }

    fn reregister(&mut self, r: &Registry, t: Token, _: Interest) -> io::Result<()> {
        self.set(r, Some(t), true)
    }

    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        self.set(r, None, true)
    }
}

macro_rules! stream {
    ($($pipe:ty),+) => { $(
        impl Read for $pipe {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                lock(&self.0).take(room)
            }
        }
        impl Write for $pipe {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                lock(&self.0).put(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )+ };
}
stream!(NamedPipe, &NamedPipe);

impl FromRawHandle for NamedPipe {
    unsafe fn from_raw_handle(handle: RawHandle) -> NamedPipe {
        let pipe = Arc::<Mutex<State>>::default();
        let flight = |kind| {
            Arc::new(Flight {
                operation: Operation::of::<Flight>(),
                kind,
                pipe: Arc::clone(&pipe),
            })
        };
        lock(&pipe).flights = (CONNECT..=NOTICE).map(flight).collect();
        // SAFETY: the caller keeps the same promise.
        lock(&pipe).handle = Some(unsafe { OwnedHandle::from_raw_handle(handle) });
        NamedPipe(pipe)
    }
}

impl AsRawHandle for NamedPipe {
    fn as_raw_handle(&self) -> RawHandle {
        lock(&self.0).raw()
    }
}

impl fmt::Debug for NamedPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedPipe({:?})", self.as_raw_handle())
    }
}

impl Drop for NamedPipe {
    fn drop(&mut self) {
        let state = &mut *lock(&self.0);
        let (port, flights) = (state.port.take(), mem::take(&mut state.flights));
        let heard = |port: &Arc<Port>| Arc::strong_count(port) > 1;
        let lingers = state.sides[WRITE].flies() && port.as_ref().is_some_and(heard);
        let spared = if lingers { WRITE } else { NOTICE };
        for flight in &flights[..spared] {
            // SAFETY: the handle is open, and the system only compares the pointer.
            unsafe { CancelIoEx(state.raw(), flight.operation.overlapped()) };
        }
        state.handle.take_if(|_| !lingers);
        state.token = None;
    }
}

impl Side {
    fn flies(&self) -> bool {
        matches!(self.phase, Phase::Busy | Phase::Void)
    }

    /// Takes the failure.
    fn fail(&mut self) -> Result<(), u32> {
        match self.phase {
            Phase::Failed(code) => {
                self.phase = Phase::Idle;
                Err(code)
            }
            _ => Ok(()),
        }
    }
}

impl State {
    fn raw(&self) -> RawHandle {
        let handle = self.handle.as_ref();
        handle.map_or(null_mut(), AsRawHandle::as_raw_handle)
    }

    /// Begins what is idle: a read into the buffer, or a write of what is left in it. It may fail
    /// at once; but that no client is there to be read from is no failure.
    fn begin(&mut self, kind: usize) {
        let (pipe, side) = (self.raw(), &mut self.sides[kind]);
        if side.phase != Phase::Idle {
            return;
        }
        side.phase = Phase::Void;
        let (Some(port), Some(flight)) = (&self.port, self.flights.get(kind)) else {
            return;
        };
        if kind == READ {
            side.buffer.clear();
            side.buffer.reserve_exact(ROOM);
            side.at = 0;
        }
        let length = side.buffer.len().saturating_sub(side.at);
        let length = length.min(u32::MAX as usize) as u32;
        let at = side.buffer.as_mut_ptr().wrapping_add(side.at);
        // SAFETY: it was idle, and the handle is bound to this port. Nobody touches the buffer
        // until the packet is there; at `at` it has room for a read, and `length` bytes.
        let begun = unsafe {
            match kind {
                NOTICE => port.send(flight),
                CONNECT => port.start(flight, |to| ConnectNamedPipe(pipe, to)),
                WRITE => port.start(flight, |to| WriteFile(pipe, at, length, null_mut(), to)),
                _ => port.start(flight, |to| {
                    match ReadFile(pipe, at, ROOM as u32, null_mut(), to) {
                        // Of a part of a message it warns, and the packet comes nevertheless.
                        FALSE if GetLastError() == ERROR_MORE_DATA => TRUE,
                        answer => answer,
                    }
                }),
            }
        };
        let code = begun.map_err(|error| error.raw_os_error().unwrap_or_default() as u32);
        side.phase = match code {
            Ok(()) => Phase::Busy,
            Err(ERROR_PIPE_LISTENING) if kind == READ => Phase::Idle,
            Err(code) => Phase::Failed(code),
        };
    }

    fn take(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.token.is_none() {
            return blocked();
        }
        self.begin(READ);
        let side = &mut self.sides[READ];
        if side.phase == Phase::Full {
            let count = (&side.buffer[side.at..]).read(room)?;
            side.at += count;
            if side.at == side.buffer.len() {
                side.phase = Phase::Idle;
                self.begin(READ);
                if self.ready(READ) != Ready::NOTHING {
                    // Where there is no memory for a packet, the next read tells it.
                    let _ = self.tell();
                }
            }
            return Ok(count);
        }
        let failed = side.fail();
        // If this fails at once it is the next answer, and no event: nobody is to spin.
        self.begin(READ);
        match failed {
            Ok(()) => blocked(),
            Err(ERROR_BROKEN_PIPE) => Ok(0),
            Err(code) => Err(os(code)),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let side = &mut self.sides[WRITE];
        if self.token.is_none() || side.flies() {
            return blocked();
        }
        side.fail().map_err(os)?;
        side.buffer.clear();
        side.buffer.extend_from_slice(bytes);
        side.at = 0;
        self.begin(WRITE);
        self.sides[WRITE].fail().map_err(os)?;
        Ok(bytes.len())
    }

    /// Makes an event of what is ready, if anything is. Afterwards a read is in flight, where a
    /// client is.
    fn tell(&mut self) -> io::Result<()> {
        self.begin(READ);
        if self.all() != Ready::NOTHING {
            self.begin(NOTICE);
        }
        self.sides[NOTICE].fail().map_err(os)
    }

    /// All that is ready: nothing without a client.
    fn all(&self) -> Ready {
        match self.sides[READ].phase {
            Phase::Idle => Ready::NOTHING,
            _ => self.ready(READ) | self.ready(WRITE),
        }
    }

    fn ready(&self, kind: usize) -> Ready {
        let side = [Ready::WRITABLE, Ready::READABLE][usize::from(kind == READ)];
        match self.sides[kind].phase {
            // The end of the stream is no error.
            Phase::Failed(ERROR_BROKEN_PIPE) | Phase::Full => side,
            Phase::Failed(_) => side | Ready::ERROR,
            Phase::Idle if kind != READ => side,
            _ => Ready::NOTHING,
        }
    }

    /// Notes that an operation has ended, and says what that makes ready.
    fn end(&mut self, kind: usize, status: NTSTATUS, bytes: usize) -> Ready {
        let side = &mut self.sides[kind];
        // A read that others have cancelled is begun again.
        let cancelled = kind == READ && status == STATUS_CANCELLED;
        let void = mem::take(&mut side.phase) == Phase::Void || cancelled;
        match kind {
            NOTICE => return self.all(),
            // A part of a message is no failure: the rest is read next.
            _ if !void && status < 0 && status != STATUS_BUFFER_OVERFLOW => {
                // SAFETY: no pointers.
                side.phase = Phase::Failed(unsafe { RtlNtStatusToDosError(status) });
            }
            READ if !void => {
                // SAFETY: the kernel has written so much of its room.
                unsafe { side.buffer.set_len(bytes.min(ROOM)) };
                side.phase = Phase::Full;
            }
            WRITE if !void && side.at + bytes < side.buffer.len() => {
                side.at += bytes;
                self.begin(WRITE);
            }
            WRITE => {
                side.buffer.clear();
                side.buffer.shrink_to(QUOTA as usize);
            }
            _ => {
                // A read that is void, or a connect: what failed to be read is an earlier client's.
                let _ = self.sides[READ].fail();
                self.begin(READ);
                return self.ready(READ) | self.ready(kind);
            }
        }
        self.ready(kind)
    }
}

// SAFETY: `repr(C)`, and the first field is made in `from_raw_handle`.
unsafe impl Overlapped for Flight {
    fn done(self: Arc<Flight>, status: NTSTATUS, bytes: usize, port: Home<'_>, to: Deliver<'_>) {
        // Without a port nobody is left, but for a pipe that lets go of it and holds the lock.
        let Some(_) = port else { return };
        let state = &mut *lock(&self.pipe);
        let ready = state.end(self.kind, status, bytes);
        if let Some(token) = state.token.filter(|_| ready != Ready::NOTHING) {
            to(Event::new(token, ready));
        }
    }
}

fn blocked<T>() -> io::Result<T> {
    Err(ErrorKind::WouldBlock.into())
}

fn os(code: u32) -> io::Error {
    io::Error::from_raw_os_error(code as i32)
}
