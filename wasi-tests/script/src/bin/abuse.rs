//! The guest `abuse`; see the library's module of that name.

use std::process::ExitCode;

#[cfg(target_os = "wasi")]
fn main() -> ExitCode {
    guest_script::abuse::main()
}

#[cfg(not(target_os = "wasi"))]
fn main() -> ExitCode {
    eprintln!("abuse is a guest: build it with `cargo guest`");
    ExitCode::from(2)
}
