//! What only Unix has: pipes, and descriptors of any kind. Feature `os-ext`.

pub use crate::sys::source_fd::SourceFd;

pub mod pipe {
    //! Pipes that never block, between processes or within one.
    //!
    //! [`new`] makes a pipe. The ends that `std::process` keeps of a child's standard streams
    //! become sources by `From`; they are blocking until `set_nonblocking` says otherwise.
    //!
    //! ```
    //! use mio::unix::pipe;
    //! use mio::{Events, Interest, Poll, Token};
    //! use std::io::{Read, Write};
    //!
    //! # fn main() -> std::io::Result<()> {
    //! let mut poll = Poll::new()?;
    //! let mut events = Events::with_capacity(8);
    //! let (mut sender, mut receiver) = pipe::new()?;
    //! poll.registry().register(&mut receiver, Token(0), Interest::READABLE)?;
    //!
    //! sender.write_all(b"hello")?;
    //! poll.poll(&mut events, None)?;
    //! let mut text = [0; 8];
    //! assert_eq!(receiver.read(&mut text)?, 5);
    //! # Ok(())
    //! # }
    //! ```

    pub use crate::sys::pipe::{Receiver, Sender, new};
}
