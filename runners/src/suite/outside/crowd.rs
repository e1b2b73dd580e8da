//! Ten thousand connections at once: one guest holds them all, and what an idle one costs it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::client::Client;
use super::guest::Guest;
use crate::host::Rights;
use crate::suite::Setting;
use crate::suite::each_host::on_each_host;
use crate::suite::report::Outcome;
use crate::{guest, process, progress};

const CROWD: usize = 10_000;

/// What the clients' process needs, and the guest's as well.
const DESCRIPTORS: u64 = 10_100;

/// How many connect before the last of them is heard: the queue of a listener holds 1024.
const BATCH: usize = 500;

/// How many are waited for at a time, in an order that leaves each idle for as long as can be.
const CHUNK: usize = 100;

/// Prime to [`CROWD`], so that every place comes once.
const STRIDE: usize = 3001;

/// How long the trickle goes on under `--full`, with a pause after each chunk.
const LONG: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(20);

/// What the library may keep for an idle connection, in bytes; and what it keeps in any case, which
/// is a row of the host's for either direction.
const MOST: usize = 256;
const LEAST: usize = 96;

/// How many rounds a guest warms up, and is watched then.
const ROUNDS: &str = "500";

/// All send and are answered, twice or for [`LONG`], and then rest.
pub fn at_once(setting: &Setting) -> Result<Outcome> {
    with_descriptors(|| {
        let wasm = super::echo(setting)?;
        on_each_host(setting, |host| {
            let guest = Guest::start(host, &host.compiled(&wasm)?, "crowd")?;
            crowd(&guest, setting.full).with_context(|| guest.last_words())
        })
    })
}

fn crowd(guest: &Guest, long: bool) -> Result<()> {
    let before = guest.sockets()?;
    let mut clients = gather(guest)?;
    settled(guest, before + CROWD)?;
    trickle(&mut clients, long)?;
    settled(guest, before + CROWD)?;
    guest.expect_rest().context("with a crowd")?;
    clients[CROWD / 2].echo(1000).context("after a rest")?;
    drop(clients);
    settled(guest, before)?;
    guest.expect_rest().context("when the crowd has gone")?;
    Client::connect(guest.tcp, CROWD)?.echo(1000)
}

/// Waits until the guest has so many sockets, and perhaps the one that the library opens for itself
/// when it first needs it, to be used for all later waits.
fn settled(guest: &Guest, count: usize) -> Result<()> {
    let mut found = 0;
    let reached = guest.wait_until("so", || {
        found = guest.sockets()?;
        Ok((count..=count + 1).contains(&found))
    });
    reached.with_context(|| format!("the guest should have {count} sockets and has {found}"))
}

fn gather(guest: &Guest) -> Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(CROWD);
    while clients.len() < CROWD {
        let client = Client::connect(guest.tcp, clients.len());
        clients.push(client.with_context(|| format!("after {} connections", clients.len()))?);
        if clients.len() % BATCH == 0 {
            // They are accepted in their order.
            let last = clients.len() - 1;
            clients[last].echo(1)?;
        }
    }
    Ok(clients)
}

/// A few bytes over every connection, again and again; each byte that comes back is compared.
fn trickle(clients: &mut [Client], long: bool) -> Result<()> {
    let start = Instant::now();
    let bar = progress::bar(LONG.as_secs() as usize, "a trickle over all");
    let mut rounds = 0;
    while rounds < 2 || long && start.elapsed() < LONG {
        for chunk in 0..CROWD / CHUNK {
            let places = (0..CHUNK).map(|place| (chunk * CHUNK + place) * STRIDE % CROWD);
            exchange(clients, places, rounds)?;
            if long {
                bar.set_position(start.elapsed().as_secs());
                std::thread::sleep(PAUSE);
            }
        }
        rounds += 1;
    }
    bar.finish_and_clear();
    Ok(())
}

fn exchange(
    clients: &mut [Client],
    places: impl Iterator<Item = usize> + Clone,
    round: usize,
) -> Result<()> {
    let size = |place: usize| 1 + (place + 7 * round) % 64;
    let sent = places.clone().map(|place| clients[place].send(size(place)));
    let sent = sent.collect::<Result<Vec<_>>>()?;
    for (place, sent) in places.zip(&sent) {
        let received = clients[place].receive(sent);
        received.with_context(|| format!("client {place} in round {round}"))?;
    }
    Ok(())
}

/// What the library has allocated for a crowd that is idle, as the guest itself counts it.
pub fn memory(setting: &Setting) -> Result<Outcome> {
    with_descriptors(|| {
        let args = ["--release", "--package", "wasi-tests", "--bin", "memory"];
        let modules = guest::build_quietly(&setting.toolchain, &args)?;
        let wasm = guest::module(&modules, "memory")?;
        on_each_host(setting, |host| {
            let mut command = host.command(&host.compiled(wasm)?, &Rights::default());
            let printed = process::quiet(command.arg(CROWD.to_string()))?;
            let heap = printed.lines().find_map(|line| line.strip_prefix("heap "));
            let heap: usize = heap.context("the guest counted nothing")?.parse()?;
            ensure!(heap >= LEAST * CROWD, "it cannot keep only {heap} bytes");
            let each = heap as f64 / CROWD as f64;
            let most = MOST * CROWD;
            ensure!(heap <= most, "it keeps {each:.1} bytes, more than {MOST}");
            Ok(())
        })
    })
}

/// How often a warm guest has asked for memory after many rounds of a server's work: never.
pub fn steady(setting: &Setting) -> Result<Outcome> {
    let args = ["--release", "--package", "wasi-tests", "--bin", "steady"];
    let modules = guest::build_quietly(&setting.toolchain, &args)?;
    let wasm = guest::module(&modules, "steady")?;
    on_each_host(setting, |host| {
        let mut command = host.command(&host.compiled(wasm)?, &Rights::default());
        let printed = process::quiet(command.arg(ROUNDS))?;
        ensure!(printed.trim() == "allocations 0", "it has made {printed}");
        Ok(())
    })
}

/// Makes a check with room for a crowd in this process and those that it starts meanwhile.
fn with_descriptors(check: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
    let before = getrlimit(Resource::Nofile);
    if let Some(most) = before.maximum.filter(|most| *most < DESCRIPTORS) {
        return Ok(Outcome::Skipped(format!(
            "the limit of open files cannot be raised above {most}, and the clients and the guest \
             need {DESCRIPTORS} each (`ulimit -Hn`)"
        )));
    }
    if before.current.is_some_and(|current| current < DESCRIPTORS) {
        let roomy = Rlimit {
            current: Some(DESCRIPTORS),
            ..before
        };
        setrlimit(Resource::Nofile, roomy).context("cannot raise the limit of open files")?;
    }
    let outcome = check();
    setrlimit(Resource::Nofile, before).context("cannot restore the limit of open files")?;
    outcome
}
