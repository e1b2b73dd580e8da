//! Where this project keeps things, and cargo as it is to be called from inside cargo.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of guests.
pub const TARGET: &str = "wasm32-wasip1";

/// The target of guests that are components, and have the C library's sockets.
pub const COMPONENTS: &str = "wasm32-wasip2";

/// The folder of the workspace. It is fixed when this program is built: as the runner of another
/// crate it may be started from anywhere.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Where everything that is fetched or built for guests stays. `cargo clean` takes it away.
pub fn prepared() -> PathBuf {
    root().join("target").join("prepared")
}

/// Where the suite keeps its logs and gives each case a working folder.
pub fn suite_folder() -> PathBuf {
    root().join("target").join("suite")
}

/// The cargo that started this program, without the variables it sets for the program it runs:
/// they describe the package `runners` and would make build scripts run again.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_outer_cargo(name)) {
        cargo.env_remove(name);
    }
    cargo
}

fn is_of_outer_cargo(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || [
            "CARGO_CRATE_NAME",
            "CARGO_BIN_NAME",
            "CARGO_PRIMARY_PACKAGE",
            "OUT_DIR",
        ]
        .contains(&&*name)
}
