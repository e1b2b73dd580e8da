//! The model of kevent, held to the manuals that it cites, and what the library does over it that
//! no other test sees. Built only with `--cfg mio_kqueue_model`.
#![cfg(mio_kqueue_model)]

mod library;
#[path = "../../kevent/mod.rs"]
mod model;

use std::io::{Error, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use mio::unix::pipe;
use model::*;

const NONE: timespec = timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
const EDGE: u16 = EV_ADD | EV_CLEAR;

/// A queue, by the bare calls.
struct Queue(OwnedFd);

impl Queue {
    fn new() -> Queue {
        // SAFETY: the call answers a new descriptor.
        let queue = unsafe { OwnedFd::from_raw_fd(kqueue()) };
        assert!(queue.as_raw_fd() >= 0);
        Queue(queue)
    }

    /// The call: its events, or its error's number.
    fn call(
        &self,
        changes: &[kevent],
        room: usize,
        timeout: Option<timespec>,
    ) -> Result<Vec<kevent>, i32> {
        let mut events = Vec::with_capacity(room);
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        let (list, count) = (changes.as_ptr(), changes.len() as c_int);
        let (fd, to) = (self.0.as_raw_fd(), events.as_mut_ptr());
        // SAFETY: the lists are as long as said.
        let filled = unsafe { kevent(fd, list, count, to, room as c_int, timeout) };
        if filled < 0 {
            return Err(Error::last_os_error().raw_os_error().expect("a number"));
        }
        assert!(filled as usize <= room);
        // SAFETY: so many have been written.
        unsafe { events.set_len(filled as usize) };
        Ok(events)
    }

    fn change(&self, change: kevent) -> Result<(), i32> {
        self.call(&[change], 0, Some(NONE)).map(drop)
    }

    /// What is there now: filter, data of the user's and flags but `EV_CLEAR`.
    fn take(&self) -> Vec<(i16, usize, u16)> {
        let events = self.call(&[], 16, Some(NONE)).expect("events");
        let brief = |e: &kevent| (e.filter, e.udata as usize, e.flags & !EV_CLEAR);
        let mut events: Vec<_> = events.iter().map(brief).collect();
        events.sort_unstable();
        events
    }
}

fn row(fd: &impl AsRawFd, filter: i16, flags: u16, udata: usize) -> kevent {
    kevent {
        ident: fd.as_raw_fd() as usize,
        filter,
        flags,
        fflags: 0,
        data: 0,
        udata: udata as *mut c_void,
    }
}

fn user(ident: RawFd, flags: u16, fflags: u32, udata: usize) -> kevent {
    kevent {
        fflags,
        ..row(&ident, EVFILT_USER, flags, udata)
    }
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair")
}

#[test]
fn each_change_has_a_receipt_and_nothing_else_comes_with_them() {
    let (queue, other, (near, mut far)) = (Queue::new(), Queue::new(), pair());
    far.write_all(b"x").expect("room");
    queue
        .change(row(&near, EVFILT_READ, EDGE, 1))
        .expect("a socket");
    let changes = [
        row(&near, EVFILT_WRITE, EDGE | EV_RECEIPT, 2),
        row(&-1, EVFILT_READ, EDGE, 3),
        row(&near, EVFILT_WRITE, EV_DELETE | EV_RECEIPT, 4),
        row(&near, EVFILT_WRITE, EV_DELETE, 5),
        row(&other.0, EVFILT_WRITE, EDGE, 6),
        user(9, 0, NOTE_TRIGGER, 7),
    ];
    let receipts = queue.call(&changes, 16, None).expect("receipts");
    let brief = |e: &kevent| (e.udata as usize, e.flags, e.data as i32);
    assert_eq!(
        receipts.iter().map(brief).collect::<Vec<_>>(),
        [
            (2, EV_ERROR, 0),
            (3, EV_ERROR, EBADF),
            (4, EV_ERROR, 0),
            (5, EV_ERROR, ENOENT),
            (6, EV_ERROR, EINVAL),
            (7, EV_ERROR, ENOENT),
        ]
    );
    assert_eq!(queue.take(), [(EVFILT_READ, 1, 0)]);
}

#[test]
fn without_room_an_error_is_the_calls_and_a_receipt_its_end() {
    let (queue, (near, _far)) = (Queue::new(), pair());
    let bad = row(&-1, EVFILT_READ, EDGE, 1);
    let good = row(&near, EVFILT_WRITE, EDGE, 2);
    assert_eq!(queue.call(&[bad, good], 0, None).unwrap_err(), EBADF);
    assert_eq!(queue.take(), []);
    let receipt = row(&near, EVFILT_READ, EDGE | EV_RECEIPT, 3);
    assert!(
        queue
            .call(&[receipt, good], 0, None)
            .expect("no error")
            .is_empty()
    );
    assert_eq!(queue.take(), [], "what came after it was not looked at");
}

#[test]
fn the_lists_may_be_one() {
    let (queue, (near, _far)) = (Queue::new(), pair());
    let mut list = [
        row(&near, EVFILT_READ, EDGE | EV_RECEIPT, 1),
        row(&near, EVFILT_WRITE, EDGE | EV_RECEIPT, 2),
    ];
    let at = list.as_mut_ptr();
    // SAFETY: both lists are `list`.
    let count = unsafe { kevent(queue.0.as_raw_fd(), at, 2, at, 2, ptr::null()) };
    assert_eq!(
        (count, list[0].flags, list[1].flags),
        (2, EV_ERROR, EV_ERROR)
    );
    assert_eq!(queue.take(), [(EVFILT_WRITE, 2, 0)]);
}

#[test]
fn clear_makes_edges() {
    let (queue, (near, mut far)) = (Queue::new(), pair());
    far.write_all(b"x").expect("room");
    queue
        .change(row(&near, EVFILT_READ, EV_ADD, 1))
        .expect("a socket");
    for _ in 0..3 {
        assert_eq!(queue.take(), [(EVFILT_READ, 1, 0)]);
    }
    queue
        .change(row(&near, EVFILT_READ, EDGE, 1))
        .expect("a socket");
    assert_eq!(queue.take(), [(EVFILT_READ, 1, 0)]);
    assert_eq!(queue.take(), []);
    far.write_all(b"x").expect("room");
    assert_eq!(queue.take(), [(EVFILT_READ, 1, 0)]);
    assert_eq!(queue.take(), []);
}

#[test]
fn the_filters_are_apart() {
    let (queue, (near, mut far)) = (Queue::new(), pair());
    queue
        .change(row(&near, EVFILT_WRITE, EDGE, 1))
        .expect("a socket");
    queue
        .change(row(&near, EVFILT_READ, EDGE, 2))
        .expect("a socket");
    assert_eq!(queue.take(), [(EVFILT_WRITE, 1, 0)]);
    far.write_all(b"x").expect("room");
    assert_eq!(queue.take(), [(EVFILT_READ, 2, 0)]);
    queue
        .change(row(&near, EVFILT_READ, EV_DELETE, 0))
        .expect("it is there");
    far.write_all(b"x").expect("room");
    assert_eq!(queue.take(), []);
    queue
        .change(row(&near, EVFILT_WRITE, EDGE, 3))
        .expect("it is there");
    assert_eq!(
        queue.take(),
        [(EVFILT_WRITE, 3, 0)],
        "no second entry, and what is ready again"
    );
}

#[test]
fn ends_are_told_with_the_filter_whose_end_it_is() {
    let (queue, (near, mut far)) = (Queue::new(), pair());
    queue
        .change(row(&near, EVFILT_WRITE, EDGE, 1))
        .expect("a socket");
    queue
        .change(row(&near, EVFILT_READ, EDGE, 2))
        .expect("a socket");
    queue.take();
    far.write_all(b"last").expect("room");
    far.shutdown(std::net::Shutdown::Write).expect("connected");
    // With data before the end; and Linux finds room to write at the same time.
    let told = queue.take();
    assert!(told.contains(&(EVFILT_READ, 2, EV_EOF)), "{told:?}");
    assert!(!told.contains(&(EVFILT_WRITE, 1, EV_EOF)), "{told:?}");
    drop(far);
    assert_eq!(
        queue.take(),
        [(EVFILT_WRITE, 1, EV_EOF), (EVFILT_READ, 2, EV_EOF)]
    );
    assert_eq!(queue.take(), []);
}

#[test]
fn pipes_end_without_an_error_and_a_reset_has_one() {
    let queue = Queue::new();
    let (sender, receiver) = pipe::new().expect("a pipe");
    queue
        .change(row(&sender, EVFILT_WRITE, EDGE, 1))
        .expect("a pipe");
    assert_eq!(queue.take(), [(EVFILT_WRITE, 1, 0)]);
    drop(receiver);
    let events = queue.call(&[], 4, None).expect("events");
    assert_eq!((events[0].flags & EV_EOF, events[0].fflags), (EV_EOF, 0));
    let again = queue.change(row(&sender, EVFILT_WRITE, EDGE, 1));
    assert_eq!(again, Err(EPIPE), "nobody reads from it");
    assert_eq!(queue.take(), [(EVFILT_WRITE, 1, EV_EOF)]);

    // What is closed with unread bytes resets its connection.
    let (near, mut far) = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let near = std::net::TcpStream::connect(listener.local_addr().expect("bound"));
        (near.expect("connected"), listener.accept().expect("it").0)
    };
    queue
        .change(row(&near, EVFILT_READ, EDGE, 2))
        .expect("a socket");
    (&near).write_all(b"x").expect("room");
    far.set_read_timeout(Some(Duration::from_secs(20)))
        .expect("set");
    while far.peek(&mut [0; 1]).expect("a byte") == 0 {}
    drop(far.write(b""));
    drop(far);
    let events = queue.call(&[], 4, None).expect("events");
    assert_eq!(events[0].flags & EV_EOF, EV_EOF);
    assert_ne!(events[0].fflags, 0);
}

