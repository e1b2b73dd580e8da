//! RESP, the protocol of Redis, version 2: requests are parsed as they come in, in pieces of any
//! size and once; answers are appended to a buffer.

use std::ops::Range;

/// The longest word of a request. Redis itself takes 512 MB.
const WORD: usize = 16 << 20;
/// The most words of a request.
const WORDS: usize = 64 * 1024;
/// The longest request in all.
const REQUEST: usize = 64 << 20;
/// The longest line: a request as it is typed.
const LINE: usize = 64 * 1024;

/// How much is read at a time, at least.
const READ: usize = 16 * 1024;

/// What a client has sent and nobody has carried out yet.
#[derive(Default)]
pub struct Requests {
    buffer: Vec<u8>,
    /// Where the request begins that is being parsed, and how far parsing has come.
    start: usize,
    at: usize,
    /// Up to here there is no end of a line.
    searched: usize,
    /// How many of its words are still to come; `None` before its head.
    missing: Option<usize>,
    /// Its words so far, by their place behind `start`.
    words: Vec<Range<usize>>,
}

/// One request, whole.
pub struct Request<'a> {
    buffer: &'a [u8],
    words: &'a [Range<usize>],
}

impl<'a> Request<'a> {
    pub fn len(&self) -> usize {
        self.words.len()
    }

    pub fn word(&self, number: usize) -> &'a [u8] {
        &self.buffer[self.words[number].clone()]
    }

    pub fn words(&self, from: usize) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.words[from..]
            .iter()
            .map(|word| &self.buffer[word.clone()])
    }
}

