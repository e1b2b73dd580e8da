//! What is shown while something takes long: a spinner or a bar on a terminal, plain lines
//! elsewhere. All of it goes to standard error.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// One long step of a preparation.
#[derive(Debug)]
pub struct Step {
    bar: ProgressBar,
    name: String,
}

impl Step {
    pub fn start(name: impl Into<String>) -> Step {
        let name = name.into();
        let bar = ProgressBar::new_spinner();
        if io::stderr().is_terminal() {
            bar.set_message(name.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
        } else {
            eprintln!("  {name} ...");
        }
        Step { bar, name }
    }

    /// A detail beside the step's name; only a terminal shows it.
    pub fn detail(&self, detail: &str) {
        self.bar.set_message(format!("{}: {detail}", self.name));
    }

    pub fn done(self, result: &str) {
        self.bar.finish_and_clear();
        eprintln!("  {}: {result}", self.name);
    }

    /// For a step that failed; the caller has the reason, and perhaps another way.
    pub fn give_up(self) {
        self.done("failed");
    }
}

/// A bar over `len` things of one kind.
pub fn bar(len: usize, name: &str) -> ProgressBar {
    let bar = ProgressBar::new(len as u64);
    let style = ProgressStyle::with_template("  {prefix:24} [{bar:30}] {pos}/{len} {msg}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(name.to_string());
    bar
}
