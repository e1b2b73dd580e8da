//! The suite on the native backend: one test for each case, named as the case is.

#[path = "common/case.rs"]
mod case;

use case::Verdict;
use wasi_tests as suite;

macro_rules! each {
    ($file:ident, $name:ident) => {
        #[test]
        fn $name() {
            crate::check(concat!(stringify!($file), "::", stringify!($name)));
        }
    };
}

suite::for_each_case!(each);

#[track_caller]
fn check(name: &str) {
    if let Verdict::Failed(why) = case::run(name) {
        panic!("{why}");
    }
}
