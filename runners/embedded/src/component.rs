//! The host of components: programs for wasm32-wasip2, which bring WASI 0.2 and no other calls.
//!
//! Everything is wasmtime-wasi's own; nothing is WasmEdge's. It is the host on which the library's
//! `poll(2)` arm is tested.

use std::path::Path;

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi::p2::bindings::sync::Command;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// What a component is given.
#[derive(Debug, Default)]
pub struct Given<'a> {
    /// Its arguments, of which the first is its name.
    pub args: &'a [String],
    pub env: &'a [(String, String)],
    /// Folders: where it is, and what the component calls it.
    pub dirs: &'a [(String, String)],
    /// Whether it may use the network.
    pub network: bool,
}

/// Runs a component to its end and gives its exit code. A trap is an error.
pub fn run(engine: &Engine, wasm: &Path, given: &Given<'_>) -> Result<i32> {
    let component = Component::from_file(engine, wasm)
        .with_context(|| format!("{} is no component", wasm.display()))?;
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    let state = State {
        wasi: context(given)?,
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, state);
    // Whoever started this process ends it, where the component does not.
    store.set_epoch_deadline(u64::MAX / 2);
    let command = Command::instantiate(&mut store, &component, &linker)?;
    match command.wasi_cli_run().call_run(&mut store) {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(exit.0),
            None => Err(error),
        },
    }
}

fn context(given: &Given<'_>) -> Result<WasiCtx> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio().args(given.args).envs(given.env);
    if given.network {
        wasi.inherit_network().allow_tcp(true).allow_udp(true);
    }
    for (folder, name) in given.dirs {
        wasi.preopened_dir(folder, name, FsPerms::ReadWrite)
            .with_context(|| format!("the folder {folder} cannot be given"))?;
    }
    Ok(wasi.build())
}
