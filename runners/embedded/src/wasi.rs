//! Preview 1's own calls. What concerns no socket goes to `wasmtime-wasi`, over the functions that
//! it makes of the interface's description; what may concern one looks for it first.

use std::time::Instant;

use rustix::fs::{FileType, Stat, fstat};
use rustix::net::sockopt;
use rustix::stdio;
use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as standard, WasiSnapshotPreview1 as _};
use wasmtime_wasi::runtime::in_tokio;
use wiggle::{GuestError, GuestMemory};

use crate::calls::Context;
use crate::errno::{Answer, Errno, Stop};
use crate::host::FIRST;
use crate::transfer;

/// Append, dsync, nonblock, rsync, sync.
pub const NONBLOCK: u64 = 4;
/// Where it is in what is told of a file.
const FILETYPE: u32 = 16;
const KNOWN_FLAGS: u64 = 0b1_1111;

const DEVICE: u8 = 2;
/// Below are those of terminals and pipes.
const DIRECTORY: u8 = 3;
/// A socket's filetype, whatever kind of socket it is.
const STREAM: u8 = 6;
/// What WasmEdge gives to a socket that was opened, and to one that was accepted.
const RIGHTS_OPENED: u64 = 0xf_f800_004a;
const RIGHTS_ACCEPTED: u64 = 0xf_1800_004a;

/// How many bytes one call may make `wasmtime-wasi` copy: Wasmtime's own bound.
const FUEL: usize = 128 << 20;

/// The answer of a call that `wasmtime-wasi` has made.
fn answer(result: wiggle::error::Result<i32>) -> Answer {
    match result {
        Ok(0) => Ok(()),
        Ok(errno) => Err(Errno(errno as u16).into()),
        Err(error) => match error.downcast_ref() {
            Some(wrong) => Err(argument(wrong).into()),
            None => Err(Stop::Trap(format!("{error:#}"))),
        },
    }
}

/// Where Wasmtime's own program traps, WasmEdge goes on.
fn argument(wrong: &GuestError) -> Errno {
    match wrong {
        GuestError::PtrOverflow | GuestError::PtrOutOfBounds(_) => Errno::FAULT,
        GuestError::PtrNotAligned(..) => Errno::ADDRNOTAVAIL,
        GuestError::InFunc { err, .. } => argument(err),
        _ => Errno::INVAL,
    }
}

/// How a 64-bit cell becomes a parameter of the function that is called.
trait Cell {
    fn of(cell: u64) -> Self;
}

impl Cell for i32 {
    fn of(cell: u64) -> i32 {
        cell as u32 as i32
    }
}

impl Cell for i64 {
    fn of(cell: u64) -> i64 {
        cell as i64
    }
}

/// Calls that need no look at sockets. A leading descriptor that is a socket's has no right to
/// them, as in WasmEdge, which looks first at what it is to write: `out INDEX SIZE`. For some
/// calls the standard streams have none either.
macro_rules! delegate {
    ($($wait:ident $check:tt $name:ident($($index:tt),*);)*) => {
        $(pub fn $name(context: &mut Context<'_>, args: &[u64]) -> Answer {
            delegate!(@check $check, context, args);
            let _ = args;
            let mut memory = GuestMemory::Unshared(context.memory.bytes);
            let wasi = &mut context.host.wasi;
            wasi.set_hostcall_fuel(FUEL);
            answer(delegate!(@wait $wait standard::$name(
                wasi,
                &mut memory,
                $(Cell::of(args[$index])),*
            )))
        })*
    };
    (@check (out $index:tt $size:literal), $context:ident, $args:ident) => {
        $context.memory.array($args[$index] as u32, 1, $size, 8)?;
        delegate!(@check fd, $context, $args);
    };
    (@check (file out $index:tt $size:literal), $context:ident, $args:ident) => {
        $context.memory.array($args[$index] as u32, 1, $size, 8)?;
        delegate!(@check file, $context, $args);
    };
    (@check fd, $context:ident, $args:ident) => {
        if $context.host.socket($args[0] as u32).is_some() {
            return Err(Errno::NOTCAPABLE.into());
        }
    };
    (@check file, $context:ident, $args:ident) => {
        let fd = $args[0] as u32;
        if $context.host.socket(fd).is_some() || filetype($context, fd)? < DIRECTORY {
            return Err(Errno::NOTCAPABLE.into());
        }
    };
    (@check (room $at:tt $length:tt), $context:ident, $args:ident) => {
        $context.memory.array($args[$at] as u32, $args[$length] as u32, 1, 1)?;
    };
    (@check free, $context:ident, $args:ident) => {};
    (@wait later $call:expr) => { in_tokio($call) };
    (@wait now $call:expr) => { $call };
}

