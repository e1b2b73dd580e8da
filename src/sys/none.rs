//! No poller: without `os-poll` the types exist, and nothing can be made of them.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use crate::error::{ErrorKind, error};
use crate::event::Event as PublicEvent;
use crate::ready::Ready;
use crate::sys::KernelRow;
use crate::{Interest, Token};

pub(crate) type Selector = Infallible;
pub(crate) type Waker = Infallible;

/// The token is for the size: a list of nothings would have room for all there is.
#[derive(Copy, Clone)]
pub(crate) struct Event(Token, Infallible);

impl super::RawEvent for Event {
    fn token(&self) -> Token {
        self.0
    }

    fn is(&self, _: Ready) -> bool {
        match self.1 {}
    }
}

impl super::Selector for Infallible {
    type Source = Infallible;
    type Row = KernelRow;
    type Event = Event;

    fn new() -> io::Result<Self> {
        let advice = "build mio_wasi with its feature `os-poll`";
        Err(error(ErrorKind::Unsupported, "Poll::new", advice))
    }

    fn try_clone(&self) -> io::Result<Self> {
        match *self {}
    }

    fn subscribe(&self, _: Infallible, _: Token, _: Interest) -> io::Result<KernelRow> {
        match *self {}
    }

    fn modify(&self, _: &KernelRow, _: Infallible, _: Token, _: Interest) -> io::Result<()> {
        match *self {}
    }

    fn unsubscribe(&self, _: KernelRow, _: Infallible) -> io::Result<()> {
        match *self {}
    }

    fn wait(&self, _: &mut Vec<PublicEvent>, _: Option<Duration>) -> io::Result<()> {
        match *self {}
    }
}

impl super::Wake for Infallible {
    type Selector = Infallible;

    fn new(selector: &Infallible, _: Token) -> io::Result<Self> {
        match *selector {}
    }

    fn wake(&self) -> io::Result<()> {
        match *self {}
    }
}
