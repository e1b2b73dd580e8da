//! A waiter over a host: see `schedule` in `tests/wasi_wait/sys/wasi/fuzz/mod.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wasi_wait::fuzz("schedule", input));
