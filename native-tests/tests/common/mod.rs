//! What the native tests share: a poll loop that keeps what nobody has asked for yet. Every
//! wait ends at a deadline that only a defect can reach.

use std::io;
use std::process;
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Registry, Token};

pub const DEADLINE: Duration = Duration::from_secs(20);

/// A poll whose events wait here until a test asks for them, in the order of their arrival.
pub struct Watch {
    pub poll: Poll,
    events: Events,
    seen: Vec<Event>,
}

impl Watch {
    pub fn new() -> Watch {
        static GUARD: Once = Once::new();
        GUARD.call_once(|| drop(thread::spawn(end_a_hang)));
        let poll = Poll::new().expect("a poll");
        Watch {
            poll,
            events: Events::with_capacity(64),
            seen: Vec::new(),
        }
    }

    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// The next event of `token` that satisfies `wanted`; those of it that do not are dropped.
    #[track_caller]
    pub fn expect(&mut self, token: Token, wanted: impl Fn(&Event) -> bool) -> Event {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = self
                .seen
                .iter()
                .position(|e| e.token() == token && wanted(e))
            {
                let event = self.seen.remove(found);
                self.seen.retain(|e| e.token() != token);
                return event;
            }
            assert!(
                Instant::now() < end,
                "no such event of {token:?}, only {:?}",
                self.seen
            );
            self.collect(Some(DEADLINE));
        }
    }

    #[track_caller]
    pub fn readable(&mut self, token: Token) -> Event {
        self.expect(token, Event::is_readable)
    }

    #[track_caller]
    pub fn writable(&mut self, token: Token) -> Event {
        self.expect(token, Event::is_writable)
    }

    /// Nothing has happened that was not asked for, and nothing is ready now.
    #[track_caller]
    pub fn quiet(&mut self) {
        self.collect(Some(Duration::ZERO));
        assert!(self.seen.is_empty(), "unexpected: {:?}", self.seen);
    }

    fn collect(&mut self, timeout: Option<Duration>) {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result.expect("a poll that works"),
        }
        self.seen.extend(self.events.iter().cloned());
    }
}

#[track_caller]
pub fn assert_would_block<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(
        result.expect_err("nothing is there yet").kind(),
        io::ErrorKind::WouldBlock
    );
}

/// A call that blocks although it must not hangs its test, and only the process can end it.
fn end_a_hang() {
    thread::sleep(10 * DEADLINE);
    eprintln!("a test hangs");
    process::exit(1);
}