/// Whatever else refers to the file: a duplicate, or a number that is given away anew.
#[test]
fn closing_takes_the_rows_along() {
    let (queue, (near, mut far)) = (Queue::new(), pair());
    queue
        .change(row(&near, EVFILT_READ, EDGE, 1))
        .expect("a socket");
    let kept = near.try_clone().expect("a duplicate");
    drop(near);
    far.write_all(b"x").expect("room");
    assert_eq!(queue.take(), []);
    let gone = row(&kept, EVFILT_READ, EV_DELETE, 0);
    assert_eq!(queue.change(gone), Err(ENOENT));
}

#[test]
fn a_users_event_comes_when_it_is_triggered() {
    let queue = Queue::new();
    assert_eq!(queue.change(user(1, 0, NOTE_TRIGGER, 5)), Err(ENOENT));
    queue.change(user(1, EDGE, 0, 5)).expect("added");
    queue.change(user(2, EV_ADD, 0, 6)).expect("added");
    assert_eq!(queue.take(), []);
    queue.change(user(1, 0, NOTE_TRIGGER, 5)).expect("there");
    queue.change(user(1, 0, NOTE_TRIGGER, 7)).expect("there");
    assert_eq!(
        queue.take(),
        [(EVFILT_USER, 7, 0)],
        "once, with the last word's data"
    );
    assert_eq!(queue.take(), []);
    queue.change(user(2, 0, NOTE_TRIGGER, 6)).expect("there");
    for _ in 0..3 {
        assert_eq!(
            queue.take(),
            [(EVFILT_USER, 6, 0)],
            "without EV_CLEAR it stays"
        );
    }
    queue.change(user(2, EV_DELETE, 0, 0)).expect("there");
    queue
        .change(user(1, EV_CLEAR, NOTE_TRIGGER, 5))
        .expect("there");
    assert_eq!(queue.take(), [], "EV_CLEAR has taken it back");
}

