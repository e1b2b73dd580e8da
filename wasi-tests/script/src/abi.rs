//! Every call of WASI preview 1 and of WasmEdge's sockets, in every signature, in one table.
//!
//! A name that ends in a number is the plain one imported with the second version's signature,
//! which is how WasmEdge tells the two apart; one that ends in `_v2` is a name of its own.
//! `proc_exit` and `proc_raise` are not here, because they end the guest.

use std::fmt;

/// What a parameter means, for those who make some up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Fd,
    /// Of something that is read, or written, or both.
    Ptr,
    /// Of an address that is bound, connected or sent to.
    Addr,
    /// Of a name that may be looked up; its length comes next.
    Name,
    /// Of subscriptions; after the events comes their number.
    Subs,
    /// A length or a number of items.
    Size,
    /// Flags, a code, a port.
    Num,
    Long,
}

/// The same as types.
mod types {
    pub type Fd = i32;
    pub type Ptr = i32;
    pub type Addr = i32;
    pub type Name = i32;
    pub type Subs = i32;
    pub type Size = i32;
    pub type Num = i32;
    pub type Long = i64;
}

/// One of the host's calls.
pub struct Call {
    pub name: &'static str,
    pub kinds: &'static [Kind],
    invoke: unsafe fn(&[i64]) -> i32,
}

impl Call {
    /// The call called `name`, which must be one.
    pub fn named(name: &str) -> &'static Call {
        let call = CALLS.iter().find(|call| call.name == name);
        call.unwrap_or_else(|| panic!("there is no call {name}"))
    }

    /// Makes the call; missing arguments are 0. The answer is the host's errno.
    ///
    /// # Safety
    ///
    /// Whatever the host writes for these arguments must be memory that Rust knows nothing of.
    pub unsafe fn make(&self, args: &[i64]) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { (self.invoke)(args) }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.name, self.kinds)
    }
}

macro_rules! calls {
    ($($name:ident $(= $symbol:literal)? ($($kind:ident)*);)*) => {
        mod raw {
            use super::types::*;

            #[link(wasm_import_module = "wasi_snapshot_preview1")]
            #[allow(clashing_extern_declarations, reason = "the host goes by the signature")]
            unsafe extern "C" {
                $($(#[link_name = $symbol])? pub fn $name($(_: $kind),*) -> i32;)*
            }
        }

        pub const CALLS: &[Call] = &[$(Call {
            name: stringify!($name),
            kinds: &[$(Kind::$kind),*],
            invoke: |args| {
                let mut _args = args.iter().copied();
                // SAFETY: what the host does with the arguments is what `Call::make` asks for.
                unsafe { raw::$name($(_args.next().unwrap_or(0) as types::$kind),*) }
            },
        }),*];
    };
}

calls! {
    sock_open(Num Num Ptr);
    sock_bind(Fd Addr Num);
    sock_bind_v2(Fd Addr Num);
    sock_listen(Fd Num);
    sock_listen_v2(Fd Num);
    sock_connect(Fd Addr Num);
    sock_connect_v2(Fd Addr Num);
    sock_accept(Fd Ptr);
    sock_accept_3 = "sock_accept" (Fd Num Ptr);
    sock_accept_v2(Fd Num Ptr);
    sock_recv(Fd Ptr Size Num Ptr Ptr);
    sock_recv_v2(Fd Ptr Size Num Ptr Ptr);
    sock_recv_from(Fd Ptr Size Ptr Num Ptr Ptr);
    sock_recv_from_8 = "sock_recv_from" (Fd Ptr Size Ptr Num Ptr Ptr Ptr);
    sock_recv_from_v2(Fd Ptr Size Ptr Num Ptr Ptr Ptr);
    sock_send(Fd Ptr Size Num Ptr);
    sock_send_v2(Fd Ptr Size Num Ptr);
    sock_send_to(Fd Ptr Size Addr Num Num Ptr);
    sock_send_to_v2(Fd Ptr Size Addr Num Num Ptr);
    sock_getlocaladdr(Fd Ptr Ptr Ptr);
    sock_getlocaladdr_3 = "sock_getlocaladdr" (Fd Ptr Ptr);
    sock_getlocaladdr_v2(Fd Ptr Ptr);
    sock_getpeeraddr(Fd Ptr Ptr Ptr);
    sock_getpeeraddr_3 = "sock_getpeeraddr" (Fd Ptr Ptr);
    sock_getpeeraddr_v2(Fd Ptr Ptr);
    sock_open_v2(Num Num Ptr);
    sock_shutdown(Fd Num);
    sock_getsockopt(Fd Num Num Ptr Ptr);
    sock_setsockopt(Fd Num Num Ptr Size);
    sock_getaddrinfo(Name Size Name Size Ptr Ptr Size Ptr);
    poll_oneoff(Subs Ptr Size Ptr);
    epoll_oneoff(Subs Ptr Size Ptr);
    args_get(Ptr Ptr);
    args_sizes_get(Ptr Ptr);
    environ_get(Ptr Ptr);
    environ_sizes_get(Ptr Ptr);
    clock_res_get(Num Ptr);
    clock_time_get(Num Long Ptr);
    random_get(Ptr Size);
    sched_yield();
    fd_advise(Fd Long Long Num);
    fd_allocate(Fd Long Long);
    fd_close(Fd);
    fd_datasync(Fd);
    fd_fdstat_get(Fd Ptr);
    fd_fdstat_set_flags(Fd Num);
    fd_fdstat_set_rights(Fd Long Long);
    fd_filestat_get(Fd Ptr);
    fd_filestat_set_size(Fd Long);
    fd_filestat_set_times(Fd Long Long Num);
    fd_pread(Fd Ptr Size Long Ptr);
    fd_prestat_get(Fd Ptr);
    fd_prestat_dir_name(Fd Ptr Size);
    fd_pwrite(Fd Ptr Size Long Ptr);
    fd_read(Fd Ptr Size Ptr);
    fd_readdir(Fd Ptr Size Long Ptr);
    fd_renumber(Fd Fd);
    fd_seek(Fd Long Num Ptr);
    fd_sync(Fd);
    fd_tell(Fd Ptr);
    fd_write(Fd Ptr Size Ptr);
    path_create_directory(Fd Ptr Size);
    path_filestat_get(Fd Num Ptr Size Ptr);
    path_filestat_set_times(Fd Num Ptr Size Long Long Num);
    path_link(Fd Num Ptr Size Fd Ptr Size);
    path_open(Fd Num Ptr Size Num Long Long Num Ptr);
    path_readlink(Fd Ptr Size Ptr Size Ptr);
    path_remove_directory(Fd Ptr Size);
    path_rename(Fd Ptr Size Fd Ptr Size);
    path_symlink(Ptr Size Fd Ptr Size);
    path_unlink_file(Fd Ptr Size);
}
