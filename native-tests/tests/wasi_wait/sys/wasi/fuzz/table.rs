//! The table alone against its model, step by step.

use arbitrary::{Arbitrary as _, Unstructured};

use super::super::steps::{Bench, Step};

/// The longest sequence: a longer one finds the same, and later.
const STEPS: usize = 100;

/// Takes the steps that the input stands for, and looks at the table after each.
pub fn table(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let mut bench = Bench::new();
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        bench.take(&step);
        bench.check();
    }
}
