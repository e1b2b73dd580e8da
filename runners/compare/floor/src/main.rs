//! What WasmEdge itself costs, measured by guests without a library in between.
//!
//! - `floor` serves the workload `echo` as `server` does, over bare calls: the least that a guest
//!   can do which makes the same calls;
//! - `floor --drained` leaves out the read that would block after a short one;
//! - `floor rowcost udp|tcp [ROUNDS]` measures what a row of a `poll_oneoff` costs.

#[path = "../../server/counting.rs"]
mod counting;
mod echo;
mod host;
#[path = "../../protocol.rs"]
mod protocol;
mod rowcost;
#[path = "../../server/stats.rs"]
mod stats;

use std::process::ExitCode;

use host::Kind;

const ROUNDS: usize = 41;
const ROWS: [usize; 3] = [100, 1000, 4000];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => echo::serve(false),
        ["--drained"] => echo::serve(true),
        ["rowcost", kind @ ("udp" | "tcp"), ref rest @ ..] if rest.len() < 2 => {
            let kind = match kind {
                "tcp" => Kind::Stream,
                _ => Kind::Datagram,
            };
            let rounds = rest.first().and_then(|number| number.parse().ok());
            rowcost::run(kind, &ROWS, rounds.unwrap_or(ROUNDS))
        }
        _ => {
            eprintln!("usage: floor [--drained] | floor rowcost udp|tcp [ROUNDS]");
            return ExitCode::FAILURE;
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(errno) => {
            eprintln!("a call of the host failed: error {errno}");
            ExitCode::FAILURE
        }
    }
}
