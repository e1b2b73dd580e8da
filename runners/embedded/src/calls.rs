//! Every call a guest may import from this host, with what each parameter means. The types, the
//! names under which a call is found, and what a trace shows all come from this one table.

use crate::address::Version::{V1, V2};
use crate::errno::Answer;
use crate::host::Host;
use crate::memory::Memory;
use crate::{names, option, poll, sock, transfer, wasi};

#[cfg(test)]
mod tests;

/// The module that all of them are imported from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// What a parameter is. All but [`Kind::Long`] are 32 bits wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Fd,
    Number,
    Long,
    Port,
    Family,
    SocketType,
    Clock,
    FdFlags,
    ReceiveFlags,
    SendFlags,
    How,
    OptionName,
    /// A pointer to bytes that the host fills; the next parameter is their number.
    Bytes,
    /// A pointer to text; the next parameter is the number of its bytes.
    Text,
    /// A pointer to an option's value. The next parameter is its length, or points to the room for
    /// it, where the host writes the length.
    Value,
    /// How many bytes or structures the parameter before points to.
    Count,
    /// A pointer to pieces of memory; the next parameter is their number.
    Pieces,
    /// The same, and the host fills them.
    Room,
    /// A pointer to the description of an address.
    Address,
    /// The same, and the host fills it.
    Peer,
    Subscriptions,
    Events,
    /// A pointer to where the host writes one number of so many bytes.
    Out(u32),
    /// A pointer to where the host writes a new descriptor.
    OutFd,
    /// A pointer to what a trace does not take apart.
    Pointer,
}

#[derive(Debug, Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    pub kind: Kind,
}

/// What a call works on.
#[derive(Debug)]
pub struct Context<'a> {
    pub host: &'a mut Host,
    pub memory: Memory<'a>,
}

type Run = fn(&mut Context<'_>, &[u64]) -> Answer;

/// Who has defined a call: only a host with WasmEdge's extension has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Preview1,
    WasmEdge,
}