impl Requests {
    /// Where the next read goes.
    pub fn room(&mut self) -> &mut Vec<u8> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            // What one large request took is given back.
            self.buffer.shrink_to(READ);
            (self.start, self.at, self.searched) = (0, 0, 0);
        } else if self.start > 0 && self.buffer.capacity() - self.buffer.len() < READ {
            self.buffer.drain(..self.start);
            self.at -= self.start;
            self.searched = self.searched.saturating_sub(self.start);
            self.start = 0;
        }
        self.buffer.reserve(READ);
        &mut self.buffer
    }

    /// The next request, if it is there to its end.
    ///
    /// # Errors
    ///
    /// What breaks the protocol or its limits: nothing that follows has a meaning.
    pub fn next(&mut self) -> Result<Option<Request<'_>>, &'static str> {
        loop {
            let more = match self.missing {
                Some(0) if self.words.is_empty() => {
                    // An empty request has no answer.
                    (self.start, self.missing) = (self.at, None);
                    true
                }
                Some(0) => break,
                Some(missing) => self.next_word(missing)?,
                None => self.head()?,
            };
            if !more {
                return Ok(None);
            }
        }
        let buffer = &self.buffer[self.start..self.at];
        (self.start, self.missing) = (self.at, None);
        let words = &self.words;
        Ok(Some(Request { buffer, words }))
    }

    /// Parses what opens a request; `false` where it is not there yet.
    fn head(&mut self) -> Result<bool, &'static str> {
        let Some(line) = self.line(LINE, "too big inline request")? else {
            return Ok(false);
        };
        self.words.clear();
        if self.buffer.get(line.start) != Some(&b'*') {
            self.inline(line)?;
            return Ok(true);
        }
        let count = number(&self.buffer[line.start + 1..line.end]);
        let count = count.filter(|count| *count <= WORDS as i64);
        let count = count.ok_or("invalid multibulk length")?;
        self.missing = Some(usize::try_from(count).unwrap_or(0));
        Ok(true)
    }

    /// A request as it is typed: words between blanks, which quotes may hold together.
    fn inline(&mut self, line: Range<usize>) -> Result<(), &'static str> {
        let text = &self.buffer[line.clone()];
        let mut from = None;
        let mut quote = None;
        for (at, byte) in text.iter().chain(b" ").enumerate() {
            let ends = match quote {
                Some(mark) => mark == *byte,
                None => byte.is_ascii_whitespace(),
            };
            match from {
                None if matches!(byte, b'"' | b'\'') => {
                    quote = Some(*byte);
                    from = Some(at + 1);
                }
                None if !ends => from = Some(at),
                Some(first) if ends => {
                    let place = line.start - self.start;
                    self.words.push(place + first..place + at);
                    (from, quote) = (None, None);
                }
                _ => {}
            }
        }
        self.missing = Some(0);
        quote.map_or(Ok(()), |_| Err("unbalanced quotes in request"))
    }

    /// Parses one more word; `false` where it is not there yet.
    fn next_word(&mut self, missing: usize) -> Result<bool, &'static str> {
        let before = self.at;
        let Some(line) = self.line(64, "too big bulk count string")? else {
            return Ok(false);
        };
        if self.buffer.get(line.start) != Some(&b'$') {
            return Err("expected '$'");
        }
        let length = number(&self.buffer[line.start + 1..line.end]);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| *length <= WORD);
        let length = length.ok_or("invalid bulk length")?;
        let end = self.at + length;
        if end - self.start > REQUEST {
            return Err("too big request");
        }
        if self.buffer.len() < end + 2 {
            // Its length is parsed once more, when the rest has come.
            (self.at, self.searched) = (before, before);
            return Ok(false);
        }
        if &self.buffer[end..end + 2] != b"\r\n" {
            return Err("expected the end of a word");
        }
        self.words.push(self.at - self.start..end - self.start);
        self.at = end + 2;
        self.missing = Some(missing - 1);
        Ok(true)
    }

    /// The line that begins where parsing is, without its end; `None` where it has none yet.
    fn line(
        &mut self,
        limit: usize,
        fault: &'static str,
    ) -> Result<Option<Range<usize>>, &'static str> {
        let end = self.buffer.len().min(self.at + limit);
        let from = self.searched.clamp(self.at, end);
        let found = self.buffer[from..end]
            .iter()
            .position(|byte| *byte == b'\n');
        let Some(found) = found else {
            self.searched = end;
            return if end < self.at + limit {
                Ok(None)
            } else {
                Err(fault)
            };
        };
        let line = &self.buffer[self.at..from + found];
        let line = self.at..self.at + line.strip_suffix(b"\r").unwrap_or(line).len();
        self.at = from + found + 1;
        Ok(Some(line))
    }
}

/// A whole number in decimal, as Redis takes one: without a plus, and without blanks.
pub fn number(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let plain = text.len() <= 20 && !text.starts_with('+');
    text.parse().ok().filter(|_| plain)
}

pub fn ok(output: &mut Vec<u8>) {
    simple(output, "OK");
}

/// `text` must be one line, as `message` must be below.
pub fn simple(output: &mut Vec<u8>, text: &str) {
    line(output, b'+', text);
}

/// `message` begins with the kind of the error.
pub fn error(output: &mut Vec<u8>, message: &str) {
    line(output, b'-', message);
}

fn line(output: &mut Vec<u8>, kind: u8, text: &str) {
    output.push(kind);
    output.extend_from_slice(text.as_bytes());
    output.extend_from_slice(b"\r\n");
}

pub fn integer(output: &mut Vec<u8>, number: i64) {
    let sign: &[u8] = if number < 0 { b":-" } else { b":" };
    output.extend_from_slice(sign);
    digits(output, number.unsigned_abs());
}

/// So many answers follow, which are one array.
pub fn array(output: &mut Vec<u8>, length: usize) {
    output.push(b'*');
    digits(output, length as u64);
}

pub fn bulk(output: &mut Vec<u8>, bytes: &[u8]) {
    output.push(b'$');
    digits(output, bytes.len() as u64);
    output.extend_from_slice(bytes);
    output.extend_from_slice(b"\r\n");
}

