//! The options that Mio has not, natively: the same source as the guest's.

#[path = "../../wasi-tests/src/bin/options.rs"]
mod options;

#[test]
fn options_work() {
    options::main();
}
