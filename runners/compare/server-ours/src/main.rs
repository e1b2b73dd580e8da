//! The measured server over this library, as a guest and natively.

#[path = "../../server/counting.rs"]
mod counting;
#[path = "../../protocol.rs"]
mod protocol;
#[path = "../../server/mod.rs"]
mod server;
#[path = "../../sizes.rs"]
mod sizes;
#[path = "../../server/udp.rs"]
mod udp;

use std::process::ExitCode;

fn main() -> ExitCode {
    server::main(Some(udp::open))
}
