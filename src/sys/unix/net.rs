//! The sockets: the Internet's, whose file WASI's components use as well, and Unix's own.

use super::{cvt, open};

#[path = "socket.rs"]
mod ip;
#[path = "uds.rs"]
pub(crate) mod uds;

pub(crate) use self::ip::*;
