//! Bytes and datagrams, in and out. They are copied through a buffer of this host's own: the
//! guest's pieces may overlap as they like.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::Timeout;
use rustix::net::{self, RecvFlags, SendFlags, SocketAddrAny, SocketType};

use crate::address::{self, Address, STORAGE, Version};
use crate::calls::Context;
use crate::errno::{Answer, Errno};
use crate::host::{Socket, UNIX, until_ready};
use crate::memory::{Piece, room};
use crate::sock::{found, keep_home, limits};

/// One call moves no more, whatever the guest's pieces add up to. Datagrams are shorter.
const MOST: usize = 1 << 20;

const PEEK: u64 = 1;
const WAIT_FOR_ALL: u64 = 2;
/// What the guest is told about a datagram that did not fit.
const TRUNCATED: u16 = 1;

/// What came in.
struct Received {
    bytes: Vec<u8>,
    truncated: bool,
    from: Option<SocketAddrAny>,
}

/// What the adversary makes of one transfer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meddling {
    /// No more than so many bytes are moved.
    pub most: Option<usize>,
    /// Of a datagram, no more than so many bytes are told.
    pub cut: Option<usize>,
}

fn receive(context: &mut Context<'_>, fd: u64, pieces: &[Piece], flags: u64) -> Answer<Received> {
    found(context, fd)?;
    let meddling = context.host.meddle(fd)?;
    let host = &*context.host;
    let socket = host.socket(fd as u32).ok_or(Errno::BADF)?;
    let datagrams = socket.kind == SocketType::DGRAM;
    let mut most = room(pieces, MOST);
    if !datagrams {
        most = most.min(meddling.most.unwrap_or(most));
    }
    let mut os = RecvFlags::empty();
    os.set(RecvFlags::PEEK, flags & PEEK != 0);
    // Asked of a stream, it would throw bytes away.
    os.set(RecvFlags::TRUNC, datagrams);
    os.set(
        RecvFlags::WAITALL,
        flags & WAIT_FOR_ALL != 0 && !socket.nonblocking,
    );
    let mut bytes = vec![0; most];
    let waiting = (socket.as_fd(), socket.nonblocking);
    let limits = limits(host, socket, Timeout::Recv);
    let (_, length, from) = until_ready(waiting, PollFlags::IN, limits, || {
        match net::recvfrom(socket, &mut bytes[..], os) {
            // Only a call that blocks is told of it.
            Err(rustix::io::Errno::AGAIN)
                if datagrams && !socket.nonblocking && is_shut(socket) =>
            {
                Ok((0, 0, None))
            }
            other => other,
        }
    })?;
    let mut truncated = length > most;
    let mut kept = length.min(most);
    if let Some(cut) = meddling.cut.filter(|cut| datagrams && *cut < kept) {
        (kept, truncated) = (cut, true);
    }
    bytes.truncate(kept);
    Ok(Received {
        bytes,
        truncated,
        from,
    })
}

/// Whether the guest has shut it down for reading.
fn is_shut(socket: &Socket) -> bool {
    let mut list = [PollFd::new(socket, PollFlags::RDHUP)];
    let found = poll(&mut list, Some(&Timespec::default()));
    found.is_ok_and(|found| found > 0) && list[0].revents().intersects(PollFlags::RDHUP)
}

/// Hands over what came in, and says how much it is.
fn hand_over(
    context: &mut Context<'_>,
    pieces: &[Piece],
    received: &Received,
    length: u64,
) -> Answer {
    context.memory.scatter(pieces, &received.bytes)?;
    let told = received.bytes.len() as u32;
    Ok(context.memory.set_u32(length as u32, told)?)
}

/// Says whether that is all.
fn tell_truncated(context: &mut Context<'_>, received: &Received, flags: u64) -> Answer {
    let told = if received.truncated { TRUNCATED } else { 0 };
    Ok(context.memory.set_u16(flags as u32, told)?)
}

fn check_flags(flags: u64, known: u64) -> Answer {
    match flags & !known {
        0 => Ok(()),
        _ => Err(Errno::INVAL.into()),
    }
}

fn check_outs(context: &Context<'_>, [length, flags]: [u64; 2]) -> Answer {
    context.memory.writable(length as u32, 4)?;
    Ok(context.memory.writable(flags as u32, 2)?)
}

pub fn recv(context: &mut Context<'_>, args: &[u64]) -> Answer {
    check_flags(args[3], PEEK | WAIT_FOR_ALL)?;
    let pieces = context.memory.pieces(args[1] as u32, args[2] as u32)?;
    check_outs(context, [args[4], args[5]])?;
    let received = receive(context, args[0], &pieces, args[3])?;
    hand_over(context, &pieces, &received, args[4])?;
    tell_truncated(context, &received, args[5])
}

/// `fd_read` of a socket.
pub fn read(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let pieces = context.memory.pieces(args[1] as u32, args[2] as u32)?;
    context.memory.writable(args[3] as u32, 4)?;
    if room(&pieces, MOST) == 0 {
        return nothing(context, args);
    }
    let received = receive(context, args[0], &pieces, 0)?;
    hand_over(context, &pieces, &received, args[3])
}

/// The system moves nothing without asking the socket, where `sock_recv` and `sock_send` do ask.
fn nothing(context: &mut Context<'_>, args: &[u64]) -> Answer {
    found(context, args[0])?;
    Ok(context.memory.set_u32(args[3] as u32, 0)?)
}

