//! A pipe to oneself: a byte in it ends the wait of a queue that has no better means.
//!
//! It is std's pair of sockets, since std can open one on every Unix so that it does not outlive
//! an `exec`. Neither end ever waits. The bytes mean nothing, so a pipe that is full has said all
//! there is to say; but a queue of edges needs a new one, and is given it by emptying the pipe.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use super::Selector;
use crate::sys::{self, Selector as _};
use crate::{Interest, Token};

#[derive(Debug)]
pub(crate) struct SelfPipe {
    sender: UnixStream,
    receiver: UnixStream,
}

impl SelfPipe {
    pub(super) fn open() -> io::Result<SelfPipe> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(SelfPipe { sender, receiver })
    }

    /// The end that is readable once there is a byte.
    pub(super) fn receiver(&self) -> RawFd {
        self.receiver.as_raw_fd()
    }

    /// Takes out what is in it. Another thread may have done so first.
    pub(super) fn drain(&self) -> io::Result<()> {
        loop {
            match (&self.receiver).read(&mut [0; 64]) {
                Ok(64) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => return Ok(()),
            }
        }
    }
}

/// As the waker of a queue whose kernel keeps the row and makes the edges.
impl sys::Wake for SelfPipe {
    type Selector = Selector;

    fn new(selector: &Selector, token: Token) -> io::Result<SelfPipe> {
        let pipe = SelfPipe::open()?;
        selector.subscribe(pipe.receiver(), token, Interest::READABLE)?;
        Ok(pipe)
    }

    fn wake(&self) -> io::Result<()> {
        loop {
            match (&self.sender).write(&[1]) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.drain()?,
                Err(error) => return Err(error),
            }
        }
    }
}
