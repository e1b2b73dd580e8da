//! The faults there are: their names, which calls they befall, and which errors they explain.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

use crate::errno::Errno;

/// What can go wrong. The names are those of `--fault`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
pub enum Fault {
    /// A poll tells nothing, at once.
    Zero,
    /// A poll tells its events in another order.
    Reorder,
    /// A poll tells an event again.
    Duplicate,
    /// A poll tells an event of a subscription that an earlier call had.
    Stale,
    /// A poll tells an event of a subscription that there never was.
    Unknown,
    /// A poll tells an event with a broken userdata in the place of a true one.
    Corrupt,
    /// A poll says that it has told more events than there are subscriptions.
    Flood,
    /// A poll tells an error of a subscription, in the place of its event or out of the blue.
    Error,
    /// A poll tells a hang-up of a subscription that nothing has happened to.
    Hangup,
    /// A clock strikes too early.
    Early,
    /// A clock strikes too late.
    Late,
    /// A poll is interrupted, and all of its events say so.
    Interrupt,
    /// The same, and it leaves WasmEdge's trap behind for the next poll.
    Poison,
    /// After an interruption, descriptors are unknown to the host's queue until it is emptied.
    Lost,
    /// A stream moves one byte only.
    Short,
    /// What was said to be ready is not.
    Again,
    /// A socket's call is interrupted.
    Eintr,
    /// There is no memory for a send, or for a new socket.
    Nobufs,
    /// There is no descriptor for an accepted connection.
    Mfile,
    /// A connection was gone before it was accepted.
    Aborted,
    /// A connection is reset, for both ends.
    Reset,
    /// A connection takes its time.
    ConnectLate,
    /// A connection takes its time and fails.
    ConnectFails,
    /// A datagram is cut.
    Truncate,
}

/// The calls that read a socket, write one, or both.
const READS: &[&str] = &["sock_recv", "sock_recv_from", "fd_read"];
const WRITES: &[&str] = &["sock_send", "sock_send_to", "fd_write"];
const POLLS: &[&str] = &["poll_oneoff", "epoll_oneoff"];

/// A number that no error has.
pub const NO_ERRNO: Errno = Errno(999);

impl Fault {
    /// Whether it can befall a call of that name, whose generation does not matter.
    pub fn befalls(self, call: &str) -> bool {
        let call = call.strip_suffix("_v2").unwrap_or(call);
        let any = |lists: &[&[&str]]| lists.iter().any(|list| list.contains(&call));
        match self {
            Fault::Short | Fault::Reset => any(&[READS, WRITES]),
            Fault::Again => any(&[READS, WRITES, &["sock_accept"]]),
            Fault::Eintr => any(&[READS, WRITES, &["sock_accept", "sock_connect"]]),
            Fault::Nobufs => any(&[WRITES, &["sock_open"]]),
            Fault::Mfile | Fault::Aborted => call == "sock_accept",
            Fault::ConnectLate | Fault::ConnectFails => call == "sock_connect",
            Fault::Truncate => any(&[&["sock_recv", "sock_recv_from"]]),
            _ => any(&[POLLS]),
        }
    }

    /// The errors that a guest may end with because of it.
    pub fn explains(self) -> &'static [Errno] {
        match self {
            Fault::Again => &[Errno::AGAIN],
            Fault::Interrupt | Fault::Poison | Fault::Lost | Fault::Eintr => &[Errno::INTR],
            Fault::Nobufs => &[Errno::NOBUFS],
            Fault::Mfile => &[Errno::MFILE],
            Fault::Aborted => &[Errno::CONNABORTED],
            Fault::Reset => &[Errno::CONNRESET, Errno::PIPE, Errno::NOTCONN],
            Fault::ConnectLate => &[Errno::NOTCONN, Errno::AGAIN],
            Fault::ConnectFails => &[Errno::TIMEDOUT, Errno::NOTCONN, Errno::CONNRESET],
            // What ends a wait may have the error, and then it is the wait's own. Besides, a
            // program reads what is not there.
            Fault::Error => &[
                Errno::AGAIN,
                Errno::NOMEM,
                Errno::IO,
                Errno::PERM,
                Errno::NOTCAPABLE,
                NO_ERRNO,
            ],
            Fault::Zero | Fault::Hangup | Fault::Reorder | Fault::Duplicate => &[Errno::AGAIN],
            _ => &[],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value();
        f.write_str(name.as_ref().map_or("?", |name| name.get_name()))
    }
}

/// When a fault comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Each time with this probability.
    Often(f64),
    /// At the n-th call that it can befall, from 1 on.
    At(u64),
}

/// A fault as the command line orders it: `zero`, `zero=0.2`, `zero@12`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    pub fault: Fault,
    pub when: When,
}

/// How often a fault comes that is named without a number.
const OFTEN: f64 = 0.1;

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Order, String> {
        let (name, when) = if let Some((name, at)) = text.split_once('@') {
            let at = at
                .parse()
                .map_err(|_| format!("{at:?} is no number of a call"))?;
            (name, When::At(at))
        } else if let Some((name, rate)) = text.split_once('=') {
            let rate = rate.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
            let rate = rate.ok_or("a probability is between 0 and 1")?;
            (name, When::Often(rate))
        } else {
            (text, When::Often(OFTEN))
        };
        let fault = Fault::from_str(name, false).map_err(|_| {
            let names: Vec<String> = Fault::value_variants()
                .iter()
                .map(Fault::to_string)
                .collect();
            format!("there is no fault {name:?}; there are {}", names.join(", "))
        })?;
        Ok(Order { fault, when })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            When::Often(rate) => write!(f, "{}={rate}", self.fault),
            When::At(at) => write!(f, "{}@{at}", self.fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_written() {
        for text in ["zero@12", "connect-late=0.5"] {
            assert_eq!(text.parse::<Order>().unwrap().to_string(), text);
        }
        let order: Order = "again".parse().unwrap();
        assert_eq!(order.when, When::Often(OFTEN));
        for wrong in ["agian", "zero@x", "zero=2", "zero=-1"] {
            assert!(wrong.parse::<Order>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_fault_befalls_a_call_that_there_is() {
        for fault in Fault::value_variants() {
            let befallen = crate::calls::CALLS
                .iter()
                .filter(|call| fault.befalls(call.name));
            assert!(befallen.count() > 0, "{fault}");
        }
    }
}
