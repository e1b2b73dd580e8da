//! A decoded argument, as a person reads it and as JSON. The order of fields is kept in both.

use std::fmt;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

/// What an argument means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Number(u64),
    /// A number whose bits are the guest's own affair, such as userdata.
    Opaque(u64),
    /// A time in nanoseconds.
    Nanos(u64),
    /// A name, or several with `|` in between.
    Word(String),
    /// The first of so many bytes.
    Bytes {
        head: Vec<u8>,
        length: u64,
    },
    /// The first of so many things.
    List {
        head: Vec<Value>,
        length: u64,
    },
    Fields(Vec<(&'static str, Value)>),
    /// What the host has written where the guest said.
    Told(Box<Value>),
    /// Nothing that could be read is there, or nothing has been written there.
    Pointer(u32),
}

impl Value {
    pub fn word(word: impl Into<String>) -> Value {
        Value::Word(word.into())
    }

    pub fn told(value: Value) -> Value {
        Value::Told(Box::new(value))
    }

    /// The first `most` of `bytes`.
    pub fn bytes(bytes: &[u8], most: usize) -> Value {
        Value::Bytes {
            head: bytes[..bytes.len().min(most)].to_vec(),
            length: bytes.len() as u64,
        }
    }
}

/// Bytes as ASCII between quotes; whatever else there is, is escaped, so that a guest cannot write
/// to the terminal through a trace.
pub fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", escaped(bytes))
}

fn escaped(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'\'' => "'".into(),
        byte => byte.escape_ascii().to_string(),
    };
    bytes.iter().map(escape).collect()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Opaque(number) => write!(f, "{number:#x}"),
            Value::Nanos(time) => write!(f, "{:?}", Duration::from_nanos(*time)),
            Value::Word(word) => f.write_str(word),
            Value::Bytes { head, length } => {
                let cut = if (head.len() as u64) < *length {
                    "..."
                } else {
                    ""
                };
                write!(f, "{}{cut}", quoted(head))
            }
            Value::List { head, length } => {
                let mut shown: Vec<String> = head.iter().map(Value::to_string).collect();
                let more = length - head.len() as u64;
                if more > 0 {
                    shown.push(format!("... {more} more"));
                }
                write!(f, "[{}]", shown.join(", "))
            }
            Value::Fields(fields) => {
                let shown = fields.iter().map(|(name, value)| format!("{name}={value}"));
                write!(f, "{{{}}}", shown.collect::<Vec<_>>().join(", "))
            }
            Value::Told(value) => match **value {
                Value::Number(_) | Value::Word(_) => write!(f, "[{value}]"),
                _ => write!(f, "{value}"),
            },
            Value::Pointer(at) => write!(f, "{at:#x}"),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Number(number) | Value::Opaque(number) | Value::Nanos(number) => {
                serializer.serialize_u64(*number)
            }
            Value::Word(word) => serializer.serialize_str(word),
            // Escaped, because JSON has no other place for bytes that are no text.
            Value::Bytes { head, length } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("bytes", &escaped(head))?;
                map.serialize_entry("length", length)?;
                map.end()
            }
            Value::List { head, length } => {
                let mut list = serializer.serialize_seq(None)?;
                for value in head {
                    list.serialize_element(value)?;
                }
                let more = length - head.len() as u64;
                if more > 0 {
                    list.serialize_element(&Value::Fields(vec![("more", Value::Number(more))]))?;
                }
                list.end()
            }
            Value::Fields(fields) => serializer.collect_map(fields.iter().map(|(k, v)| (k, v))),
            Value::Told(value) => value.serialize(serializer),
            Value::Pointer(at) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("pointer", at)?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(value: &Value) -> (String, String) {
        (value.to_string(), serde_json::to_string(value).unwrap())
    }

    #[test]
    fn bytes_are_escaped_and_cut() {
        let (text, json) = both(&Value::bytes(b"it's\n\"\x1b[2J\xff", 99));
        assert_eq!(text, r#""it's\n\"\x1b[2J\xff""#);
        assert_eq!(json, r#"{"bytes":"it's\\n\\\"\\x1b[2J\\xff","length":11}"#);
        let (text, json) = both(&Value::bytes(b"hello, world", 5));
        assert_eq!(text, r#""hello"..."#);
        assert_eq!(json, r#"{"bytes":"hello","length":12}"#);
    }

    #[test]
    fn lists_say_what_they_leave_out() {
        let list = Value::List {
            head: vec![Value::Number(1), Value::Opaque(255)],
            length: 5,
        };
        let (text, json) = both(&list);
        assert_eq!(text, "[1, 0xff, ... 3 more]");
        assert_eq!(json, r#"[1,255,{"more":3}]"#);
    }

    #[test]
    fn what_is_told_stands_in_brackets_unless_it_has_its_own() {
        let fields = Value::Fields(vec![
            ("timeout", Value::Nanos(1_500_000)),
            ("error", Value::word("NOENT")),
        ]);
        assert_eq!(both(&Value::told(fields.clone())), both(&fields));
        let json = r#"{"timeout":1500000,"error":"NOENT"}"#;
        assert_eq!(
            both(&fields),
            ("{timeout=1.5ms, error=NOENT}".into(), json.into())
        );
        let number = Value::told(Value::Number(7));
        assert_eq!(both(&number), ("[7]".into(), "7".into()));
        let pointer = Value::Pointer(4096);
        assert_eq!(
            both(&pointer),
            ("0x1000".into(), r#"{"pointer":4096}"#.into())
        );
    }
}
