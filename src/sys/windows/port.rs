//! The completion port, and the operations that complete on it.
//!
//! A port is a queue of packets. The kernel adds one when an overlapped operation ends, whose
//! [`Operation`] it then points to, and a program may add its own: those without an operation carry
//! an event that is made already.
//!
//! The kernel writes to an operation as long as it lasts. So [`Port::start`] leaks a reference into
//! the call, and the packet gives it back: whoever begun an operation may go before it ends. An
//! operation holds no port, or neither would ever go. The port goes last: it counts what is in
//! flight, and collects it first.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, FALSE, INVALID_HANDLE_VALUE, NTSTATUS, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatusEx, OVERLAPPED, OVERLAPPED_ENTRY,
    PostQueuedCompletionStatus,
};
use windows_sys::core::BOOL;

use super::afd::Sockets;
use super::iocp::Event;
use crate::Token;
use crate::ready::Ready;

/// What an ended operation does with its event: at most one each.
pub(super) type Deliver<'a> = &'a mut dyn FnMut(Event);

/// What the kernel works on: the head of everything that begins an overlapped call.
#[repr(C)]
pub(super) struct Operation {
    overlapped: UnsafeCell<OVERLAPPED>,
    done: unsafe fn(*const Operation, Option<&Arc<Port>>, Deliver<'_>),
}

// SAFETY: while an operation is in flight the kernel alone uses `overlapped`; else only whoever
// starts it, which is one at a time by the promise of `Port::start`.
unsafe impl Send for Operation {}
// SAFETY: as above.
unsafe impl Sync for Operation {}

/// What has an operation for its head.
///
/// # Safety
///
/// The type is `repr(C)`, and its first field is an `Operation::of` this type.
pub(super) unsafe trait Overlapped: Send + Sync + Sized {
    /// The operation has ended, with the kernel's status and so many bytes. Without a port, the
    /// port is about to go: nothing is to be begun again.
    fn done(
        self: Arc<Self>,
        status: NTSTATUS,
        bytes: usize,
        port: Option<&Arc<Port>>,
        deliver: Deliver<'_>,
    );
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
/// `operation` came out of a port, once for each time that it was started.
unsafe fn done<T: Overlapped>(
    operation: *const Operation,
    port: Option<&Arc<Port>>,
    deliver: Deliver<'_>,
) {
    // SAFETY: `Port::start` leaked a reference to a `T`, of which this is the head.
    let it = unsafe { Arc::from_raw(operation.cast::<T>()) };
    // SAFETY: the operation has ended, so that nobody writes.
    let end = unsafe { *(*operation).overlapped() };
    it.done(end.Internal as NTSTATUS, end.InternalHigh, port, deliver);
}

pub(super) struct Port {
    handle: OwnedHandle,
    in_flight: AtomicUsize,
    /// Those whose readiness this port tells.
    pub(super) sockets: Mutex<Sockets>,
}

/// As many packets as are taken at once.
pub(super) const BATCH: usize = 128;
pub(super) type Packets = [MaybeUninit<OVERLAPPED_ENTRY>; BATCH];

impl Port {
    pub(super) fn new() -> io::Result<Port> {
        Ok(Port {
            handle: bind(INVALID_HANDLE_VALUE, null_mut())?,
            in_flight: AtomicUsize::new(0),
            sockets: Mutex::default(),
        })
    }

    /// From now on the operations of `handle` end here. No handle ever changes its port.
    pub(super) fn associate(&self, handle: &impl AsRawHandle) -> io::Result<()> {
        let port = bind(handle.as_raw_handle(), self.handle.as_raw_handle())?;
        // It is this port's handle once more.
        std::mem::forget(port);
        Ok(())
    }

    /// Adds an event that has been made ready elsewhere.
    pub(super) fn post(&self, token: Token, ready: Ready) -> io::Result<()> {
        self.packet(u32::from(ready.0), token.0, null())
    }

    fn packet(&self, bytes: u32, key: usize, operation: *const OVERLAPPED) -> io::Result<()> {
        let port = self.handle.as_raw_handle();
        // SAFETY: the port is open. It does not look at the operation.
        cvt(unsafe { PostQueuedCompletionStatus(port, bytes, key, operation) })
    }