delegate! {
    now free args_get(0, 1);
    now free args_sizes_get(0, 1);
    now free environ_get(0, 1);
    now free environ_sizes_get(0, 1);
    now free clock_res_get(0, 1);
    now free clock_time_get(0, 1, 2);
    later fd fd_advise(0, 1, 2, 3);
    now fd fd_allocate(0, 1, 2);
    later free fd_close(0);
    later file fd_datasync(0);
    later free fd_fdstat_get(0, 1);
    now free fd_fdstat_set_flags(0, 1);
    now fd fd_fdstat_set_rights(0, 1, 2);
    later (out 1 64) fd_filestat_get(0, 1);
    later fd fd_filestat_set_size(0, 1);
    later fd fd_filestat_set_times(0, 1, 2, 3);
    later fd fd_pread(0, 1, 2, 3, 4);
    now free fd_prestat_get(0, 1);
    now fd fd_prestat_dir_name(0, 1, 2);
    later fd fd_pwrite(0, 1, 2, 3, 4);
    later free fd_read(0, 1, 2, 3);
    later fd fd_readdir(0, 1, 2, 3, 4);
    later free fd_renumber(0, 1);
    later (file out 3 8) fd_seek(0, 1, 2, 3);
    later file fd_sync(0);
    now (file out 1 8) fd_tell(0, 1);
    later free fd_write(0, 1, 2, 3);
    later fd path_create_directory(0, 1, 2);
    later fd path_filestat_get(0, 1, 2, 3, 4);
    later fd path_filestat_set_times(0, 1, 2, 3, 4, 5, 6);
    later fd path_link(0, 1, 2, 3, 4, 5, 6);
    later fd path_open(0, 1, 2, 3, 4, 5, 6, 7, 8);
    later fd path_readlink(0, 1, 2, 3, 4, 5);
    later fd path_remove_directory(0, 1, 2);
    later fd path_rename(0, 1, 2, 3, 4, 5);
    later free path_symlink(0, 1, 2, 3, 4);
    later fd path_unlink_file(0, 1, 2);
    now free proc_raise(0);
    now free sched_yield();
    now (room 0 1) random_get(0, 1);
}

pub fn exit(_: &mut Context<'_>, args: &[u64]) -> Answer {
    Err(Stop::Exit(args[0] as u32 as i32))
}

/// What sort of thing a descriptor of `wasmtime-wasi`'s is: its filetype.
pub fn filetype(context: &mut Context<'_>, fd: u32) -> Answer<u8> {
    let mut scratch = [0; 24];
    let mut memory = GuestMemory::Unshared(&mut scratch);
    let wasi = &mut context.host.wasi;
    answer(in_tokio(standard::fd_fdstat_get(
        wasi,
        &mut memory,
        fd as i32,
        0,
    )))?;
    Ok(scratch[0])
}

pub fn close(context: &mut Context<'_>, args: &[u64]) -> Answer {
    match context.host.remove(args[0] as u32) {
        Some(socket) => {
            context.host.poller.forget(socket.id);
            // The system waits where the guest has asked it to linger: not for ever.
            if let Some(deadline) = context.host.deadline
                && let Ok(Some(time)) = sockopt::socket_linger(&socket)
                && Instant::now()
                    .checked_add(time)
                    .is_none_or(|end| end > deadline)
            {
                sockopt::set_socket_linger(&socket, None)?;
            }
            Ok(())
        }
        None => fd_close(context, args),
    }
}

