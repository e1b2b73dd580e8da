//! Streams that go through a client: every byte that it puts out is compared.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a stream may take. It only ends a hang.
const LIMIT: Duration = Duration::from_secs(300);

/// How much of a stream is looked at at once.
const PIECE: usize = 256 << 10;

/// What repeats itself in a stream. Its length is prime, so that what is lost, doubled or moved
/// between buffers of any size does not fit.
pub const PERIOD: usize = 1_000_003;

/// A stream: `block` again and again, until it has so many bytes.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'a> {
    pub block: &'a [u8],
    pub length: u64,
}

impl Stream<'_> {
    /// What comes at `at`: as far as the block goes, and no more than `most`.
    fn next(&self, at: u64, most: usize) -> &[u8] {
        let from = (at % self.block.len() as u64) as usize;
        let left = usize::try_from(self.length - at).unwrap_or(usize::MAX);
        let count = left.min(most).min(self.block.len() - from);
        &self.block[from..from + count]
    }

    fn send(&self, to: &mut ChildStdin) -> Result<()> {
        let mut at = 0;
        while at < self.length {
            let next = self.next(at, PIECE);
            to.write_all(next).context("cannot send all")?;
            at += next.len() as u64;
        }
        Ok(())
    }

    /// Reads it from `from` and compares every byte; `glance` is called now and then.
    fn expect(&self, mut from: impl Read, mut glance: impl FnMut() -> Result<()>) -> Result<()> {
        let mut buffer = vec![0; PIECE];
        let (mut at, mut glances) = (0, 0);
        loop {
            let count = from.read(&mut buffer).context("cannot read")?;
            let mut rest = &buffer[..count];
            while !rest.is_empty() {
                let next = self.next(at, rest.len());
                ensure!(!next.is_empty(), "more than {at} bytes came");
                ensure!(rest.starts_with(next), "the bytes from {at} on are others");
                rest = &rest[next.len()..];
                at += next.len() as u64;
            }
            if at >> 24 > glances {
                glances = at >> 24;
                glance()?;
            }
            if count == 0 {
                ensure!(at == self.length, "only {at} bytes came");
                return Ok(());
            }
        }
    }
}

/// Has a client send the stream `up`, if there is one, and compares what it prints with `down`.
/// Its errors go to the file `log`.
pub fn pass(
    client: &mut Command,
    log: &Path,
    (up, down): (Option<Stream>, Stream),
    glance: impl FnMut() -> Result<()>,
) -> Result<()> {
    let file = File::create(log).context("cannot create a log for a client")?;
    client.stdout(Stdio::piped()).stderr(file);
    if up.is_some() {
        client.stdin(Stdio::piped());
    }
    let mut child = client.spawn().context("cannot start a client")?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (end, ended) = channel();
    let passed = thread::scope(|scope| {
        let pid = Pid::from_child(&child);
        scope.spawn(move || kill_if_it_hangs(pid, &ended));
        let sender = scope.spawn(move || match (up, stdin) {
            (Some(up), Some(mut stdin)) => up.send(&mut stdin),
            _ => Ok(()),
        });
        let received = down.expect(stdout.context("no output")?, glance);
        if received.is_err() {
            // So that who sends to it ends as well. It may have ended by itself.
            let _ = child.kill();
        }
        let sent = sender.join().map_err(|_| anyhow!("a thread panicked"))?;
        drop(end);
        received.and(sent)
    });
    judge(&mut child, passed).with_context(|| {
        let said = fs::read(log).unwrap_or_default();
        format!("the client said: {}", String::from_utf8_lossy(&said))
    })
}

fn judge(child: &mut Child, passed: Result<()>) -> Result<()> {
    let status = child.wait().context("cannot wait for a client")?;
    passed.with_context(|| format!("it ended with {status}"))?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

/// Waits until the other end of the channel goes, which is when its output has ended.
fn kill_if_it_hangs(client: Pid, ended: &Receiver<()>) {
    if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
        // It has not been waited for, so nobody else has its number.
        let _ = kill_process(client, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: Stream = Stream {
        block: b"abcde",
        length: 12,
    };

    #[test]
    fn a_stream_is_compared_byte_by_byte() {
        let expect = |bytes: &[u8]| STREAM.expect(bytes, || Ok(()));
        expect(b"abcdeabcdeab").unwrap();
        for wrong in [
            "abcdeabcdea",
            "abcdeabcdeabc",
            "abcdabcdeabc",
            "abcdeabcdeaB",
        ] {
            assert!(expect(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