    /// Ends an operation that no kernel call has begun.
    ///
    /// # Safety
    ///
    /// As with [`Port::start`].
    pub(super) unsafe fn send<T: Overlapped>(&self, it: &Arc<T>) -> io::Result<()> {
        let send = |operation: *mut OVERLAPPED| self.packet(0, 0, operation).is_ok().into();
        // SAFETY: the caller's promise; a packet that was added comes out.
        unsafe { self.start(it, send) }
    }

    /// Begins an overlapped operation by `call`, which answers as Windows does: `TRUE`, or `FALSE`
    /// and an error, of which `ERROR_IO_PENDING` is none.
    ///
    /// # Safety
    ///
    /// The operation of `it` is not in flight. Where `call` begins it, it ends on this port.
    pub(super) unsafe fn start<T: Overlapped>(
        &self,
        it: &Arc<T>,
        call: impl FnOnce(*mut OVERLAPPED) -> BOOL,
    ) -> io::Result<()> {
        let operation = Arc::into_raw(Arc::clone(it));
        // SAFETY: an `Operation` is the head of each `T`, and is not in flight.
        let overlapped = unsafe { (*operation.cast::<Operation>()).overlapped() };
        // SAFETY: as above.
        unsafe { overlapped.write(OVERLAPPED::default()) };
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let begun = cvt(call(overlapped));
        match begun {
            Err(error) if error.raw_os_error() != Some(ERROR_IO_PENDING as i32) => {
                self.in_flight.fetch_sub(1, Ordering::Relaxed);
                // SAFETY: leaked above; nothing was begun that would give it back.
                drop(unsafe { Arc::from_raw(operation) });
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Takes packets, up to the room that there is, and waits for the first of them.
    pub(super) fn take<'a>(
        &self,
        room: &'a mut [MaybeUninit<OVERLAPPED_ENTRY>],
        milliseconds: u32,
    ) -> io::Result<&'a [OVERLAPPED_ENTRY]> {
        let (port, list, length) = (self.handle.as_raw_handle(), room.as_mut_ptr(), room.len());
        let mut count = 0;
        // SAFETY: the port is open, and the kernel writes no more than `length` packets.
        let answer = cvt(unsafe {
            let (list, length) = (list.cast(), length as u32);
            GetQueuedCompletionStatusEx(port, list, length, &mut count, milliseconds, FALSE)
        });
        match answer {
            // SAFETY: the kernel has written the first `count` of them.
            Ok(()) => Ok(unsafe { std::slice::from_raw_parts(list.cast(), count as usize) }),
            Err(error) if error.raw_os_error() == Some(WAIT_TIMEOUT as i32) => Ok(&[]),
            Err(error) => Err(error),
        }
    }

    /// Ends what a packet says has ended, and delivers its event.
    fn complete(&self, packet: &OVERLAPPED_ENTRY, port: Option<&Arc<Port>>, deliver: Deliver<'_>) {
        let operation = packet.lpOverlapped.cast::<Operation>().cast_const();
        if operation.is_null() {
            let ready = Ready(packet.dwNumberOfBytesTransferred as u8);
            return deliver(Event::new(Token(packet.lpCompletionKey), ready));
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: only `start` gives this port operations, each with a reference of its own.
        unsafe { ((*operation).done)(operation, port, deliver) };
    }

    pub(super) fn deliver(self: &Arc<Port>, packets: &[OVERLAPPED_ENTRY], deliver: Deliver<'_>) {
        let each = |packet| self.complete(packet, Some(self), deliver);
        packets.iter().for_each(each);
    }
}

impl Drop for Port {
    /// Whoever began what is still in flight has cancelled it before letting go of the port.
    fn drop(&mut self) {
        let mut room = [MaybeUninit::uninit(); BATCH];
        while self.in_flight.load(Ordering::Relaxed) > 0 {
            match self.take(&mut room, 1_000) {
                // A driver that does not cancel keeps its memory: that is lost.
                Ok([]) | Err(_) => return,
                Ok(packets) => packets
                    .iter()
                    .for_each(|packet| self.complete(packet, None, &mut |_| ())),
            }
        }
    }
}

/// Makes a port, or binds `handle` to one that there is.
fn bind(handle: RawHandle, port: RawHandle) -> io::Result<OwnedHandle> {
    // SAFETY: no pointers; both are open while their owners are borrowed.
    let port = unsafe { CreateIoCompletionPort(handle, port, 0, 1) };
    cvt(BOOL::from(!port.is_null()))?;
    // SAFETY: the kernel has just given us this handle.
    Ok(unsafe { OwnedHandle::from_raw_handle(port) })
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
