//! The system's monotonic clock, as both `clock_time_get` and a poll's absolute clocks read it.

use std::time::Duration;

use rustix::time::{ClockId, clock_getres, clock_gettime};
use wasmtime_wasi::HostMonotonicClock;

pub fn monotonic() -> Duration {
    // Neither part is negative on this clock.
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[derive(Debug)]
pub struct Monotonic;

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        clock_getres(ClockId::Monotonic).tv_nsec as u64
    }

    fn now(&self) -> u64 {
        monotonic().as_nanos() as u64
    }
}
