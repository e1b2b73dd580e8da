//! The commands: which there are, and those about the server itself.

mod collections;
mod keys;
mod strings;

use crate::protocol::{self, Request};
use crate::store::{Fault, Store};

/// What follows the answer to a request.
pub enum After {
    /// The next one.
    More,
    /// The next one, when the answers have been written.
    Later,
    /// The end of this connection.
    Close,
    /// The end of the server.
    Stop,
}

/// A request, whom it is about, and where its answer goes.
struct Call<'a> {
    request: &'a Request<'a>,
    store: &'a mut Store,
    output: &'a mut Vec<u8>,
}

type Answer = Result<After, Fault>;
type Command = fn(&mut Call) -> Answer;

const SYNTAX: &str = "ERR syntax error";
const NO_INTEGER: &str = "ERR value is not an integer or out of range";
const NO_FLOAT: &str = "ERR value is not a valid float";

/// No name of a command is longer.
const NAME: usize = 16;

/// A bound for commands that take any number of words.
const ANY: usize = usize::MAX;

/// Carries out a request, which has a word at least, and adds its answer to `output`.
pub fn run(request: &Request, store: &mut Store, output: &mut Vec<u8>) -> After {
    let mut name = [0; NAME];
    let word = request.word(0);
    let found = name.get_mut(..word.len()).and_then(|name| {
        name.copy_from_slice(word);
        name.make_ascii_uppercase();
        command(name)
    });
    let shown = || {
        String::from_utf8_lossy(&word[..word.len().min(64)])
            .escape_debug()
            .to_string()
    };
    let answer = match found {
        None => Err(Fault(format!("ERR unknown command '{}'", shown()))),
        Some((least, most, _)) if !(least..=most).contains(&request.len()) => {
            let text = "ERR wrong number of arguments for";
            Err(Fault(format!(
                "{text} '{}' command",
                shown().to_lowercase()
            )))
        }
        Some((_, _, command)) => command(&mut Call {
            request,
            store,
            output,
        }),
    };
    answer.unwrap_or_else(|Fault(text)| {
        protocol::error(output, &text);
        After::More
    })
}

/// A command with the least and the most words of its requests, its name included.
fn command(name: &[u8]) -> Option<(usize, usize, Command)> {
    use {collections as c, keys as k, strings as s};
    Some(match name {
        b"GET" => (2, 2, s::get),
        b"SET" => (3, 7, s::set),
        b"SETNX" => (3, 3, s::setnx),
        b"MGET" => (2, ANY, s::mget),
        b"MSET" => (3, ANY, s::mset),
        b"APPEND" => (3, 3, s::append),
        b"STRLEN" => (2, 2, s::strlen),
        b"INCR" => (2, 2, s::incr),
        b"DECR" => (2, 2, s::decr),
        b"INCRBY" => (3, 3, s::incrby),
        b"DECRBY" => (3, 3, s::decrby),
        b"LPUSH" => (3, ANY, c::lpush),
        b"RPUSH" => (3, ANY, c::rpush),
        b"LPOP" => (2, 3, c::lpop),
        b"RPOP" => (2, 3, c::rpop),
        b"LLEN" => (2, 2, c::llen),
        b"LRANGE" => (4, 4, c::lrange),
        b"HSET" | b"HMSET" => (4, ANY, c::hset),
        b"HGET" => (3, 3, c::hget),
        b"HDEL" => (3, ANY, c::hdel),
        b"HLEN" => (2, 2, c::hlen),
        b"HGETALL" => (2, 2, c::hgetall),
        b"SADD" => (3, ANY, c::sadd),
        b"SREM" => (3, ANY, c::srem),
        b"SPOP" => (2, 3, c::spop),
        b"SCARD" => (2, 2, c::scard),
        b"SISMEMBER" => (3, 3, c::sismember),
        b"SMEMBERS" => (2, 2, c::smembers),
        b"ZADD" => (4, ANY, c::zadd),
        b"ZREM" => (3, ANY, c::zrem),
        b"ZPOPMIN" => (2, 3, c::zpopmin),
        b"ZCARD" => (2, 2, c::zcard),
        b"ZSCORE" => (3, 3, c::zscore),
        b"ZRANGE" => (4, 5, c::zrange),
        b"DEL" | b"UNLINK" => (2, ANY, k::del),
        b"EXISTS" => (2, ANY, k::exists),
        b"TYPE" => (2, 2, k::kind),
        b"KEYS" => (2, 2, k::keys),
        b"EXPIRE" => (3, 3, k::expire),
        b"PEXPIRE" => (3, 3, k::pexpire),
        b"TTL" => (2, 2, k::ttl),
        b"PTTL" => (2, 2, k::pttl),
        b"PERSIST" => (2, 2, k::persist),
        b"DBSIZE" => (1, 1, k::dbsize),
        b"FLUSHALL" | b"FLUSHDB" => (1, 2, k::flush),
        b"PING" => (1, 2, ping),
        b"ECHO" => (2, 2, echo),
        b"SELECT" => (2, 2, select),
        b"HELLO" => (1, ANY, hello),
        b"CLIENT" => (2, ANY, client),
        b"CONFIG" => (2, ANY, config),
        b"COMMAND" => (1, ANY, about_commands),
        b"INFO" => (1, ANY, info),
        b"QUIT" => (1, ANY, quit),
        b"SHUTDOWN" => (1, ANY, |_| Ok(After::Stop)),
        _ => return None,
    })
}

