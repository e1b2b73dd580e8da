//! The measured server over mio_wasi 0.8.9 as published, as a guest.
//!
//! It speaks the same API as far as TCP goes. On this target it has no UDP.

#[path = "../../server/counting.rs"]
mod counting;
#[path = "../../protocol.rs"]
mod protocol;
#[path = "../../server/mod.rs"]
mod server;
#[path = "../../sizes.rs"]
mod sizes;

use std::process::ExitCode;

fn main() -> ExitCode {
    server::main(None)
}
