//! The name a program gives to a source of events.

/// A number of the program's own that comes back with each event of a source.
///
/// [`Registry::register`] ties it to a source and [`Event::token`] returns it, so that a program
/// finds the state that belongs to an event: an index into a slab, a key of a map, an address.
/// The library gives it no meaning and does not require it to be unique; two sources with one
/// token simply cannot be told apart by their events.
///
/// ```
/// use mio::Token;
///
/// const SERVER: Token = Token(0);
/// let index: usize = SERVER.into();
/// assert_eq!(index, 0);
/// ```
///
/// [`Registry::register`]: crate::Registry::register
/// [`Event::token`]: crate::event::Event::token
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub usize);

impl From<Token> for usize {
    fn from(token: Token) -> usize {
        token.0
    }
}
