//! The completion port, and the operations that complete on it.
//!
//! A port is a queue of packets. The kernel adds one when an overlapped operation ends, with the
//! address of its [`Operation`]; a program's own, without an operation, carry an event.
//!
//! The kernel writes to an operation until it ends. So [`Port::start`] leaks a reference into the
//! call, and the packet gives it back: who began an operation may go before it ends. One whose
//! owner has gone holds no port, or neither would ever go; the port counts what is in flight, and
//! collects it before it goes.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::panic::RefUnwindSafe;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windows_sys::Win32::Foundation::*;
use windows_sys::Win32::System::IO::*;
use windows_sys::core::BOOL;

use super::afd::{Sockets, flush};
use super::iocp::Event;
use crate::Token;
use crate::ready::Ready;

/// Where an operation that has ended puts its event: one at most.
pub(super) type Deliver<'a> = &'a mut dyn FnMut(Event);
/// The port that gave it back, but `None` where that is about to go: nothing is to be begun again.
pub(super) type Home<'a> = Option<&'a Arc<Port>>;

/// The head of everything that the kernel works on.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Operation {
    overlapped: UnsafeCell<OVERLAPPED>,
    done: unsafe fn(*const Operation, Home<'_>, Deliver<'_>),
}

// SAFETY: in flight `overlapped` is the kernel's alone, else that of whoever starts the operation,
// which is one at a time by the promise of `Port::start`.
unsafe impl Send for Operation {}
// SAFETY: as above.
unsafe impl Sync for Operation {}
impl RefUnwindSafe for Operation {}

/// What has an operation for its head.
///
/// # Safety
///
/// The type is `repr(C)`, and its first field is an `Operation::of` this type.
pub(super) unsafe trait Overlapped: Send + Sync + Sized {
    /// It has ended, with the kernel's status and so many bytes.
    fn done(self: Arc<Self>, status: NTSTATUS, bytes: usize, port: Home<'_>, deliver: Deliver<'_>);
}

impl Operation {
    pub(super) fn of<T: Overlapped>() -> Operation {
        Operation {
            overlapped: UnsafeCell::default(),
            done: done::<T>,
        }
    }

    /// Where the kernel finds it: to cancel it.
    pub(super) fn overlapped(&self) -> *mut OVERLAPPED {
        self.overlapped.get()
    }
}

/// # Safety
///
/// A packet has given `operation` back.
unsafe fn done<T: Overlapped>(operation: *const Operation, port: Home<'_>, deliver: Deliver<'_>) {
    // SAFETY: `Port::start` leaked a reference to a `T`, of which this is the head.
    let it = unsafe { Arc::from_raw(operation.cast::<T>()) };
    // SAFETY: the operation has ended, so that nobody writes.
    let end = unsafe { *(*operation).overlapped() };
    it.done(end.Internal as NTSTATUS, end.InternalHigh, port, deliver);
}

#[derive(Debug)]
pub(super) struct Port {
    handle: OwnedHandle,
    in_flight: AtomicUsize,
    pub(super) sockets: Mutex<Sockets>,
}

/// As many packets as are taken at once.
pub(super) const BATCH: usize = 256;

impl Port {
    pub(super) fn new() -> io::Result<Port> {
        let port = bind(INVALID_HANDLE_VALUE, null_mut())?;
        Ok(Port {
            // SAFETY: the kernel has just given us this handle.
            handle: unsafe { OwnedHandle::from_raw_handle(port) },
            in_flight: AtomicUsize::new(0),
            sockets: Mutex::default(),
        })
    }

    /// From now on the operations of `handle` end here: no handle changes its port.
    pub(super) fn associate(&self, handle: &impl AsRawHandle) -> io::Result<()> {
        bind(handle.as_raw_handle(), self.handle.as_raw_handle()).map(|_| ())
    }

    /// Adds an event that was made ready elsewhere.
    pub(super) fn post(&self, token: Token, ready: Ready) -> io::Result<()> {
        cvt(self.packet(ready.0, token.0, null()))
    }

    fn packet(&self, bytes: u8, key: usize, operation: *const OVERLAPPED) -> BOOL {
        let port = self.handle.as_raw_handle();
        // SAFETY: the port is open, and does not look at the operation.
        unsafe { PostQueuedCompletionStatus(port, bytes.into(), key, operation) }
    }

