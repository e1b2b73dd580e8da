//! Socket options: WasmEdge's fourteen names, all of one level, handed to the system as they are.

use std::os::fd::AsRawFd;

use crate::calls::Context;
use crate::errno::{Answer, Errno, Stop};
use crate::memory::Piece;
use crate::sock::{find, found};

/// The only level.
const SOCKET: u64 = 0;
const TYPE: u64 = 1;
const ERROR: u64 = 2;
const DEVICE: u64 = 14;

/// The system's names, in the order of WasmEdge's numbers.
const NAMES: [libc::c_int; 15] = [
    libc::SO_REUSEADDR,
    libc::SO_TYPE,
    libc::SO_ERROR,
    libc::SO_DONTROUTE,
    libc::SO_BROADCAST,
    libc::SO_SNDBUF,
    libc::SO_RCVBUF,
    libc::SO_KEEPALIVE,
    libc::SO_OOBINLINE,
    libc::SO_LINGER,
    libc::SO_RCVLOWAT,
    libc::SO_RCVTIMEO,
    libc::SO_SNDTIMEO,
    libc::SO_ACCEPTCONN,
    libc::SO_BINDTODEVICE,
];

/// No option is longer.
const MOST: usize = 256;

fn name(args: &[u64]) -> Answer<libc::c_int> {
    let name = NAMES.get(args[2] as usize).filter(|_| args[1] == SOCKET);
    Ok(*name.ok_or(Errno::INVAL)?)
}

pub fn get(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let name = name(args)?;
    let (value, length) = (args[3] as u32, args[4] as u32);
    let room = context.memory.u32(length)?;
    let piece = Piece {
        at: value,
        length: room,
    };
    context.memory.get(piece)?;
    find(context, args[0])?;
    let translated = [TYPE, ERROR].contains(&args[2]);
    if translated && room < 4 {
        return match context.host.faultless() {
            true => Err(Errno::INVAL.into()),
            false => Err(Stop::Trap(
                "WasmEdge ends here: SO_ERROR or SO_TYPE with room for less than 4 bytes".into(),
            )),
        };
    }
    if args[2] == ERROR
        && let Some(error) = context.host.take_error(args[0])
    {
        context.memory.get_mut(piece)?[..4].copy_from_slice(&u32::from(error.0).to_le_bytes());
        return Ok(context.memory.set_u32(length, 4)?);
    }
    let socket = found(context, args[0])?;
    let mut bytes = [0_u8; MOST];
    let mut got = bytes.len().min(room as usize) as libc::socklen_t;
    // SAFETY: the descriptor is open while `socket` lives; the system writes at most `got` bytes to
    // `bytes`, which has at least as many, and the new length to `got`.
    let answer = unsafe {
        let to = bytes.as_mut_ptr().cast();
        libc::getsockopt(socket.fd.as_raw_fd(), libc::SOL_SOCKET, name, to, &mut got)
    };
    system(answer)?;
    if translated {
        let number = i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let told = match args[2] {
            ERROR => error(number),
            _ if number == libc::SOCK_DGRAM => 1,
            _ => 2,
        };
        bytes[..4].copy_from_slice(&told.to_le_bytes());
    }
    let bytes = &bytes[..got as usize];
    context.memory.get_mut(piece)?[..bytes.len()].copy_from_slice(bytes);
    Ok(context.memory.set_u32(length, got)?)
}

/// A pending error in preview 1's numbers.
fn error(number: i32) -> u32 {
    match number {
        0 => 0,
        number => Errno::from(rustix::io::Errno::from_raw_os_error(number))
            .0
            .into(),
    }
}

pub fn set(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let name = name(args)?;
    let piece = Piece {
        at: args[3] as u32,
        length: args[4] as u32,
    };
    let value = context.memory.get(piece)?;
    let value = value[..value.len().min(MOST)].to_vec();
    if args[2] == DEVICE && !context.host.rights.net {
        // It chooses a way to other machines.
        return Err(Errno::NOTCAPABLE.into());
    }
    let socket = found(context, args[0])?;
    // SAFETY: the descriptor is open while `socket` lives, and the system reads as many bytes as
    // `value` has.
    let answer = unsafe {
        let from = value.as_ptr().cast();
        let length = value.len() as libc::socklen_t;
        libc::setsockopt(socket.fd.as_raw_fd(), libc::SOL_SOCKET, name, from, length)
    };
    system(answer)
}

fn system(answer: libc::c_int) -> Answer {
    if answer == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    let number = error.raw_os_error().unwrap_or(libc::EIO);
    Err(rustix::io::Errno::from_raw_os_error(number).into())
}
