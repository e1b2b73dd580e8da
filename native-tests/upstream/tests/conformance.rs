//! The suite over mio itself, which shows that it asks for what mio gives. Where mio gives
//! something else, the suite's list says so: such a case must fail here, and every other pass.

#[path = "../../tests/common/case.rs"]
mod case;

use case::Verdict;
use suite::UPSTREAM_DIFFERS;
use upstream_parity as suite;

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
    for (listed, _) in UPSTREAM_DIFFERS {
        assert!(
            suite::case(listed).is_some(),
            "the list has no case {listed}"
        );
    }
    let difference = UPSTREAM_DIFFERS.iter().find(|(listed, _)| *listed == name);
    match (case::run(name), difference) {
        (Verdict::Failed(why), None) => panic!("{why}"),
        (Verdict::Passed | Verdict::Skipped, Some((_, reason))) => {
            panic!("{name} is listed as different ({reason}), and it does not fail");
        }
        (Verdict::Passed | Verdict::Skipped, None) | (Verdict::Failed(_), Some(_)) => {}
    }
}