/// Ends a line with a number. Nothing is written as often, and Rust's own formatting would be most
/// of the work of a long answer.
fn digits(output: &mut Vec<u8>, mut number: u64) {
    let mut text = *b"00000000000000000000\r\n";
    let mut first = text.len() - 2;
    loop {
        first -= 1;
        text[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    output.extend_from_slice(&text[first..]);
}

/// There is no such thing.
pub fn nil(output: &mut Vec<u8>) {
    output.extend_from_slice(b"$-1\r\n");
}

/// There is no such thing, of which there could be many.
pub fn nil_array(output: &mut Vec<u8>) {
    output.extend_from_slice(b"*-1\r\n");
}

pub fn bulk_or_nil(output: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => bulk(output, bytes),
        None => nil(output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The requests in `input`, which comes in pieces of so many bytes, as text; and the fault that
    /// ends it.
    fn parse(input: &[u8], piece: usize) -> (Vec<String>, Option<&'static str>) {
        let mut requests = Requests::default();
        let mut all = Vec::new();
        for piece in input.chunks(piece) {
            requests.room().extend_from_slice(piece);
            loop {
                match requests.next() {
                    Ok(None) => break,
                    Ok(Some(request)) => {
                        let words: Vec<_> = request.words(0).map(String::from_utf8_lossy).collect();
                        assert_eq!(words.len(), request.len());
                        all.push(words.join("|"));
                    }
                    Err(fault) => return (all, Some(fault)),
                }
            }
        }
        (all, None)
    }

    #[test]
    fn requests_come_in_pieces_of_any_size() {
        let input =
            b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*0\r\n\r\n*-1\r\nset 'a b' \"c d\"  e\n\
            *3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n\r\n\r\n\r\n*1\r\n$4\r\nQUIT\r\n";
        let expected = ["GET|k", "PING", "set|a b|c d|e", "SET||\r\n\r\n", "QUIT"];
        for piece in 1..=input.len() {
            let (all, fault) = parse(input, piece);
            assert_eq!(
                (&all[..], fault),
                (&expected.map(String::from)[..], None),
                "{piece}"
            );
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_a_fault() {
        let long = [&b"*1\r\n$"[..], &[b'1'; 100]].concat();
        let inline = vec![b'a'; LINE];
        for (input, expected) in [
            (&b"*x\r\n"[..], "invalid multibulk length"),
            (b"*65537\r\n", "invalid multibulk length"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$+1\r\n", "invalid bulk length"),
            (b"*1\r\n$16777217\r\n", "invalid bulk length"),
            (b"*1\r\n*1\r\n$4\r\nPING\r\n", "expected '$'"),
            (b"*1\r\n$4\r\nPINGPONG", "expected the end of a word"),
            (b"get 'a\r\n", "unbalanced quotes in request"),
            (&long, "too big bulk count string"),
            (&inline, "too big inline request"),
        ] {
            for piece in [1, 7, input.len()] {
                assert_eq!(parse(input, piece), (vec![], Some(expected)), "{piece}");
            }
        }
    }

    #[test]
    fn a_request_is_bounded_as_a_whole() {
        let word = [&b"$16777216\r\n"[..], &vec![7; 16 << 20], b"\r\n"].concat();
        let input = [&b"*5\r\n"[..], &word, &word, &word, &word].concat();
        assert_eq!(parse(&input, 1 << 20), (vec![], Some("too big request")));
    }

    #[test]
    fn numbers_are_written_and_read() {
        for number in [0, 9, 10, -1, 12_345_678, i64::MAX, i64::MIN] {
            let mut output = Vec::new();
            integer(&mut output, number);
            assert_eq!(output, format!(":{number}\r\n").into_bytes());
            assert_eq!(super::number(&output[1..output.len() - 2]), Some(number));
        }
        for text in [
            "",
            "+1",
            " 1",
            "1 ",
            "9223372036854775808",
            "00000000000000000000001",
        ] {
            assert_eq!(super::number(text.as_bytes()), None, "{text:?}");
        }
    }
}
