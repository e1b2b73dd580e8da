//! Preview 1's own calls. What concerns no socket goes to `wasmtime-wasi`, over the functions that
//! it makes of the interface's description; what may concern one looks for it first.

use wasmtime_wasi::p1::wasi_snapshot_preview1::{self as standard, WasiSnapshotPreview1 as _};
use wasmtime_wasi::runtime::in_tokio;
use wiggle::GuestMemory;

use crate::calls::Context;
use crate::errno::{Answer, Errno, Stop};
use crate::transfer;

/// Append, dsync, nonblock, rsync, sync.
pub const NONBLOCK: u64 = 4;
const KNOWN_FLAGS: u64 = 0b1_1111;

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
        Err(error) => Err(Stop::Trap(format!("{error:#}"))),
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

/// Calls that need no look at sockets. A leading descriptor that is a socket's has no right to them,
/// as in WasmEdge.
macro_rules! delegate {
    ($($wait:ident $check:ident $name:ident($($index:tt),*);)*) => {
        $(pub fn $name(context: &mut Context<'_>, args: &[u64]) -> Answer {
            delegate!(@check $check context, args);
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
    (@check fd $context:ident, $args:ident) => {
        if $context.host.socket($args[0] as u32).is_some() {
            return Err(Errno::NOTCAPABLE.into());
        }
    };
    (@check free $context:ident, $args:ident) => {};
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
    later fd fd_datasync(0);
    later free fd_fdstat_get(0, 1);
    now free fd_fdstat_set_flags(0, 1);
    now fd fd_fdstat_set_rights(0, 1, 2);
    later fd fd_filestat_get(0, 1);
    later fd fd_filestat_set_size(0, 1);
    later fd fd_filestat_set_times(0, 1, 2, 3);
    later fd fd_pread(0, 1, 2, 3, 4);
    now fd fd_prestat_get(0, 1);
    now fd fd_prestat_dir_name(0, 1, 2);
    later fd fd_pwrite(0, 1, 2, 3, 4);
    later free fd_read(0, 1, 2, 3);
    later fd fd_readdir(0, 1, 2, 3, 4);
    later free fd_renumber(0, 1);
    later fd fd_seek(0, 1, 2, 3);
    later fd fd_sync(0);
    now fd fd_tell(0, 1);
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
    now free random_get(0, 1);
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
