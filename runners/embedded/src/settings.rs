//! What a guest is started with, as the command line says it.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::net::SocketType;
use wasmtime::error::Context as _;
use wasmtime::{Result, ensure};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::adversary::{Adversary, Order};
use crate::clock::Monotonic;
use crate::host::{As, Host, INET4, INET6, Rights};

/// The first descriptor after the standard streams.
const FIRST_PREOPENED: u32 = 3;

#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Have the known faults of a WasmEdge.
    #[arg(long = "as", value_enum, default_value = "faultless")]
    pub imitated: As,
    /// Only preview 1's own calls: a module that imports WasmEdge's is refused.
    #[arg(long)]
    pub plain: bool,
    /// Let the guest use addresses other than loopback's, and look up names.
    #[arg(long)]
    pub allow_net: bool,
    /// Let the guest open Unix sockets, at any path of this machine.
    #[arg(long)]
    pub allow_af_unix: bool,
    /// Let the guest use a directory: `DIR`, `GUEST:HOST` or `GUEST:HOST:readonly`.
    #[arg(long, value_name = "DIR")]
    pub dir: Vec<String>,
    /// Set a variable in the guest's environment.
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Open a listener for the guest, at its first free descriptor from 3 on.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "dir")]
    pub listen: Vec<SocketAddr>,
    /// Meet the faults that this number stands for.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Meet a fault: `zero` now and then, `zero=0.3` so often, `zero@12` at the twelfth call that
    /// it can befall. With several, or with commas, each of them.
    #[arg(long, value_delimiter = ',', value_name = "FAULT")]
    pub fault: Vec<Order>,
    /// End the guest after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub time_limit: Option<u64>,
}

impl Settings {
    /// A host for a guest that is called with `words`, the first of which is its own name.
    pub fn host(&self, words: &[OsString]) -> Result<Host> {
        let mut builder = WasiCtxBuilder::new();
        builder.inherit_stdio();
        let wasi = self.wasi(builder, words)?;
        self.host_over(wasi)
    }

    /// The same over a context of `wasmtime-wasi`'s.
    pub fn host_over(&self, wasi: WasiP1Ctx) -> Result<Host> {
        let rights = Rights {
            net: self.allow_net,
            af_unix: self.allow_af_unix,
        };
        let mut host = Host::new(wasi, rights, self.imitated);
        let limit = self.time_limit.map(Duration::from_secs);
        host.deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        host.adversary = match (self.seed, &self.fault[..]) {
            (None, []) => None,
            (Some(seed), []) => Some(Adversary::of_seed(seed, &[])),
            (seed, faults) => Some(Adversary::new(seed.unwrap_or_default(), faults.to_vec())),
        };
        for (number, address) in (FIRST_PREOPENED..).zip(&self.listen) {
            let listener = TcpListener::bind(address)
                .with_context(|| format!("cannot listen at {address}"))?;
            listener.set_nonblocking(true)?;
            println!("listening tcp {}", listener.local_addr()?);
            let family = if address.is_ipv4() { INET4 } else { INET6 };
            host.insert_as(number, listener.into(), family, SocketType::STREAM);
        }
        Ok(host)
    }

    pub fn wasi(&self, mut builder: WasiCtxBuilder, words: &[OsString]) -> Result<WasiP1Ctx> {
        for word in words {
            builder.arg(word.to_str().context("an argument is no text")?);
        }
        for pair in &self.env {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            builder.env(name, value);
        }
        for dir in &self.dir {
            let parts: Vec<&str> = dir.split(':').collect();
            let (inside, outside, readonly) = match parts[..] {
                [dir] => (dir, dir, false),
                [inside, outside] => (inside, outside, false),
                [inside, outside, "readonly"] => (inside, outside, true),
                _ => wasmtime::bail!("--dir {dir} is not DIR, GUEST:HOST or GUEST:HOST:readonly"),
            };
            ensure!(!outside.is_empty(), "--dir {dir} names no directory");
            let perms = match readonly {
                true => FsPerms::ReadOnly,
                false => FsPerms::ReadWrite,
            };
            let opened = builder.preopened_dir(outside, inside, perms);
            opened.with_context(|| format!("cannot open the directory {outside}"))?;
        }
        builder.monotonic_clock(Monotonic);
        Ok(builder.build_p1())
    }
}