pub fn renumber(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let [from, to] = [args[0] as u32, args[1] as u32];
    let is_socket = |fd| context.host.socket(fd).is_some();
    match (is_socket(from), is_socket(to)) {
        (true, true) if from == to => Ok(()),
        // The one that closes is not forgotten: a fault that WasmEdge has (0.14.1, 0.17.1).
        (true, true) => context.host.renumber(from, to),
        (false, false) => fd_renumber(context, args),
        _ => {
            let other = if is_socket(from) { to } else { from };
            filetype(context, other)?;
            // Sockets and files are numbered by two parties here.
            Err(Errno::NOTSUP.into())
        }
    }
}

pub fn fdstat(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let Some(socket) = context.host.socket(args[0] as u32) else {
        return fd_fdstat_get(context, args);
    };
    let mut stat = [0; 24];
    stat[0] = STREAM;
    stat[2] = if socket.nonblocking {
        NONBLOCK as u8
    } else {
        0
    };
    let rights = match socket.accepted {
        true => RIGHTS_ACCEPTED,
        false => RIGHTS_OPENED,
    };
    stat[8..16].copy_from_slice(&rights.to_le_bytes());
    stat[16..].copy_from_slice(&rights.to_le_bytes());
    Ok(context.memory.write(args[1] as u32, 8, &stat)?)
}

pub fn set_flags(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let Some(socket) = context.host.socket_mut(args[0] as u32) else {
        return fd_fdstat_set_flags(context, args);
    };
    match args[1] {
        unknown if unknown & !KNOWN_FLAGS != 0 => Err(Errno::INVAL.into()),
        // What synchronizes writes needs a right that sockets lack.
        sync if sync & 0b1_1010 != 0 => Err(Errno::NOTCAPABLE.into()),
        flags => {
            socket.nonblocking = flags & NONBLOCK != 0;
            Ok(())
        }
    }
}

/// C libraries ask each descriptor from 3 on, until one is unknown; after any other error they end
/// the guest. So it should not be told of sockets, as WasmEdge (0.14.1) does.
pub fn prestat(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let fd = args[0] as u32;
    // WasmEdge opens no listener for its guests; who asks this host to can be told the truth.
    if context.host.faultless() || (fd < FIRST && context.host.socket(fd).is_some()) {
        return fd_prestat_get(context, args);
    }
    context.memory.array(args[1] as u32, 1, 8, 4)?;
    match context.host.socket(fd).is_some() || filetype(context, fd)? != DIRECTORY {
        true => Err(Errno::INVAL.into()),
        false => fd_prestat_get(context, args),
    }
}

/// A standard stream that is a device is told as one, as by WasmEdge.
pub fn filestat(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let (fd, stat) = (args[0] as u32, args[1] as u32);
    fd_filestat_get(context, args)?;
    let system = match fd {
        0 => fstat(stdio::stdin()),
        1 => fstat(stdio::stdout()),
        2 => fstat(stdio::stderr()),
        _ => return Ok(()),
    };
    let is_device = |stat: Stat| FileType::from_raw_mode(stat.st_mode).is_char_device();
    if system.is_ok_and(is_device) {
        context.memory.write(stat + FILETYPE, 1, &[DEVICE])?;
    }
    Ok(())
}

pub fn read(context: &mut Context<'_>, args: &[u64]) -> Answer {
    if context.host.socket(args[0] as u32).is_none() {
        return fd_read(context, args);
    }
    transfer::read(context, args)
}

/// On a connection that is gone, WasmEdge's `fd_write` ends the host by SIGPIPE.
pub fn write(context: &mut Context<'_>, args: &[u64]) -> Answer {
    if context.host.socket(args[0] as u32).is_none() {
        return fd_write(context, args);
    }
    let written = transfer::write(context, args);
    match written {
        Err(Stop::Errno(Errno::PIPE)) if !context.host.faultless() => Err(Stop::Trap(
            "WasmEdge ends here, by SIGPIPE: fd_write on a connection that is gone".into(),
        )),
        other => other,
    }
}
