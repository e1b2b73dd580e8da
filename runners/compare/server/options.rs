//! A server's command line: `server WORKLOAD [--tick MS] [--no-drain]`.

use std::time::Duration;

use crate::protocol::REQUEST;
use crate::sizes::STREAM;

pub struct Options {
    pub workload: Workload,
    /// Wait no longer than this for events; `None` is for as long as it takes.
    pub tick: Option<Duration>,
    /// Read until the socket would block, as Mio asks of its users, or only until a read is
    /// short.
    pub drain: bool,
}

#[derive(Copy, Clone, PartialEq, Eq)]
pub enum Workload {
    /// Sends back what comes.
    Echo,
    /// Sends back one request and closes.
    Churn,
    /// As `Echo`, with larger requests.
    Stream,
    /// Answers a request with a header and a body.
    Response,
    /// Sends back datagrams.
    Udp,
}

impl Workload {
    pub fn request(self) -> u32 {
        match self {
            Workload::Stream => STREAM as u32,
            _ => REQUEST as u32,
        }
    }
}

const USAGE: &str = "usage: server echo|churn|stream|response|udp [--tick MS] [--no-drain]";

impl Options {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
        let workload = match words.next().as_deref() {
            Some("echo") => Workload::Echo,
            Some("churn") => Workload::Churn,
            Some("stream") => Workload::Stream,
            Some("response") => Workload::Response,
            Some("udp") => Workload::Udp,
            _ => return Err(USAGE.into()),
        };
        let mut options = Options {
            workload,
            tick: None,
            drain: true,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--no-drain" => options.drain = false,
                "--tick" => {
                    let number = words.next().and_then(|number| number.parse().ok());
                    let milliseconds = number.ok_or("--tick takes a number of milliseconds")?;
                    options.tick = Some(Duration::from_millis(milliseconds));
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}
