//! This test binary, once more.

use std::env;
use std::process::Command;

/// The command that starts it. For another machine an emulator must, which cargo has started this
/// one with, and which `cargo suite` names.
pub fn this_test() -> Command {
    let program = env::current_exe().expect("this test");
    match env::var_os("MIO_WASI_TEST_RUNNER").filter(|_| cfg!(unix)) {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}
