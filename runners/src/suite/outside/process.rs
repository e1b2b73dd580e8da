//! Scenarios in which the guest's process is stopped, limited, or ended.

use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use super::client::{Client, echo_all, receive_all, send_all};
use super::guest::Guest;
use crate::host::Host;
use crate::process;
use crate::suite::Setting;
use crate::suite::each_host::on_each_host;
use crate::suite::report::Outcome;
use crate::suite::watched::PATIENCE;

/// A stop and a continue interrupt WasmEdge's wait and leave its poller in half a state.
pub fn stopped_and_continued(guest: &Guest) -> Result<()> {
    let mut clients = Client::connect_many(guest.tcp, 20)?;
    echo_all(&mut clients, 100)?;
    for _ in 0..5 {
        // Asleep in its wait, and sometimes with data that comes while it is stopped.
        guest.stop()?;
        guest.proceed()?;
        echo_all(&mut clients, 5000)?;
        guest.stop()?;
        let sent = send_all(&mut clients, 5000)?;
        guest.proceed()?;
        receive_all(&mut clients, &sent)?;
    }
    stopped_while_busy(guest, &mut clients)?;
    guest.expect_rest()?;
    echo_all(&mut clients, 1000)
}

fn stopped_while_busy(guest: &Guest, clients: &mut [Client]) -> Result<()> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut busy = Vec::new();
        for clients in clients.chunks_mut(10) {
            let over = &over;
            busy.push(scope.spawn(move || -> Result<()> {
                while !over.load(Ordering::Relaxed) {
                    echo_all(clients, 2000)?;
                }
                Ok(())
            }));
        }
        let stops = (0..20).try_for_each(|_| {
            thread::sleep(Duration::from_millis(10));
            guest.stop()?;
            guest.proceed()
        });
        over.store(true, Ordering::Relaxed);
        for thread in busy {
            thread.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        stops
    })
}

/// Every second connection of those that wait is reset before the guest can accept it.
pub fn reset_before_accept(guest: &Guest) -> Result<()> {
    let before = guest.sockets()?;
    guest.stop()?;
    let mut kept = Vec::new();
    for number in 0..20 {
        let client = Client::connect(guest.tcp, number)?;
        if number % 2 == 0 {
            client.reset()?;
        } else {
            kept.push(client);
        }
    }
    let sent = send_all(&mut kept, 1000)?;
    guest.proceed()?;
    receive_all(&mut kept, &sent)?;
    guest.wait_for_sockets(before + kept.len())?;
    drop(kept);
    guest.wait_for_sockets(before)?;
    guest.expect_rest()?;
    Client::connect(guest.tcp, 99)?.echo(1000)
}

/// More connections come than the guest's process has descriptors for.
pub fn full_table(guest: &Guest) -> Result<()> {
    const ROOM: usize = 40;
    let before = guest.sockets()?;
    guest.limit_descriptors(ROOM)?;
    // The kernel connects all of them; they are accepted in this order.
    let mut inside = Client::connect_many(guest.tcp, ROOM + 30)?;
    guest.wait_for_sockets(before + ROOM)?;
    let mut waiting = inside.split_off(ROOM);
    for _ in 0..3 {
        echo_all(&mut inside, 3000).context("with a full table")?;
    }
    guest.expect_rest().context("with a full table")?;
    echo_all(&mut inside, 100).context("with a full table")?;

    // As many as go, so many come in.
    inside.drain(..10);
    inside.extend(waiting.drain(..10));
    echo_all(&mut inside, 3000).context("after ten had gone")?;
    inside.clear();
    echo_all(&mut waiting, 3000).context("after the others had gone")?;
    drop(waiting);
    guest.wait_for_sockets(before)?;
    guest.expect_rest()?;
    Client::connect(guest.tcp, 99)?.echo(1000)
}

/// The runner becomes the host's process: a signal and an exit status pass through it.
pub fn through_the_runner(setting: &Setting) -> Result<Outcome> {
    let wasm = super::echo(setting)?;
    on_each_host(setting, |host| {
        let echo = host.compiled(&wasm)?;
        let guest = Guest::run(runner(host, &echo)?, host, "runner")?;
        Client::connect(guest.tcp, 0)?.echo(1000)?;
        guest.terminate()?;

        let mut refused = runner(host, &echo)?;
        refused.arg("--no-such-argument");
        let log = crate::project::suite_folder().join("runner-refused.log");
        let mut child = process::spawn_logged(&mut refused, &log)?;
        let status = process::wait(&mut child, PATIENCE, || {})?;
        let status = status.context("the guest did not end")?;
        let code = status.code();
        ensure!(code == Some(1), "a guest that fails gave {status}");
        Ok(())
    })
}

fn runner(host: &Host, guest: &Path) -> Result<Command> {
    let mut runner = Command::new(env::current_exe()?);
    runner.arg("--host").arg(&host.program);
    runner.arg("run").arg(guest);
    Ok(runner)
}