impl<'a> Call<'a> {
    fn word(&self, number: usize) -> &'a [u8] {
        self.request.word(number)
    }

    fn integer_at(&self, number: usize) -> Result<i64, Fault> {
        protocol::number(self.word(number)).ok_or(NO_INTEGER.into())
    }

    /// How many things are asked for, by an argument that may be missing.
    fn count_at(&self, number: usize) -> Result<Option<usize>, Fault> {
        if self.request.len() <= number {
            return Ok(None);
        }
        let count = usize::try_from(self.integer_at(number)?);
        count
            .map(Some)
            .map_err(|_| "ERR value is out of range, must be positive".into())
    }

    fn ok(&mut self) -> Answer {
        protocol::ok(self.output);
        Ok(After::More)
    }

    fn integer(&mut self, number: impl TryInto<i64>) -> Answer {
        protocol::integer(self.output, number.try_into().unwrap_or(i64::MAX));
        Ok(After::More)
    }
}

fn ping(call: &mut Call) -> Answer {
    match call.request.len() {
        1 => protocol::simple(call.output, "PONG"),
        _ => protocol::bulk(call.output, call.word(1)),
    }
    Ok(After::More)
}

fn echo(call: &mut Call) -> Answer {
    protocol::bulk(call.output, call.word(1));
    Ok(After::More)
}

/// There is one database, and its number is 0.
fn select(call: &mut Call) -> Answer {
    match call.integer_at(1)? {
        0 => call.ok(),
        _ => Err("ERR DB index is out of range".into()),
    }
}

/// How a client would ask for a newer protocol.
fn hello(call: &mut Call) -> Answer {
    if call.request.len() > 1 && call.word(1) != b"2" {
        return Err("NOPROTO unsupported protocol version".into());
    }
    protocol::array(call.output, 4);
    for text in [
        "server",
        "redis_server",
        "version",
        env!("CARGO_PKG_VERSION"),
    ] {
        protocol::bulk(call.output, text.as_bytes());
    }
    Ok(After::More)
}

/// What clients tell of themselves is not kept.
fn client(call: &mut Call) -> Answer {
    let what = call.word(1).to_ascii_uppercase();
    match &what[..] {
        b"SETNAME" | b"SETINFO" => call.ok(),
        _ => Err("ERR of CLIENT, only SETNAME and SETINFO are here".into()),
    }
}

/// Nothing can be configured; `redis-benchmark` asks for two settings.
fn config(call: &mut Call) -> Answer {
    if !call.word(1).eq_ignore_ascii_case(b"GET") {
        return Err("ERR of CONFIG, only GET is here".into());
    }
    let known = [("save", ""), ("appendonly", "no")];
    let asked = |name: &str| {
        call.request
            .words(2)
            .any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let told: Vec<_> = known.iter().filter(|(name, _)| asked(name)).collect();
    protocol::array(call.output, told.len() * 2);
    for (name, setting) in told {
        protocol::bulk(call.output, name.as_bytes());
        protocol::bulk(call.output, setting.as_bytes());
    }
    Ok(After::More)
}

/// `redis-cli` asks at its start, for its help.
fn about_commands(call: &mut Call) -> Answer {
    protocol::array(call.output, 0);
    Ok(After::More)
}

fn info(call: &mut Call) -> Answer {
    let keys = call.store.len();
    let text = format!(
        "# Server\r\nredis_mode:standalone\r\nserver_name:redis_server\r\n\
         server_version:{}\r\n\r\n# Keyspace\r\ndb0:keys={keys}\r\n",
        env!("CARGO_PKG_VERSION")
    );
    protocol::bulk(call.output, text.as_bytes());
    Ok(After::More)
}

fn quit(call: &mut Call) -> Answer {
    protocol::ok(call.output);
    Ok(After::Close)
}
