//! `embedded trace`: strace for guests. Each call of the guest's is told on a line, as soon as it
//! has come back, with its arguments by the table of calls.

mod decode;
mod filter;
mod line;
mod names;
mod structures;
mod summary;
mod value;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wasmtime::Result;
use wasmtime::error::Context as _;

use crate::calls::Call;
use crate::errno::Stop;
use crate::guest::End;
use crate::host::{Ending, Observer};
use crate::memory::Memory;
use decode::Decoded;
use filter::Filter;
use line::Line;
use summary::Summary;

/// How a guest is traced.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Write the trace to a file, and not to standard error.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only tell at the end, or when interrupted, how often each call was made and what it took.
    #[arg(short = 'c', long)]
    summary: bool,
    /// Write a JSON object for each call, on a line of its own; with `-c`, one for all.
    #[arg(long)]
    json: bool,
    /// Only these calls; with a `!` before its name, all but this one.
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    call: Vec<String>,
    /// Only calls that take, or open, one of these descriptors.
    #[arg(long, value_name = "FD,…", value_delimiter = ',')]
    fd: Vec<u32>,
    /// Begin with the time since the start, in seconds.
    #[arg(short, long)]
    time: bool,
    /// Show so many bytes of data.
    #[arg(short, long, value_name = "BYTES", default_value_t = 32)]
    size: usize,
}

/// What is written, and to where. It is shared with the thread that waits for an interruption.
struct State {
    options: Options,
    filter: Filter,
    out: Box<dyn Write + Send>,
    /// Why nothing can be written any more.
    failed: Option<io::Error>,
    start: Instant,
    summary: Summary,
    current: Option<Current>,
}

/// A call that is being made and is of interest.
struct Current {
    decoded: Decoded,
    /// When it began, if that is to be told.
    since: Option<Duration>,
    /// How much of its line is written.
    written: usize,
}

/// What looks at a guest's calls; its clones are one.
#[derive(Clone)]
pub struct Tracer(Arc<Mutex<State>>);

impl Tracer {
    pub fn new(options: &Options) -> Result<Tracer> {
        let out: Box<dyn Write + Send> = match &options.output {
            None => Box::new(io::stderr()),
            Some(path) => {
                let file = File::create(path);
                Box::new(file.with_context(|| format!("cannot write {}", path.display()))?)
            }
        };
        let tracer = Tracer::over(options, out)?;
        if options.summary {
            tracer.clone().tell_when_interrupted()?;
        }
        Ok(tracer)
    }

    fn over(options: &Options, out: Box<dyn Write + Send>) -> Result<Tracer> {
        Ok(Tracer(Arc::new(Mutex::new(State {
            filter: Filter::new(&options.call, &options.fd)?,
            options: options.clone(),
            out,
            failed: None,
            start: Instant::now(),
            summary: Summary::default(),
            current: None,
        }))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server is ended by a signal: what it has done so far is told all the same.
    fn tell_when_interrupted(self) -> Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot wait for signals")?;
        thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                self.state().write_summary();
                process::exit(128 + signal);
            }
        });
        Ok(())
    }

    /// The last words, and a warning if not all could be written.
    pub fn finish(&self, end: &End) {
        let mut state = self.state();
        if state.options.summary {
            state.write_summary();
        } else if !state.options.json {
            state.write(&match end {
                End::Exit(code) => format!("+++ exited with {code} +++\n"),
                End::Trap(why) => {
                    let first = why.lines().next().unwrap_or_default();
                    format!("+++ trapped: {first} +++\n")
                }
            });
        }
        if let Some(error) = state.failed.take() {
            // It may be standard error itself that takes no more.
            let _ = writeln!(io::stderr(), "warning: the trace is not whole: {error}");
        }
    }
}

impl Observer for Tracer {
    fn before(&mut self, call: &'static Call, args: &[u64], memory: &Memory<'_>) {
        self.state().before(call, args, memory);
    }

    fn after(&mut self, ending: &Ending<'_>, args: &[u64], memory: &Memory<'_>) {
        self.state().after(ending, args, memory);
    }
}

impl State {
    fn before(&mut self, call: &'static Call, args: &[u64], memory: &Memory<'_>) {
        self.current = None;
        if !self.filter.wants_name(call.name) {
            return;
        }
        let decoded = Decoded::before(call, args, memory, self.options.size);
        let since = self.options.time.then(|| self.start.elapsed());
        let mut written = 0;
        // What waits for ever shows what it waits for, if it is sure to be of interest.
        let is_text = !self.options.summary && !self.options.json;
        if is_text && may_wait(call) && self.filter.wants_fd(call, args, None) {
            let head = line::head(since, call.name, decoded.known());
            self.write(&head);
            written = head.len();
        }
        self.current = Some(Current {
            decoded,
            since,
            written,
        });
    }

    fn after(&mut self, ending: &Ending<'_>, args: &[u64], memory: &Memory<'_>) {
        let Some(current) = self.current.take() else {
            return;
        };
        let (call, decoded) = (ending.call, current.decoded);
        let succeeded = ending.answer.is_ok();
        let opened = succeeded.then(|| decoded.opened(memory)).flatten();
        if !self.filter.wants_fd(call, args, opened) {
            return;
        }
        if self.options.summary {
            let failed = matches!(ending.answer, Err(Stop::Errno(_)));
            self.summary.add(call.name, failed, ending.took);
            return;
        }
        let args = decoded.after(memory, succeeded);
        if self.options.json {
            let json = Line::new(current.since, args, ending).json();
            self.write_json(json);
        } else {
            let text = line::text(current.since, &args, ending);
            self.write(&text[current.written..]);
        }
    }

    fn write_summary(&mut self) {
        if self.options.json {
            let json = self.summary.json();
            self.write_json(json);
        } else {
            self.write(&self.summary.table());
        }
    }

    fn write_json(&mut self, json: serde_json::Result<String>) {
        match json {
            Ok(json) => self.write(&json),
            Err(error) => self.failed = Some(error.into()),
        }
    }

    fn write(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(text.as_bytes()).err();
        }
    }
}

/// Whether the call may take long. What the guest itself writes would come in between otherwise.
fn may_wait(call: &Call) -> bool {
    let waits = ["fd_read", "poll_oneoff", "epoll_oneoff"];
    waits.contains(&call.name) || call.name.starts_with("sock_")
}
