//! A client of HTTP/1.1 down to its bytes: for what no well-behaved client would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::net::sockopt;

use crate::suite::watched::PATIENCE;

/// What a head may measure.
const HEAD: usize = 16 << 10;

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What has come and is not looked at yet.
    come: Vec<u8>,
}

/// A response without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Names in small letters.
    headers: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(known, _)| known == name)?;
        Some(value)
    }

    fn parse(text: &str) -> Result<Head> {
        let mut lines = text.split("\r\n");
        let status = lines.next().unwrap_or_default();
        let status = status.strip_prefix("HTTP/1.1 ").context(status.to_owned());
        let status = status.context("a response does not begin so")?;
        let status = status.get(..3).context("a status has three digits")?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_string()))
        };
        Ok(Head {
            status: status.parse().context("a status is a number")?,
            headers: lines.filter_map(header).collect(),
        })
    }
}

impl Connection {
    pub fn open(to: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE).context("cannot connect")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let come = Vec::new();
        Ok(Connection { stream, come })
    }

    pub fn open_many(to: SocketAddr, count: usize) -> Result<Vec<Connection>> {
        (0..count).map(|_| Connection::open(to)).collect()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).context("cannot send")
    }

    /// A `GET` and its answer, which must be a success.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n"))?;
        let response = self.response()?;
        let status = response.head.status;
        ensure!(status == 200, "{path} is answered with {status}");
        Ok(response.body)
    }

    /// The next response with its body; `head` alone if it is the answer to a `HEAD`.
    pub fn response(&mut self) -> Result<Response> {
        let head = self.head()?;
        let mut body = Vec::new();
        if let Some(length) = head.header("content-length") {
            body = self.take(length.parse().context("a length is a number")?)?;
        } else {
            ensure!(head.header("transfer-encoding") == Some("chunked"));
            loop {
                let size = self.line()?;
                let size = usize::from_str_radix(&size, 16).context("a chunk has a size")?;
                body.extend(self.take(size)?);
                ensure!(self.line()?.is_empty(), "a chunk is longer than it says");
                if size == 0 {
                    break;
                }
            }
        }
        Ok(Response { head, body })
    }

    /// The next response, up to its body.
    pub fn head(&mut self) -> Result<Head> {
        let end = loop {
            let end = self.come.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end;
            }
            ensure!(self.come.len() < HEAD, "a head does not end");
            self.more()?;
        };
        let head = self.take(end + 4)?;
        Head::parse(&String::from_utf8_lossy(&head[..end]))
    }

    fn line(&mut self) -> Result<String> {
        let end = loop {
            let end = self.come.windows(2).position(|two| two == b"\r\n");
            if let Some(end) = end {
                break end;
            }
            ensure!(self.come.len() < HEAD, "a line does not end");
            self.more()?;
        };
        let line = self.take(end + 2)?;
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.come.len() < count {
            self.more()?;
        }
        let rest = self.come.split_off(count);
        Ok(std::mem::replace(&mut self.come, rest))
    }

    fn more(&mut self) -> Result<()> {
        let mut buffer = [0; 16 << 10];
        let count = self.stream.read(&mut buffer).context("no answer")?;
        if count == 0 {
            let come = String::from_utf8_lossy(&self.come);
            bail!("the connection ended, after {come:?}");
        }
        self.come.extend(&buffer[..count]);
        Ok(())
    }

    /// Waits for the server to close, which must send nothing more.
    pub fn closed(mut self) -> Result<()> {
        let count = match self.stream.read(&mut [0; 64]) {
            // That is how a server closes which has not read all.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            read => read.context("the server does not close")?,
        };
        let rest = self.come.len() + count;
        ensure!(rest == 0, "{rest} bytes too many came");
        Ok(())
    }

    /// Whether anything has come, be it an end, within so long.
    pub fn is_heard(&mut self, within: Duration) -> Result<bool> {
        self.stream.set_read_timeout(Some(within))?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE))?;
        Ok(peeked.is_ok() || !self.come.is_empty())
    }

    /// Vanishes: the server is told of a reset, if it is told anything.
    pub fn reset(self) -> Result<()> {
        let linger = sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
        linger.context("cannot set SO_LINGER")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answered(bytes: &[u8]) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = Connection::open(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(bytes).unwrap();
        connection
    }

    #[test]
    fn responses_are_told_apart() {
        let mut connection = answered(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc\
              HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n\
              2\r\nde\r\n1\r\nf\r\n0\r\n\r\nHTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        );
        let responses = [0, 1, 2].map(|_| connection.response().unwrap());
        let statuses = responses.each_ref().map(|one| one.head.status);
        assert_eq!(statuses, [200, 201, 400]);
        let bodies = responses.each_ref().map(|one| &one.body[..]);
        assert_eq!(bodies, [&b"abc"[..], b"def", b""]);
        assert_eq!(responses[0].head.header("content-length"), Some("3"));
        connection.closed().unwrap();
    }

    #[test]
    fn what_is_no_response_or_too_much_is_a_fault() {
        assert!(answered(b"HTTP/1.1 200 OK\r\n\r\n").response().is_err());
        assert!(answered(b"HTP/1.1 200 OK\r\n\r\n").head().is_err());
        let short = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab";
        assert!(answered(short).response().is_err());
        assert!(answered(b"x").closed().is_err());
    }
}
