//! mio_wasi under Mio's name.
#![no_std]
pub use library::*;
