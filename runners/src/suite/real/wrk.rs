//! wrk: as many requests as go, over connections that are kept, each response judged by its bytes.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::program::{Program, Turn};
use super::scene::{Scene, client};
use crate::prepare::tools::WRK;
use crate::process;

/// What judges each response.
const JUDGE: &str = include_str!("wrk.lua");

/// Seconds: until the server has grown to its size, then to see that it does not grow, and the same
/// under `--full`.
const WARM: u64 = 1;
const SHORT: u64 = 10;
const LONG: u64 = 300;

pub fn hello(scene: &Scene) -> Result<()> {
    let server = scene.serve("http_hello")?;
    server.leaves_nothing(|turn| drive(scene, &server, 256, seconds(scene, turn), None))
}

/// Bodies that fill the buffers on the way: all connections stall again and again.
pub fn bodies(scene: &Scene) -> Result<()> {
    const LINES: u64 = 20_000;
    let server = scene.serve("http_service")?;
    let seconds = |turn| seconds(scene, turn).div_ceil(3);
    server.leaves_nothing(|turn| drive(scene, &server, 64, seconds(turn), Some(LINES)))
}

fn seconds(scene: &Scene, turn: Turn) -> u64 {
    match turn {
        Turn::WarmUp => WARM,
        Turn::Last if scene.full => LONG,
        Turn::Last => SHORT,
    }
}

/// With a body of so many `lines` it posts to `/echo`. No connection may break.
fn drive(
    scene: &Scene,
    server: &Program,
    connections: u64,
    seconds: u64,
    lines: Option<u64>,
) -> Result<()> {
    let script = scene.file("wrk.lua");
    fs::write(&script, JUDGE).context("cannot write a script for wrk")?;
    let mut wrk = client(WRK)?;
    wrk.args(["-t1", "--timeout", "30s", "-s"]).arg(&script);
    wrk.arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"));
    wrk.arg(format!("http://{}/echo", server.address));
    if let Some(lines) = lines {
        wrk.arg("--").arg(lines.to_string());
    }
    let printed = process::quiet(&mut wrk)?;
    let right = judge(&printed, connections)?;
    server.note(&format!("{right} requests by wrk in {seconds} s"))
}

/// How many responses were right, if all were, and every connection has had one.
fn judge(printed: &str, connections: u64) -> Result<u64> {
    let sums = printed.lines().find_map(|line| {
        let (right, rest) = line.strip_prefix("right ")?.split_once(", ")?;
        Some((right.parse::<u64>().ok()?, rest))
    });
    let (right, rest) = sums.with_context(|| format!("wrk gives no sums:\n{printed}"))?;
    let well = right >= connections && rest == "wrong 0, errors 0";
    ensure!(well, "wrk saw:\n{printed}");
    Ok(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrk_is_judged_by_its_sums() {
        let well = "Running\nright 256, wrong 0, errors 0\n";
        assert_eq!(judge(well, 256).unwrap(), 256);
        assert!(judge(well, 257).is_err());
        assert!(judge("Running\n", 1).is_err());
        assert!(judge("right 9999, wrong 1, errors 0\n", 1).is_err());
        assert!(judge("right 9999, wrong 0, errors 2\n", 1).is_err());
    }
}
