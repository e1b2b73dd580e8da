//! What the library's modules import. Without the feature `wasmedge` a module must load in any
//! host of WASI preview 1; with it, only names that WasmEdge has.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;

use super::Setting;
use super::checks::Check;
use super::report::Outcome;
use crate::{guest, imports};

pub const CHECKS: &[Check] = &[
    Check {
        name: "without `wasmedge` only standard preview 1",
        run: standard_only,
    },
    Check {
        name: "with `wasmedge` sockets are imported",
        run: sockets_are_imported,
    },
];

/// Every call of preview 1, `sock_accept` of its last version included.
const STANDARD: [&str; 46] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

fn standard_only(setting: &Setting) -> Result<Outcome> {
    let names = names(setting, &["--no-default-features"])?;
    let strange: Vec<_> = names
        .iter()
        .filter(|name| !STANDARD.contains(&&***name))
        .collect();
    Ok(if strange.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("`calls` imports {strange:?}"))
    })
}

fn sockets_are_imported(setting: &Setting) -> Result<Outcome> {
    let names = names(setting, &[])?;
    let wanted = ["sock_open", "sock_bind_v2", "sock_accept_v2", "poll_oneoff"];
    let missing: Vec<_> = wanted
        .iter()
        .filter(|name| !names.contains(**name))
        .collect();
    Ok(if missing.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(format!("`calls` does not import {missing:?}"))
    })
}

/// What `calls` imports, built with `features`. It makes every call, and tokio, which always
/// has the feature `wasmedge`, takes no part in it.
fn names(setting: &Setting, features: &[&str]) -> Result<BTreeSet<String>> {
    let mut args = vec!["--release", "--package", "wasi-tests", "--bin", "calls"];
    args.extend(features);
    let modules = guest::build_quietly(&setting.toolchain, &args)?;
    let wasm = fs::read(guest::module(&modules, "calls")?)?;
    Ok(imports::list(&wasm)?
        .into_iter()
        .map(|import| import.name)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_has_no_name_twice() {
        assert_eq!(
            STANDARD.iter().collect::<BTreeSet<_>>().len(),
            STANDARD.len()
        );
        assert!(!STANDARD.iter().any(|name| name.ends_with("_v2")));
    }
}
