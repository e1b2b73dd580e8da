//! A server's word on itself, over a connection of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::protocol;

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Stats(pub Value);

impl Stats {
    pub fn ask(control: SocketAddr) -> Result<Stats> {
        let what = || format!("asking the server at {control} for its statistics");
        let mut stream = TcpStream::connect_timeout(&control, PATIENCE).with_context(what)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&[protocol::STATS]).with_context(what)?;
        let mut line = String::new();
        stream.read_to_string(&mut line).with_context(what)?;
        Ok(Stats(serde_json::from_str(&line).with_context(what)?))
    }

    pub fn number(&self, name: &str) -> Result<u64> {
        let value = self.0.get(name).and_then(Value::as_u64);
        value.with_context(|| format!("the server does not tell {name}"))
    }
}
