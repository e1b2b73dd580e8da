//! The library's seam, as far as the WASI host's pure part names it.

pub mod wasi;

pub(crate) use crate::ready::{Direction, Outcome};
