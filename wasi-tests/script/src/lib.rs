//! What two guests are made of that know nothing of the library: they declare the host's calls
//! themselves and make them from a seed. `script` prints all that can be seen of each call, so
//! that two hosts can be compared; `abuse` asks what no decent program would ask.

pub mod abi;
pub mod abuse;
mod arena;
mod ops;
pub mod script;
mod world;
