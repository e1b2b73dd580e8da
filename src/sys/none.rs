//! No poller: without `os-poll` the types exist, and nothing can be made of them.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use crate::error::{ErrorKind, error};
use crate::event::Event as PublicEvent;
use crate::ready::Ready;
use crate::{Interest, Token};

#[derive(Debug)]
pub(crate) struct Selector(Infallible);

#[derive(Debug)]
pub(crate) struct Waker(Infallible);

/// The token is for the size: a list of nothings would have room for all there is.
#[derive(Copy, Clone)]
pub(crate) struct Event(Token, Infallible);

#[derive(Debug)]
pub(crate) struct Row;

impl super::Row for Row {
    const NONE: Row = Row;
}

impl super::RawEvent for Event {
    fn token(&self) -> Token {
        self.0
    }

    fn is(&self, _: Ready) -> bool {
        match self.1 {}
    }
}

impl super::Selector for Selector {
    type Source = Infallible;
    type Row = Row;
    type Event = Event;

    fn new() -> io::Result<Self> {
        let advice = "build mio_wasi with its feature `os-poll`";
        Err(error(ErrorKind::Unsupported, "Poll::new", advice))
    }

    fn try_clone(&self) -> io::Result<Self> {
        match self.0 {}
    }

    fn subscribe(&self, _: Infallible, _: Token, _: Interest) -> io::Result<Row> {
        match self.0 {}
    }

    fn modify(&self, _: &Row, _: Infallible, _: Token, _: Interest) -> io::Result<()> {
        match self.0 {}
    }

    fn unsubscribe(&self, _: Row, _: Infallible) -> io::Result<()> {
        match self.0 {}
    }

    fn wait(&self, _: &mut Vec<PublicEvent>, _: Option<Duration>) -> io::Result<()> {
        match self.0 {}
    }
}

impl super::Wake for Waker {
    type Selector = Selector;

    fn new(selector: &Selector, _: Token) -> io::Result<Self> {
        match selector.0 {}
    }

    fn wake(&self) -> io::Result<()> {
        match self.0 {}
    }
}