pub struct Call {
    pub name: &'static str,
    pub params: &'static [Param],
    pub origin: Origin,
    pub run: Run,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// One line a call: `origin name(parameter: Kind, …) = function`.
macro_rules! calls {
    ($($origin:ident $name:ident($($param:ident: $kind:expr),*) = $run:expr;)*) => {
        &[$(Call {
            name: stringify!($name),
            params: &[$(Param { name: stringify!($param), kind: $kind },)*],
            origin: Origin::$origin,
            run: $run,
        },)*]
    };
}

use Kind::*;

/// In the order in which a plain name is looked up: the first of its name and type is the one.
#[rustfmt::skip]
pub const CALLS: &[Call] = calls! {
    WasmEdge sock_open(af: Family, kind: SocketType, fd: OutFd) = sock::open;
    WasmEdge sock_open_v2(af: Family, kind: SocketType, fd: OutFd) = sock::open;
    WasmEdge sock_bind(fd: Fd, addr: Address, port: Port) = |c, a| sock::bind(c, a, V1);
    WasmEdge sock_bind_v2(fd: Fd, addr: Address, port: Port) = |c, a| sock::bind(c, a, V2);
    WasmEdge sock_listen(fd: Fd, backlog: Number) = sock::listen;
    WasmEdge sock_listen_v2(fd: Fd, backlog: Number) = sock::listen;
    WasmEdge sock_connect(fd: Fd, addr: Address, port: Port) = |c, a| sock::connect(c, a, V1);
    WasmEdge sock_connect_v2(fd: Fd, addr: Address, port: Port) = |c, a| sock::connect(c, a, V2);
    WasmEdge sock_accept(fd: Fd, new: OutFd) = sock::accept;
    Preview1 sock_accept(fd: Fd, flags: FdFlags, new: OutFd) = sock::accept_with;
    WasmEdge sock_accept_v2(fd: Fd, flags: FdFlags, new: OutFd) = sock::accept_with;
    Preview1 sock_shutdown(fd: Fd, how: How) = sock::shutdown;
    WasmEdge sock_getlocaladdr(fd: Fd, addr: Peer, kind: Out(4), port: Out(4))
        = |c, a| sock::local(c, a, V1);
    WasmEdge sock_getlocaladdr(fd: Fd, addr: Peer, port: Out(4)) = |c, a| sock::local(c, a, V2);
    WasmEdge sock_getlocaladdr_v2(fd: Fd, addr: Peer, port: Out(4)) = |c, a| sock::local(c, a, V2);
    WasmEdge sock_getpeeraddr(fd: Fd, addr: Peer, kind: Out(4), port: Out(4))
        = |c, a| sock::peer(c, a, V1);
    WasmEdge sock_getpeeraddr(fd: Fd, addr: Peer, port: Out(4)) = |c, a| sock::peer(c, a, V2);
    WasmEdge sock_getpeeraddr_v2(fd: Fd, addr: Peer, port: Out(4)) = |c, a| sock::peer(c, a, V2);
    Preview1 sock_recv(fd: Fd, data: Room, count: Count, flags: ReceiveFlags, len: Out(4),
        ro: Out(2)) = transfer::recv;
    WasmEdge sock_recv_v2(fd: Fd, data: Room, count: Count, flags: ReceiveFlags, len: Out(4),
        ro: Out(2)) = transfer::recv;
    WasmEdge sock_recv_from(fd: Fd, data: Room, count: Count, from: Peer, flags: ReceiveFlags,
        len: Out(4), ro: Out(2)) = transfer::recv_from_v1;
    WasmEdge sock_recv_from(fd: Fd, data: Room, count: Count, from: Peer, flags: ReceiveFlags,
        port: Out(2), len: Out(4), ro: Out(2)) = transfer::recv_from;
    WasmEdge sock_recv_from_v2(fd: Fd, data: Room, count: Count, from: Peer,
        flags: ReceiveFlags, port: Out(2), len: Out(4), ro: Out(2)) = transfer::recv_from;
    Preview1 sock_send(fd: Fd, data: Pieces, count: Count, flags: SendFlags, len: Out(4))
        = transfer::send;
    WasmEdge sock_send_v2(fd: Fd, data: Pieces, count: Count, flags: SendFlags, len: Out(4))
        = transfer::send;
    WasmEdge sock_send_to(fd: Fd, data: Pieces, count: Count, to: Address, port: Port,
        flags: SendFlags, len: Out(4)) = |c, a| transfer::send_to(c, a, V1);
    WasmEdge sock_send_to_v2(fd: Fd, data: Pieces, count: Count, to: Address, port: Port,
        flags: SendFlags, len: Out(4)) = |c, a| transfer::send_to(c, a, V2);
    WasmEdge sock_getsockopt(fd: Fd, level: Number, name: OptionName, value: Value, len: Pointer)
        = option::get;
    WasmEdge sock_setsockopt(fd: Fd, level: Number, name: OptionName, value: Value, len: Count)
        = option::set;
    WasmEdge sock_getaddrinfo(node: Text, node_len: Count, service: Text, service_len: Count,
        hints: Pointer, list: Pointer, most: Number, found: Out(4)) = names::getaddrinfo;
    Preview1 poll_oneoff(subscriptions: Subscriptions, events: Events, count: Count,
        found: Out(4)) = poll::poll_oneoff;
    WasmEdge epoll_oneoff(subscriptions: Subscriptions, events: Events, count: Count,
        found: Out(4)) = poll::poll_oneoff;

    Preview1 fd_close(fd: Fd) = wasi::close;
    Preview1 fd_renumber(fd: Fd, to: Fd) = wasi::renumber;
    Preview1 fd_fdstat_get(fd: Fd, stat: Pointer) = wasi::fdstat;
    Preview1 fd_fdstat_set_flags(fd: Fd, flags: FdFlags) = wasi::set_flags;
    Preview1 fd_read(fd: Fd, data: Room, count: Count, len: Out(4)) = wasi::read;
    Preview1 fd_write(fd: Fd, data: Pieces, count: Count, len: Out(4)) = wasi::write;
    Preview1 proc_exit(code: Number) = wasi::exit;

    Preview1 args_get(list: Pointer, text: Pointer) = wasi::args_get;
    Preview1 args_sizes_get(count: Out(4), size: Out(4)) = wasi::args_sizes_get;
    Preview1 environ_get(list: Pointer, text: Pointer) = wasi::environ_get;
    Preview1 environ_sizes_get(count: Out(4), size: Out(4)) = wasi::environ_sizes_get;
    Preview1 clock_res_get(clock: Clock, resolution: Out(8)) = wasi::clock_res_get;
    Preview1 clock_time_get(clock: Clock, precision: Long, time: Out(8)) = wasi::clock_time_get;
    Preview1 fd_advise(fd: Fd, offset: Long, len: Long, advice: Number) = wasi::fd_advise;
    Preview1 fd_allocate(fd: Fd, offset: Long, len: Long) = wasi::fd_allocate;
    Preview1 fd_datasync(fd: Fd) = wasi::fd_datasync;
    Preview1 fd_fdstat_set_rights(fd: Fd, base: Long, inheriting: Long)
        = wasi::fd_fdstat_set_rights;
    Preview1 fd_filestat_get(fd: Fd, stat: Pointer) = wasi::filestat;
    Preview1 fd_filestat_set_size(fd: Fd, size: Long) = wasi::fd_filestat_set_size;
    Preview1 fd_filestat_set_times(fd: Fd, atim: Long, mtim: Long, flags: Number)
        = wasi::fd_filestat_set_times;
    Preview1 fd_pread(fd: Fd, data: Room, count: Count, offset: Long, len: Out(4)) = wasi::fd_pread;
    Preview1 fd_prestat_get(fd: Fd, stat: Pointer) = wasi::prestat;
    Preview1 fd_prestat_dir_name(fd: Fd, path: Bytes, len: Count) = wasi::fd_prestat_dir_name;
    Preview1 fd_pwrite(fd: Fd, data: Pieces, count: Count, offset: Long, len: Out(4))
        = wasi::fd_pwrite;
    Preview1 fd_readdir(fd: Fd, entries: Bytes, len: Count, cookie: Long, used: Out(4))
        = wasi::fd_readdir;
    Preview1 fd_seek(fd: Fd, offset: Long, whence: Number, new: Out(8)) = wasi::fd_seek;
    Preview1 fd_sync(fd: Fd) = wasi::fd_sync;
    Preview1 fd_tell(fd: Fd, offset: Out(8)) = wasi::fd_tell;
    Preview1 path_create_directory(fd: Fd, path: Text, len: Count) = wasi::path_create_directory;
    Preview1 path_filestat_get(fd: Fd, flags: Number, path: Text, len: Count, stat: Pointer)
        = wasi::path_filestat_get;
    Preview1 path_filestat_set_times(fd: Fd, flags: Number, path: Text, len: Count, atim: Long,
        mtim: Long, set: Number) = wasi::path_filestat_set_times;
    Preview1 path_link(fd: Fd, flags: Number, path: Text, len: Count, to: Fd, new: Text,
        new_len: Count) = wasi::path_link;
    Preview1 path_open(dir: Fd, follow: Number, path: Text, len: Count, how: Number,
        base: Long, inheriting: Long, flags: FdFlags, fd: OutFd) = wasi::path_open;
    Preview1 path_readlink(fd: Fd, path: Text, len: Count, target: Bytes, room: Count,
        used: Out(4)) = wasi::path_readlink;
    Preview1 path_remove_directory(fd: Fd, path: Text, len: Count) = wasi::path_remove_directory;
    Preview1 path_rename(fd: Fd, path: Text, len: Count, to: Fd, new: Text, new_len: Count)
        = wasi::path_rename;
    Preview1 path_symlink(target: Text, target_len: Count, fd: Fd, path: Text, len: Count)
        = wasi::path_symlink;
    Preview1 path_unlink_file(fd: Fd, path: Text, len: Count) = wasi::path_unlink_file;
    Preview1 proc_raise(signal: Number) = wasi::proc_raise;
    Preview1 sched_yield() = wasi::sched_yield;
    Preview1 random_get(to: Bytes, len: Count) = wasi::random_get;
};

impl Call {
    /// `proc_exit` does not return, and all others return an error number.
    pub fn returns(&self) -> bool {
        self.name != "proc_exit"
    }
}
