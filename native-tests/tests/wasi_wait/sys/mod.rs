//! The library's seam, as far as the WASI host's pure part names it.

pub mod wasi;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Direction {
    Read = 0,
    Write = 1,
}
