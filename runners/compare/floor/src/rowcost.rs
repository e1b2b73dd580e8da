//! What one row of a `poll_oneoff` costs the host, in nanoseconds: measured in the guest, around
//! bare calls.
//!
//! Every call has a spare socket that can always be written to, so it returns at once. To it come
//! idle sockets, which are never ready. All figures are medians, less what the call costs without
//! those rows, divided by their number:
//! - `stays`: the row was in the call before, too;
//! - `enters`: it was not;
//! - `leaves`: it was in the call before and is not in this one.
//!
//! Beside them stand the cost of a whole call with only the spare row, of a clock that does not
//! fire, and of a clock of zero instead of the spare row.

use std::hint::black_box;

use wasi::{Event, Fd, Subscription};

use crate::host::{self, Kind, Result};

/// Calls that are timed together where a call is shorter than the clock is fine.
const BATCH: usize = 64;
const NEVER: u64 = 10_000_000_000;

/// Measures with each number of idle sockets and prints one line of JSON.
pub fn run(kind: Kind, counts: &[usize], rounds: usize) -> Result<()> {
    let most = counts.iter().copied().max().unwrap_or(0);
    let spare = host::writable(host::open(Kind::Datagram)?, 0);
    let mut rows = vec![spare];
    let idle = sockets(kind, most)?;
    rows.extend(idle.iter().map(|&fd| host::readable(fd, 1)));
    let mut events = vec![host::no_event(); most + 2];

    let call = median(rounds, || batch(&rows[..1], &mut events))? / BATCH as f64;
    let with_clock = [spare, host::clock(NEVER, 2)];
    let clock = median(rounds, || batch(&with_clock, &mut events))? / BATCH as f64 - call;
    let zero = [host::clock(0, 2)];
    let zero_clock = median(rounds, || timed(&zero, &mut events))?;
    let counts: Vec<String> = counts
        .iter()
        .map(|&count| measure(&rows[..=count], call, rounds, &mut events))
        .collect::<Result<_>>()?;
    let kind = match kind {
        Kind::Datagram => "udp",
        Kind::Stream => "tcp",
    };
    println!(
        "{{\"socket\":\"{kind}\",\"call_ns\":{call:.0},\"clock_ns\":{clock:.0},\
         \"zero_clock_call_ns\":{zero_clock:.0},\"rows\":[{}]}}",
        counts.join(",")
    );
    Ok(())
}

/// The figures for all of `rows` but the first, which is the spare one.
fn measure(
    rows: &[Subscription],
    call: f64,
    rounds: usize,
    events: &mut [Event],
) -> Result<String> {
    let count = rows.len() - 1;
    let per_row = |nanoseconds: f64| (nanoseconds - call) / count as f64;
    timed(rows, events)?;
    let stays = per_row(median(rounds, || timed(rows, events))?);
    let (mut enters, mut leaves) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        leaves.push(timed(&rows[..1], events)?);
        enters.push(timed(rows, events)?);
    }
    timed(&rows[..1], events)?;
    let enters = per_row(middle(&mut enters));
    let leaves = per_row(middle(&mut leaves));
    Ok(format!(
        "{{\"count\":{count},\"stays_ns\":{stays:.0},\"enters_ns\":{enters:.0},\
         \"leaves_ns\":{leaves:.0}}}"
    ))
}

/// Sockets that are never readable.
fn sockets(kind: Kind, count: usize) -> Result<Vec<Fd>> {
    let Kind::Stream = kind else {
        return (0..count).map(|_| host::open(kind)).collect();
    };
    let (listener, port) = host::listening()?;
    let mut accepted = Vec::with_capacity(count);
    for _ in 0..count {
        host::connected(port)?;
        accepted.push(host::accept(listener)?);
    }
    Ok(accepted)
}

fn timed(rows: &[Subscription], events: &mut [Event]) -> Result<f64> {
    let start = host::now();
    black_box(host::poll(rows, events)?);
    Ok((host::now() - start) as f64)
}

fn batch(rows: &[Subscription], events: &mut [Event]) -> Result<f64> {
    let start = host::now();
    for _ in 0..BATCH {
        black_box(host::poll(rows, events)?);
    }
    Ok((host::now() - start) as f64)
}

fn median(rounds: usize, mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
    let mut all = (0..rounds).map(|_| measure()).collect::<Result<Vec<_>>>()?;
    Ok(middle(&mut all))
}

fn middle(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
