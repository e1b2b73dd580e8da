//! A call that has come back, as a line of text and as a line of JSON.

use std::time::Duration;

use serde::Serialize;

use super::value::Value;
use crate::errno::{Answer, Errno, Stop};
use crate::host::Ending;

/// One call. Its fields are JSON's.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    start_ns: Option<u128>,
    name: &'static str,
    args: Value,
    #[serde(flatten)]
    result: Told,
    duration_ns: u128,
    faults: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Told {
    Errno { errno: u16, error: String },
    Exit { exit: i32 },
    Trap { trap: String },
}

/// The beginning of a line: `since` is the time since the guest's start, if that is to be told.
pub fn head<'a>(
    since: Option<Duration>,
    name: &str,
    args: impl Iterator<Item = &'a Value>,
) -> String {
    let since = since.map(|since| format!("{:12.6} ", since.as_secs_f64()));
    let args: Vec<String> = args.map(Value::to_string).collect();
    format!("{}{name}({}", since.unwrap_or_default(), args.join(", "))
}

/// What an answer looks like in text.
fn result(answer: &Answer) -> String {
    match answer {
        Ok(()) => "0".into(),
        Err(Stop::Errno(errno)) => format!("{} ({})", errno.name(), errno.0),
        Err(Stop::Exit(_) | Stop::Trap(_)) => "?".into(),
    }
}

pub fn text(
    since: Option<Duration>,
    args: &[(&'static str, Value)],
    ending: &Ending<'_>,
) -> String {
    let values = args.iter().map(|(_, value)| value);
    let head = head(since, ending.call.name, values);
    let faults = match ending.faults {
        [] => String::new(),
        faults => format!(" faults: {}", faults.join("; ")),
    };
    let result = result(ending.answer);
    format!("{head}) = {result} <{:.1?}>{faults}\n", ending.took)
}

impl<'a> Line<'a> {
    pub fn new(
        since: Option<Duration>,
        args: Vec<(&'static str, Value)>,
        ending: &Ending<'a>,
    ) -> Line<'a> {
        let errno = |errno: Errno| Told::Errno {
            errno: errno.0,
            error: errno.name(),
        };
        Line {
            start_ns: since.map(|since| since.as_nanos()),
            name: ending.call.name,
            args: Value::Fields(args),
            result: match ending.answer {
                Ok(()) => errno(Errno::SUCCESS),
                Err(Stop::Errno(other)) => errno(*other),
                Err(Stop::Exit(code)) => Told::Exit { exit: *code },
                Err(Stop::Trap(why)) => Told::Trap { trap: why.clone() },
            },
            duration_ns: ending.took.as_nanos(),
            faults: ending.faults,
        }
    }

    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }
}
