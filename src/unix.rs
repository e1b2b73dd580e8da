//! What only Unix has: pipes, and descriptors of any kind. Feature `os-ext`.

pub use crate::sys::source_fd::SourceFd;

pub mod pipe {
    //! Pipes that never block, between processes or within one.
    //!
    #![doc = include_str!("pipe.md")]

    pub use crate::sys::pipe::{Receiver, Sender, new};
}
