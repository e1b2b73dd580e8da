//! Errors as they are shown: the sentence, then its causes, never a backtrace. `RUST_BACKTRACE` is
//! meant for guests here.

use anyhow::Error;

/// The error with its causes, each on lines of its own.
pub fn explain(error: &Error) -> String {
    let mut causes = error.chain().map(ToString::to_string);
    let mut text = causes.next().unwrap_or_default();
    for cause in causes {
        let cause = cause.replace('\n', "\n  ");
        text.push_str("\n  because: ");
        text.push_str(&cause);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn causes_stand_below_the_sentence() {
        let error = anyhow!("no net\nat all")
            .context("cannot fetch")
            .context("cannot build");
        let text = "cannot build\n  because: cannot fetch\n  because: no net\n  at all";
        assert_eq!(explain(&error), text);
    }
}
