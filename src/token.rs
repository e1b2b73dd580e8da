//! The name a program gives to a source of events.

/// A number of the program's own that comes back with each event of a source.
///
#[doc = include_str!("token.md")]
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub usize);

impl From<Token> for usize {
    fn from(token: Token) -> usize {
        token.0
    }
}
