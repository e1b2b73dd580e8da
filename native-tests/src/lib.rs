//! The tests are in `tests`. This library holds no code: its documentation is the defects that
//! the API check must find, one doc test each, which the build script writes.
#![doc = include_str!(concat!(env!("OUT_DIR"), "/planted.md"))]
