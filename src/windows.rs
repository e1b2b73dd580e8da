//! What only Windows has: named pipes. Feature `os-ext`.

pub use crate::sys::imp::named_pipe::NamedPipe;
