//! Ctrl-C and a termination: what was measured until then is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The status of a program that Ctrl-C ended, by custom.
pub const STATUS: u8 = 130;

/// Whether this program was asked to stop. A second time, it stops at once.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub fn catch() -> Result<Interrupt> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second signal finds the flag that the first has set.
            flag::register_conditional_shutdown(signal, STATUS.into(), flag.clone())
                .and_then(|_| flag::register(signal, flag.clone()))
                .context("cannot catch an interruption")?;
        }
        Ok(Interrupt(flag))
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails if it is set.
    pub fn check(&self) -> Result<()> {
        ensure!(!self.is_set(), "interrupted");
        Ok(())
    }
}
