//! curl, without the user's own settings.

use std::process::Command;

use anyhow::{Context, Result};

use super::scene::client;
use crate::prepare::tools::CURL;
use crate::process;

/// What curl prints if it is told so, with single line feeds.
pub fn curl(words: &[&str]) -> Result<String> {
    let mut curl = command()?;
    let text = process::quiet(curl.args(["--max-time", "30"]).args(words));
    let text = text.with_context(|| format!("curl {words:?}"))?;
    Ok(text.replace("\r\n", "\n"))
}

pub fn command() -> Result<Command> {
    let mut curl = client(CURL)?;
    curl.args(["-q", "-sS"]);
    Ok(curl)
}
