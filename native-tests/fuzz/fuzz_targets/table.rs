//! The table against its model: see `tests/wasi_wait/sys/wasi/fuzz/table.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wasi_wait::fuzz("table", input));
