//! The error numbers of preview 1, and those that WasmEdge adds, with their names.

use rustix::io::Errno as Os;

/// A call's answer to the guest: 0 is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub u16);

macro_rules! errnos {
    ($($name:ident $number:literal $($os:ident)?,)*) => {
        /// Each with its name, which has no `E`.
        const NAMES: &[(Errno, &str)] = &[$((Errno::$name, stringify!($name)),)*];

        impl Errno {
            $(pub const $name: Errno = Errno($number);)*
        }

        impl From<Os> for Errno {
            fn from(os: Os) -> Errno {
                // Two names of one number exist, such as AGAIN and WOULDBLOCK: a match forbids it.
                let list = [$($((Os::$os, Errno::$name),)?)*];
                let found = list.iter().find(|(from, _)| *from == os);
                // A host that knows no better says that the device failed. (WasmEdge aborts.)
                found.map_or(Errno::IO, |(_, to)| *to)
            }
        }
    };
}

impl Errno {
    /// Its name, or its number where it has none.
    pub fn name(self) -> String {
        let found = NAMES.iter().find(|(errno, _)| *errno == self);
        found.map_or_else(|| self.0.to_string(), |(_, name)| (*name).into())
    }
}

errnos! {
    SUCCESS 0, TOOBIG 1 TOOBIG, ACCES 2 ACCESS, ADDRINUSE 3 ADDRINUSE, ADDRNOTAVAIL 4 ADDRNOTAVAIL,
    AFNOSUPPORT 5 AFNOSUPPORT, AGAIN 6 AGAIN, ALREADY 7 ALREADY, BADF 8 BADF, BADMSG 9 BADMSG,
    BUSY 10 BUSY, CANCELED 11 CANCELED, CHILD 12 CHILD, CONNABORTED 13 CONNABORTED,
    CONNREFUSED 14 CONNREFUSED, CONNRESET 15 CONNRESET, DEADLK 16 DEADLK,
    DESTADDRREQ 17 DESTADDRREQ, DOM 18 DOM, DQUOT 19 DQUOT, EXIST 20 EXIST, FAULT 21 FAULT,
    FBIG 22 FBIG, HOSTUNREACH 23 HOSTUNREACH, IDRM 24 IDRM, ILSEQ 25 ILSEQ,
    INPROGRESS 26 INPROGRESS, INTR 27 INTR, INVAL 28 INVAL, IO 29 IO, ISCONN 30 ISCONN,
    ISDIR 31 ISDIR, LOOP 32 LOOP, MFILE 33 MFILE, MLINK 34 MLINK, MSGSIZE 35 MSGSIZE,
    MULTIHOP 36 MULTIHOP, NAMETOOLONG 37 NAMETOOLONG, NETDOWN 38 NETDOWN, NETRESET 39 NETRESET,
    NETUNREACH 40 NETUNREACH, NFILE 41 NFILE, NOBUFS 42 NOBUFS, NODEV 43 NODEV, NOENT 44 NOENT,
    NOEXEC 45 NOEXEC, NOLCK 46 NOLCK, NOLINK 47 NOLINK, NOMEM 48 NOMEM, NOMSG 49 NOMSG,
    NOPROTOOPT 50 NOPROTOOPT, NOSPC 51 NOSPC, NOSYS 52 NOSYS, NOTCONN 53 NOTCONN,
    NOTDIR 54 NOTDIR, NOTEMPTY 55 NOTEMPTY, NOTRECOVERABLE 56 NOTRECOVERABLE,
    NOTSOCK 57 NOTSOCK, NOTSUP 58 OPNOTSUPP, NOTTY 59 NOTTY, NXIO 60 NXIO,
    OVERFLOW 61 OVERFLOW, OWNERDEAD 62 OWNERDEAD, PERM 63 PERM, PIPE 64 PIPE, PROTO 65 PROTO,
    PROTONOSUPPORT 66 PROTONOSUPPORT, PROTOTYPE 67 PROTOTYPE, RANGE 68 RANGE, ROFS 69 ROFS,
    SPIPE 70 SPIPE, SRCH 71 SRCH, STALE 72 STALE, TIMEDOUT 73 TIMEDOUT, TXTBSY 74 TXTBSY,
    XDEV 75 XDEV, NOTCAPABLE 76, AIADDRFAMILY 77, AIAGAIN 78, AIBADFLAG 79, AIFAIL 80,
    AIFAMILY 81, AIMEMORY 82, AINODATA 83, AINONAME 84, AISERVICE 85, AISOCKTYPE 86,
    AISYSTEM 87,
}

/// Why a call does not simply succeed.
#[derive(Debug)]
pub enum Stop {
    /// The guest is told, and goes on.
    Errno(Errno),
    /// The guest has asked for its end.
    Exit(i32),
    /// The guest cannot go on: this host's own refusal, or what would have ended WasmEdge.
    Trap(String),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Errno(errno)
    }
}

impl From<Os> for Stop {
    fn from(os: Os) -> Stop {
        Stop::Errno(os.into())
    }
}

pub type Answer<T = ()> = Result<T, Stop>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_names() {
        assert_eq!(Errno::from(Os::WOULDBLOCK), Errno::AGAIN);
        assert_eq!(Errno::from(Os::CONNREFUSED).0, 14);
        assert_eq!(Errno(64).name(), "PIPE");
        assert_eq!(Errno(999).name(), "999");
        assert_eq!(Errno::NOTCAPABLE.0, 76);
        // WasmEdge aborts on it.
        assert_eq!(Errno::from(Os::HOSTDOWN), Errno::IO);
    }
}
