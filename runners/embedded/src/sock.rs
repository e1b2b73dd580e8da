//! Sockets: opened, bound, connected, accepted, shut down and asked for their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::ioctl::{Getter, Opcode, ioctl};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, Shutdown, SocketAddrAny, SocketFlags, SocketType};

use crate::address::{self, Address, STORAGE, Told, Version};
use crate::calls::Context;
use crate::errno::{Answer, Errno, Stop};
use crate::host::{Host, INET4, INET6, Socket, UNIX, until_ready};
use crate::wasi::{self, NONBLOCK};

const DATAGRAM: u64 = 1;
const STREAM: u64 = 2;
const KNOWN_FLAGS: u64 = 0b1_1111;

/// The socket `fd`, or why it is none.
pub fn find(context: &mut Context<'_>, fd: u64) -> Answer {
    let fd = fd as u32;
    if context.host.socket(fd).is_some() {
        return Ok(());
    }
    wasi::filetype(context, fd)?;
    Err(Errno::NOTSOCK.into())
}

/// As [`find`], with the socket and the time that blocking calls have.
pub fn found<'a>(context: &'a mut Context<'_>, fd: u64) -> Answer<&'a Socket> {
    find(context, fd)?;
    context.host.socket(fd as u32).ok_or(Errno::BADF.into())
}

/// How long an operation may block: what the guest has set, and its whole time.
pub fn limits(
    host: &Host,
    socket: &Socket,
    which: Timeout,
) -> (Option<Duration>, Option<std::time::Instant>) {
    let limit = sockopt::socket_timeout(&socket.fd, which).ok().flatten();
    (limit, host.deadline)
}

pub fn open(context: &mut Context<'_>, args: &[u64]) -> Answer {
    context.memory.writable(args[2] as u32, 4)?;
    let family = args[0] as u32;
    let system = address::system(family).ok_or(Errno::INVAL)?;
    let kind = match args[1] {
        DATAGRAM => SocketType::DGRAM,
        STREAM => SocketType::STREAM,
        _ => return Err(Errno::INVAL.into()),
    };
    if family == UNIX && !context.host.rights.af_unix {
        return Err(Errno::NOSYS.into());
    }
    context.host.has_room()?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = net::socket_with(system, kind, flags, None)?;
    let number = context.host.insert(fd, family, kind);
    Ok(context.memory.set_u32(args[2] as u32, number)?)
}

fn address(context: &mut Context<'_>, args: &[u64], version: Version) -> Answer<Address> {
    let address = address::read(context, version, [args[0], args[1], args[2]])?;
    find(context, args[0])?;
    address::permit(context.host, &address)?;
    Ok(address)
}

pub fn bind(context: &mut Context<'_>, args: &[u64], version: Version) -> Answer {
    let address = address(context, args, version)?;
    let socket = found(context, args[0])?;
    Ok(match address {
        Address::Ip(ip) => net::bind(socket, &ip),
        Address::Unix(path) => net::bind(socket, &path),
    }?)
}

/// The kernel gives a socket that has no address any that this machine has, and with it whoever
/// reaches the machine. Who may use loopback alone gets its address instead.
pub fn keep_home(context: &mut Context<'_>, fd: u64) -> Answer {
    let net = context.host.rights.net;
    let socket = found(context, fd)?;
    let home: IpAddr = match socket.family {
        INET4 => Ipv4Addr::LOCALHOST.into(),
        INET6 => Ipv6Addr::LOCALHOST.into(),
        _ => return Ok(()),
    };
    let bound = net::getsockname(socket).ok().map(SocketAddr::try_from);
    let unbound = matches!(bound, Some(Ok(address)) if address.port() == 0);
    if unbound && !net {
        net::bind(socket, &SocketAddr::new(home, 0))?;
    }
    Ok(())
}

pub fn listen(context: &mut Context<'_>, args: &[u64]) -> Answer {
    keep_home(context, args[0])?;
    let socket = found(context, args[0])?;
    Ok(net::listen(socket, args[1] as u32 as i32)?)
}

pub fn connect(context: &mut Context<'_>, args: &[u64], version: Version) -> Answer {
    let address = address(context, args, version)?;
    let deadline = context.host.deadline;
    let socket = found(context, args[0])?;
    let connected = match &address {
        Address::Ip(ip) => net::connect(socket, ip),
        // A full queue is no beginning, and a socket that blocks waits for its place.
        Address::Unix(path) if !socket.nonblocking => {
            let waiting = (socket.as_fd(), false);
            let connect = || net::connect(socket, path);
            return until_ready(waiting, PollFlags::OUT, (None, deadline), connect);
        }
        Address::Unix(path) => net::connect(socket, path),
    };
    let begun = matches!(connected, Ok(()) | Err(rustix::io::Errno::INPROGRESS));
    let socket = match begun {
        true => {
            context.host.meddle_after_connect(args[0])?;
            found(context, args[0])?
        }
        false => socket,
    };
    match connected {
        Err(rustix::io::Errno::INPROGRESS) if !socket.nonblocking => {
            let waiting = (socket.as_fd(), PollFlags::OUT);
            let mut list = [rustix::event::PollFd::from_borrowed_fd(
                waiting.0, waiting.1,
            )];
            Host::wait(&mut list, None, deadline)?;
            Ok(sockopt::socket_error(socket)??)
        }
        other => Ok(other?),
    }
}