pub fn recv_from(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let size = context.memory.piece(args[3] as u32)?.length as usize;
    if ![4, 16, STORAGE].contains(&size) {
        return Err(Errno::INVAL.into());
    }
    from(context, args, Some(args[5] as u32), [args[6], args[7]])
}

/// The first version never tells the port, and only this one takes room of any size: it writes no
/// family either.
pub fn recv_from_v1(context: &mut Context<'_>, args: &[u64]) -> Answer {
    from(context, args, None, [args[5], args[6]])
}

fn from(context: &mut Context<'_>, args: &[u64], port: Option<u32>, outs: [u64; 2]) -> Answer {
    let room = context.memory.piece(args[3] as u32)?;
    check_flags(args[4], PEEK | WAIT_FOR_ALL)?;
    let pieces = context.memory.pieces(args[1] as u32, args[2] as u32)?;
    port.map_or(Ok(()), |port| context.memory.writable(port, 2))?;
    check_outs(context, outs)?;
    let socket = found(context, args[0])?;
    let datagrams = socket.family == UNIX && socket.kind == SocketType::DGRAM;
    if datagrams && too_narrow(room) && context.host.faultless() {
        return Err(Errno::INVAL.into());
    }
    let received = receive(context, args[0], &pieces, args[4])?;
    hand_over(context, &pieces, &received, outs[0])?;
    tell_sender(context, &received, room, port)?;
    tell_truncated(context, &received, outs[1])
}

/// Whether a Unix socket's name is asked for and would not fit.
fn too_narrow(room: Piece) -> bool {
    (1..address::PATH as u32).contains(&room.length)
}

/// Writes where a datagram came from. A stream has no sender, and an unbound Unix socket no name.
fn tell_sender(
    context: &mut Context<'_>,
    received: &Received,
    room: Piece,
    port: Option<u32>,
) -> Answer {
    let with_family = port.is_some() && room.length as usize == STORAGE;
    let faultless = context.host.faultless();
    let Some(from) = &received.from else {
        // WasmEdge leaves what the stack held, so guests must not look: a family that does not
        // exist makes those who do fall.
        if with_family && !faultless {
            context.memory.get_mut(room)?[..2].copy_from_slice(&[0xad, 0xde]);
        }
        return Ok(());
    };
    let told = address::told(from)?;
    if with_family {
        told.store(&mut context.memory, room)?;
    } else if told.family == UNIX && too_narrow(room) && !faultless {
        // WasmEdge looks only after it has taken what came, and that is lost.
        return Err(Errno::INVAL.into());
    } else {
        told.store_bare(&mut context.memory, room)?;
    }
    if let Some(port) = port.filter(|_| told.family != UNIX) {
        // In the network's order, unlike everywhere else.
        context.memory.write(port, 2, &told.port.to_be_bytes())?;
    }
    Ok(())
}

/// Sends what the pieces hold; the answer is how much went.
fn transmit(
    context: &mut Context<'_>,
    fd: u64,
    pieces: &[Piece],
    to: Option<&Address>,
) -> Answer<u32> {
    found(context, fd)?;
    let meddling = context.host.meddle(fd)?;
    let host = &*context.host;
    let socket = host.socket(fd as u32).ok_or(Errno::BADF)?;
    let mut bytes = context.memory.gather(pieces, MOST)?;
    if socket.kind == SocketType::STREAM {
        bytes.truncate(meddling.most.unwrap_or(bytes.len()));
    }
    let waiting = (socket.as_fd(), socket.nonblocking);
    let limits = limits(host, socket, Timeout::Send);
    let sent = until_ready(waiting, PollFlags::OUT, limits, || {
        send_once(socket, &bytes, to)
    })?;
    Ok(sent as u32)
}

fn send_once(socket: &Socket, bytes: &[u8], to: Option<&Address>) -> rustix::io::Result<usize> {
    let flags = SendFlags::NOSIGNAL;
    match to {
        None => net::send(socket, bytes, flags),
        Some(Address::Ip(ip)) => net::sendto(socket, bytes, flags, ip),
        Some(Address::Unix(path)) => net::sendto(socket, bytes, flags, path),
    }
}

pub fn send(context: &mut Context<'_>, args: &[u64]) -> Answer {
    check_flags(args[3], 0)?;
    let pieces = context.memory.pieces(args[1] as u32, args[2] as u32)?;
    context.memory.writable(args[4] as u32, 4)?;
    let sent = transmit(context, args[0], &pieces, None)?;
    Ok(context.memory.set_u32(args[4] as u32, sent)?)
}

/// `fd_write` of a socket.
pub fn write(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let pieces = context.memory.pieces(args[1] as u32, args[2] as u32)?;
    context.memory.writable(args[3] as u32, 4)?;
    if room(&pieces, MOST) == 0 {
        return nothing(context, args);
    }
    let sent = transmit(context, args[0], &pieces, None)?;
    Ok(context.memory.set_u32(args[3] as u32, sent)?)
}

pub fn send_to(context: &mut Context<'_>, args: &[u64], version: Version) -> Answer {
    let to = address::read(context, version, [args[0], args[3], args[4]])?;
    check_flags(args[5], 0)?;
    let pieces = context.memory.pieces(args[1] as u32, args[2] as u32)?;
    context.memory.writable(args[6] as u32, 4)?;
    found(context, args[0])?;
    address::permit(context.host, &to)?;
    keep_home(context, args[0])?;
    let sent = transmit(context, args[0], &pieces, Some(&to))?;
    Ok(context.memory.set_u32(args[6] as u32, sent)?)
}
