//! Wasmtime: the engine, and modules that are compiled once and then found in its cache.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wasmtime::Result;
use wasmtime::error::Context as _;
use wasmtime::{Cache, CacheConfig, Config, Engine, Module};

/// Where compiled modules stay: in the project's folder, as all that it makes.
const CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/embedded/cache");

/// How often a running guest is asked whether its time is over.
pub const TICK: Duration = Duration::from_millis(50);

/// The engine, and the thread that gives it a pulse: a guest that computes for ever is ended too.
#[derive(Debug)]
pub struct Pulse {
    pub engine: Engine,
    stop: Arc<AtomicBool>,
}

impl Pulse {
    pub fn start() -> Result<Pulse> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        // Where there is no cache to be had, every module is compiled anew: slow, but right.
        let mut kept = CacheConfig::new();
        kept.with_directory(CACHE);
        config.cache(Cache::new(kept).ok());
        let engine = Engine::new(&config)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (pulse, end) = (engine.clone(), stop.clone());
        thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                thread::sleep(TICK);
                pulse.increment_epoch();
            }
        });
        Ok(Pulse { engine, stop })
    }

    pub fn module(&self, wasm: &Path) -> Result<Module> {
        Module::from_file(&self.engine, wasm)
            .with_context(|| format!("{} is no module that can be run", wasm.display()))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