pub fn shutdown(context: &mut Context<'_>, args: &[u64]) -> Answer {
    let how = match args[1] {
        0 | 1 => Shutdown::Read,
        2 => Shutdown::Write,
        3 => Shutdown::Both,
        _ => return Err(Errno::INVAL.into()),
    };
    let socket = found(context, args[0])?;
    Ok(net::shutdown(socket, how)?)
}

/// The first version: the accepted socket is blocking.
pub fn accept(context: &mut Context<'_>, args: &[u64]) -> Answer {
    accept_one(context, args[0], args[1] as u32, 0)
}

/// The second one, which std knows too: the accepted socket has these flags.
pub fn accept_with(context: &mut Context<'_>, args: &[u64]) -> Answer {
    accept_one(context, args[0], args[2] as u32, args[1])
}

fn accept_one(context: &mut Context<'_>, listener: u64, out: u32, flags: u64) -> Answer {
    context.memory.writable(out, 4)?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(Errno::INVAL.into());
    }
    find(context, listener)?;
    context.host.has_room()?;
    let host = &*context.host;
    let socket = host.socket(listener as u32).ok_or(Errno::BADF)?;
    let (family, kind) = (socket.family, socket.kind);
    let limits = limits(host, socket, Timeout::Recv);
    let os = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let waiting = (socket.as_fd(), socket.nonblocking);
    let fd: OwnedFd = until_ready(waiting, PollFlags::IN, limits, || {
        net::accept_with(socket, os)
    })?;
    let number = context.host.insert(fd, family, kind);
    let faultless = context.host.faultless();
    if let Some(accepted) = context.host.socket_mut(number) {
        accepted.accepted = true;
        accepted.nonblocking = faultless && flags & NONBLOCK != 0;
    }
    // WasmEdge (0.14.1, 0.17.1) sets the flag on the listener instead.
    if !faultless
        && flags & NONBLOCK != 0
        && let Some(listener) = context.host.socket_mut(listener as u32)
    {
        listener.nonblocking = true;
    }
    Ok(context.memory.set_u32(out, number)?)
}

pub fn local(context: &mut Context<'_>, args: &[u64], version: Version) -> Answer {
    let address = |socket: &Socket| Ok(net::getsockname(socket)?);
    tell(context, args, version, address)
}

pub fn peer(context: &mut Context<'_>, args: &[u64], version: Version) -> Answer {
    if context.host.is_late(args[0] as u32) {
        return Err(Errno::NOTCONN.into());
    }
    let address = |socket: &Socket| -> Answer<SocketAddrAny> {
        net::getpeername(socket)?.ok_or(Stop::Errno(Errno::NOTCONN))
    };
    tell(context, args, version, address)
}

fn tell(
    context: &mut Context<'_>,
    args: &[u64],
    version: Version,
    ask: impl Fn(&Socket) -> Answer<SocketAddrAny>,
) -> Answer {
    let piece = context.memory.piece(args[1] as u32)?;
    let (kind, port, fits) = match version {
        Version::V1 => {
            let fits = [4, 16].contains(&piece.length);
            (Some(args[2] as u32), args[3] as u32, fits)
        }
        // Only this one looks at the pointer before the length.
        Version::V2 => {
            context.memory.writable(args[2] as u32, 4)?;
            (None, args[2] as u32, piece.length as usize == STORAGE)
        }
    };
    if !fits {
        return Err(Errno::INVAL.into());
    }
    kind.map_or(Ok(()), |kind| context.memory.writable(kind, 4))?;
    context.memory.writable(port, 4)?;
    let told = address::told(&ask(found(context, args[0])?)?)?;
    match kind {
        None => told.store(&mut context.memory, piece)?,
        Some(kind) => {
            let code = bare(&told, piece.length)?;
            told.store_bare(&mut context.memory, piece)?;
            context.memory.set_u32(kind, code)?;
        }
    }
    Ok(context.memory.set_u32(port, told.port.into())?)
}

/// The first version's code for a family, if the address fits into `room` bytes.
fn bare(told: &Told, room: u32) -> Result<u32, Errno> {
    match told.family {
        INET4 => Ok(4),
        INET6 if room == 16 => Ok(6),
        _ => Err(Errno::NOMEM),
    }
}

/// How many bytes could be sent now.
pub fn room_to_send(socket: &Socket) -> u64 {
    let size = sockopt::socket_send_buffer_size(socket).unwrap_or_default();
    // SAFETY: the system writes one `int` in answer to this request.
    let queued = unsafe { ioctl(socket, Getter::<{ libc::TIOCOUTQ as Opcode }, i32>::new()) };
    let queued = queued.ok().and_then(|queued| queued.try_into().ok());
    size.saturating_sub(queued.unwrap_or_default()) as u64
}