    /// Ends an operation that no call has begun.
    ///
    /// # Safety
    ///
    /// It is not in flight.
    pub(super) unsafe fn send<T: Overlapped>(&self, it: &Arc<T>) -> io::Result<()> {
        // SAFETY: the caller's promise; a packet that was added comes out.
        unsafe { self.start(it, |operation| self.packet(0, 0, operation)) }
    }

    /// Begins an operation by `call`, which answers as Windows does: `TRUE`, or `FALSE` and an
    /// error, of which `ERROR_IO_PENDING` is none.
    ///
    /// # Safety
    ///
    /// It is not in flight, and if `call` begins it, it ends on this port.
    pub(super) unsafe fn start<T: Overlapped>(
        &self,
        it: &Arc<T>,
        call: impl FnOnce(*mut OVERLAPPED) -> BOOL,
    ) -> io::Result<()> {
        let leaked = Arc::into_raw(Arc::clone(it));
        // The head's head, by a pointer to the whole, since it comes back as one.
        let overlapped = leaked.cast_mut().cast::<OVERLAPPED>();
        // SAFETY: it is not in flight, and an `UnsafeCell` within an `Operation` within a `T`.
        unsafe { overlapped.write(OVERLAPPED::default()) };
        self.in_flight.fetch_add(1, Relaxed);
        match cvt(call(overlapped)) {
            Err(error) if error.raw_os_error() != Some(ERROR_IO_PENDING as i32) => {
                self.in_flight.fetch_sub(1, Relaxed);
                // SAFETY: leaked above, and nothing was begun that would give it back.
                drop(unsafe { Arc::from_raw(leaked) });
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Waits for a packet, and takes what there is, up to the room.
    pub(super) fn take<'a>(
        &self,
        room: &'a mut [MaybeUninit<OVERLAPPED_ENTRY>],
        milliseconds: u32,
    ) -> io::Result<&'a [OVERLAPPED_ENTRY]> {
        let (port, list) = (self.handle.as_raw_handle(), room.as_mut_ptr().cast());
        let (length, mut count) = (room.len() as u32, 0);
        // SAFETY: the port is open, and the kernel writes no more than `length` packets.
        let answer = cvt(unsafe {
            GetQueuedCompletionStatusEx(port, list, length, &mut count, milliseconds, FALSE)
        });
        lock(&self.sockets).waiting = false;
        match answer {
            // SAFETY: the kernel has written the first `count` of them.
            Ok(()) => Ok(unsafe { std::slice::from_raw_parts(list, count as usize) }),
            Err(error) if error.raw_os_error() == Some(WAIT_TIMEOUT as i32) => Ok(&[]),
            Err(error) => Err(error),
        }
    }

    /// Ends what a packet says has ended, and delivers its event.
    pub(super) fn complete(&self, packet: &OVERLAPPED_ENTRY, port: Home<'_>, deliver: Deliver<'_>) {
        let operation = packet.lpOverlapped.cast::<Operation>().cast_const();
        if operation.is_null() {
            let ready = Ready(packet.dwNumberOfBytesTransferred as u8);
            return deliver(Event::new(Token(packet.lpCompletionKey), ready));
        }
        self.in_flight.fetch_sub(1, Relaxed);
        // SAFETY: only `start` gives this port operations, each with a reference of its own.
        unsafe { ((*operation).done)(operation, port, deliver) };
    }
}

impl Drop for Port {
    /// Who began what is still in flight has let go of the port, and so of the operation.
    fn drop(&mut self) {
        let mut room = [MaybeUninit::uninit(); BATCH];
        let _ = flush(self);
        while self.in_flight.load(Relaxed) > 0 {
            // A driver that does not cancel keeps its memory.
            let Ok(packets @ [_, ..]) = self.take(&mut room, 1_000) else {
                return;
            };
            for packet in packets {
                self.complete(packet, None, &mut |_| ());
            }
        }
    }
}

/// Binds `handle` to a port, or makes one.
fn bind(handle: RawHandle, port: RawHandle) -> io::Result<RawHandle> {
    // SAFETY: no pointers; both are open while their owners are borrowed.
    let port = unsafe { CreateIoCompletionPort(handle, port, 0, 1) };
    cvt((!port.is_null()).into()).map(|()| port)
}

/// A call's answer as a result: `FALSE` is the thread's last error.
pub(super) fn cvt(answer: BOOL) -> io::Result<()> {
    if answer == FALSE {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A panic elsewhere leaves nothing half done under these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