#[test]
fn waits_end_by_an_event_or_by_the_time() {
    let queue = Queue::new();
    queue.change(user(1, EDGE, 0, 5)).expect("added");
    let wait = timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    let start = Instant::now();
    assert!(queue.call(&[], 4, Some(wait)).expect("no error").is_empty());
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(
        queue
            .call(&[], 0, None)
            .expect("no room is no wait")
            .is_empty()
    );
    let twin = Queue(queue.0.as_fd().try_clone_to_owned().expect("a duplicate"));
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(5));
            twin.change(user(1, 0, NOTE_TRIGGER, 5)).expect("there");
        });
        assert_eq!(queue.call(&[], 4, None).expect("an event").len(), 1);
    });
}

#[test]
fn nothing_starves_where_there_is_little_room() {
    let (queue, (near, mut far)) = (Queue::new(), pair());
    far.write_all(b"x").expect("room");
    for change in [
        row(&near, EVFILT_READ, EV_ADD, 1),
        row(&near, EVFILT_WRITE, EV_ADD, 2),
        user(1, EV_ADD, NOTE_TRIGGER, 3),
    ] {
        queue.change(change).expect("added");
    }
    let mut seen = [0; 4];
    for _ in 0..30 {
        let events = queue.call(&[], 1, Some(NONE)).expect("events");
        seen[events[0].udata as usize] += 1;
    }
    assert_eq!(seen, [0, 10, 10, 10]);
}

#[test]
fn a_call_that_no_system_takes_panics() {
    let (queue, (near, _far)) = (Queue::new(), pair());
    let refused = |what: &str, call: &dyn Fn()| {
        let result = catch_unwind(AssertUnwindSafe(call));
        assert!(result.is_err(), "{what} was taken");
    };
    let wait = |tv_sec, tv_nsec| {
        let timeout = timespec { tv_sec, tv_nsec };
        queue
            .change(user(1, EV_ADD, NOTE_TRIGGER, 0))
            .expect("added");
        drop(queue.call(&[], 1, Some(timeout)));
    };
    wait(100_000_000, 0);
    refused("a long wait", &|| wait(100_000_001, 0));
    refused("a negative wait", &|| wait(-1, 0));
    refused("nanoseconds", &|| wait(0, 1_000_000_000));
    refused("half a microsecond", &|| wait(0, 500));
    for (filter, flags) in [
        (-99, EDGE),
        // Such rows are made by the requests themselves (FreeBSD, aio(4)).
        (EVFILT_AIO, EDGE),
        (EVFILT_READ, EV_ADD | EV_DELETE),
        (EVFILT_READ, 0),
    ] {
        let change = row(&near, filter, flags, 0);
        refused("a change", &|| _ = queue.change(change));
    }
    let socket = Queue(near.as_fd().try_clone_to_owned().expect("a duplicate"));
    refused("a socket", &|| drop(socket.take()));
}
