//! What is behind a queue's descriptor: its rows and its users' events, and how Linux keeps them.

use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::*;

/// Each queue that is open, and those that have been closed since the last one was opened.
static QUEUES: Mutex<Vec<Arc<Queue>>> = Mutex::new(Vec::new());

/// What a descriptor refers to: its device and inode.
type File = (dev_t, ino_t);

pub(super) struct Queue {
    name: File,
    /// The other end of what the caller holds.
    far: OwnedFd,
    all: OwnedFd,
    /// One for each filter, and the bell that rings while a user's event is triggered.
    filters: [OwnedFd; 2],
    bell: OwnedFd,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// For each filter, by the descriptor's number. What Linux has forgotten may still be here.
    rows: [Vec<Option<Row>>; 2],
    users: Vec<User>,
    rows_made: u32,
    /// Who is asked first, so that none starves where there is little room.
    turn: usize,
}

#[derive(Copy, Clone)]
struct Row {
    /// Tells it from a row that this number had before.
    made: u32,
    udata: usize,
    file: File,
    socket: bool,
}

struct User {
    ident: uintptr_t,
    udata: usize,
    clear: bool,
    triggered: bool,
}

/// What a call of Linux answered, or its error's number.
fn linux(answer: c_int) -> Result<c_int, c_int> {
    match answer {
        -1 => Err(Error::last_os_error().raw_os_error().unwrap_or(EIO)),
        answer => Ok(answer),
    }
}

fn owned(answer: c_int) -> Result<OwnedFd, c_int> {
    // SAFETY: its callers hand in what a call that opens one has just answered.
    linux(answer).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What a descriptor refers to, and whether that is a socket, a pipe or another thing.
fn file(fd: RawFd) -> Result<(File, mode_t), c_int> {
    // SAFETY: the structure consists of integers, and the kernel writes one where it is told to.
    let mut status: stat = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    linux(unsafe { fstat(fd, &mut status) })?;
    Ok(((status.st_dev, status.st_ino), status.st_mode & S_IFMT))
}

/// What a descriptor is ready for now.
fn ready(fd: RawFd, events: c_short) -> c_short {
    let mut one = pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: the kernel writes to one structure, which lives through the call.
    unsafe { poll(&mut one, 1, 0) };
    one.revents
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(name: File) -> Option<Arc<Queue>> {
    lock(&QUEUES).iter().find(|q| q.name == name).cloned()
}

impl Queue {
    /// The queue that a descriptor refers to.
    pub(super) fn of(fd: RawFd) -> Option<Arc<Queue>> {
        file(fd).ok().and_then(|(name, _)| find(name))
    }

    /// kqueue(2), RETURN VALUES: "a non-negative integer file descriptor".
    pub(super) fn open() -> Result<c_int, c_int> {
        let mut queues = lock(&QUEUES);
        queues.retain(|queue| ready(queue.far.as_raw_fd(), 0) & POLLHUP == 0);
        let mut ends = [-1; 2];
        // SAFETY: the kernel writes two descriptors to `ends`.
        linux(unsafe { socketpair(AF_UNIX, SOCK_STREAM, 0, ends.as_mut_ptr()) })?;
        let [near, far] = ends.map(owned);
        let (near, far) = (near?, far?);
        // What the caller gets is left as a BSD leaves it: it outlives an `exec`.
        // SAFETY: no pointers.
        linux(unsafe { fcntl(far.as_raw_fd(), F_SETFD, FD_CLOEXEC) })?;
        // SAFETY: no pointers.
        let epoll = || owned(unsafe { epoll_create1(EPOLL_CLOEXEC) });
        // SAFETY: no pointers.
        let bell = owned(unsafe { eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) })?;
        let (all, filters) = (epoll()?, [epoll()?, epoll()?]);
        for below in filters.iter().chain([&bell]) {
            control(&all, EPOLL_CTL_ADD, below.as_raw_fd(), EPOLLIN, 0)?;
        }
        queues.push(Arc::new(Queue {
            name: file(near.as_raw_fd())?.0,
            far,
            all,
            filters,
            bell,
            state: Mutex::default(),
        }));
        Ok(near.into_raw_fd())
    }

    pub(super) fn change(&self, change: &kevent) -> Result<(), c_int> {
        let known = EV_ADD | EV_DELETE | EV_CLEAR | EV_RECEIPT;
        let unknown = change.flags & !known;
        assert_eq!(unknown, 0, "flags that are not modelled: {change:?}");
        let both = EV_ADD | EV_DELETE;
        assert_ne!(change.flags & both, both, "there, or not: {change:?}");
        match change.filter {
            EVFILT_READ => self.descriptor(0, change),
            EVFILT_WRITE => self.descriptor(1, change),
            EVFILT_USER => self.user(change),
            // ERRORS, [EINVAL]: "The specified time limit or filter is invalid".
            _ => panic!("no such filter: {change:?}"),
        }
    }

    /// A change of a row of `EVFILT_READ` (0) or `EVFILT_WRITE` (1).
    fn descriptor(&self, filter: usize, change: &kevent) -> Result<(), c_int> {
        assert_eq!(change.fflags, 0, "no low water mark is modelled");
        let fd = change.ident as RawFd;
        // ERRORS, [EBADF]: "The specified descriptor is invalid", of a row that is to go, too.
        let (file, kind) = file(fd)?;
        let queue = &self.filters[filter];
        let mut state = lock(&self.state);
        if change.flags & EV_DELETE != 0 {
            // ERRORS, [ENOENT]: "The event could not be found to be modified or deleted".
            return control(queue, EPOLL_CTL_DEL, watched(fd, file), 0, 0);
        }
        assert_ne!(change.flags & EV_ADD, 0, "a change of nothing: {change:?}");
        // EVFILT_READ takes a queue. EVFILT_WRITE names sockets, pipes, fifos and devices.
        if filter == 1 && find(file).is_some() {
            return Err(EINVAL);
        }
        state.rows_made += 1;
        let made = state.rows_made;
        // EV_CLEAR: "After the event is retrieved by the user, its state is reset".
        let edge = if change.flags & EV_CLEAR != 0 {
            EPOLLET
        } else {
            0
        };
        let events = edge | [EPOLLIN | EPOLLRDHUP, EPOLLOUT][filter];
        let data = u64::from(made) << 32 | fd as u64;
        // EV_ADD: "Re-adding an existing event will modify the parameters of the original event,
        // and not result in a duplicate entry." What is ready then is reported again.
        let fd_below = watched(fd, file);
        match control(queue, EPOLL_CTL_ADD, fd_below, events, data) {
            Err(EEXIST) => control(queue, EPOLL_CTL_MOD, fd_below, events, data)?,
            result => result?,
        }
        let rows = &mut state.rows[filter];
        if rows.len() <= fd as usize {
            // In steps, so that what is counted does not depend on what others have open.
            rows.resize((fd as usize + 1).next_multiple_of(1024), None);
        }
        rows[fd as usize] = Some(Row {
            made,
            udata: change.udata as usize,
            file,
            socket: kind == S_IFSOCK,
        });
        // Where nobody reads from the pipe any more, macOS has been seen to say so and to watch it
        // all the same (tokio-rs/mio#582). FreeBSD says so, and its manual does not.
        let broken = filter == 1 && kind == S_IFIFO && ready(fd, POLLOUT) & POLLERR != 0;
        if broken { Err(EPIPE) } else { Ok(()) }
    }

    /// EVFILT_USER: "Establishes a user event identified by ident which is not associated with any
    /// kernel mechanism but is triggered by user level code."
    fn user(&self, change: &kevent) -> Result<(), c_int> {
        let trigger = change.fflags & NOTE_TRIGGER != 0;
        assert_eq!(
            change.fflags & !NOTE_TRIGGER,
            0,
            "no such notes are modelled"
        );
        let mut state = lock(&self.state);
        let users = &mut state.users;
        let clear = change.flags & EV_CLEAR != 0;
        match users.iter().position(|user| user.ident == change.ident) {
            None if change.flags & EV_ADD == 0 => return Err(ENOENT),
            None => users.push(User {
                ident: change.ident,
                udata: change.udata as usize,
                clear,
                triggered: trigger,
            }),
            Some(at) if change.flags & EV_DELETE != 0 => drop(users.swap_remove(at)),
            Some(at) => {
                let user = &mut users[at];
                user.udata = change.udata as usize;
                // NOTE_TRIGGER: "Cause the event to be triggered." EV_CLEAR resets it in the same
                // breath (FreeBSD, sys/kern/kern_event.c, `filt_usertouch`).
                user.triggered = (user.triggered || trigger) && !clear;
            }
        }
        self.ring(&state);
        Ok(())
    }

    /// Lets the bell say whether an event of a user's is triggered.
    fn ring(&self, state: &State) {
        let mut count = 1_u64;
        let (bell, at) = (self.bell.as_raw_fd(), (&raw mut count).cast());
        if state.users.iter().any(|user| user.triggered) {
            // SAFETY: the kernel reads 8 bytes, which `count` has.
            unsafe { write(bell, at, 8) };
        } else {
            // SAFETY: the kernel writes 8 bytes, which `count` has.
            unsafe { read(bell, at, 8) };
        }
    }

    /// `timeout`: null "waits indefinitely", a zero one "will effect a poll".
    pub(super) fn wait(&self, room: &mut Room, timeout: Option<Duration>) -> Result<(), c_int> {
        let mut end = None;
        loop {
            self.collect(room);
            // The time begins where there is nothing yet, so that the shortest wait is one.
            let left = timeout.map(|timeout| {
                let now = Instant::now();
                end.get_or_insert(now + timeout)
                    .saturating_duration_since(now)
            });
            if room.filled > 0 || left == Some(Duration::ZERO) {
                return Ok(());
            }
            let left = left.map(|left| timespec {
                tv_sec: left.as_secs() as time_t,
                tv_nsec: left.subsec_nanos().into(),
            });
            let left = left.as_ref().map_or(ptr::null(), ptr::from_ref);
            let mut one = epoll_event { events: 0, u64: 0 };
            // ERRORS, [EINTR]: "A signal was delivered before the timeout expired and before any
            // events were placed on the kqueue for return."
            // SAFETY: what the pointers lead to lives through the call.
            linux(unsafe { epoll_pwait2(self.all.as_raw_fd(), &mut one, 1, left, ptr::null()) })?;
        }
    }

    fn collect(&self, room: &mut Room) {
        let mut state = lock(&self.state);
        state.turn += 1;
        for place in 0..3 {
            match (state.turn + place) % 3 {
                2 => self.collect_users(&mut state, room),
                filter => self.collect_rows(&state, filter, room),
            }
        }
    }

    fn collect_users(&self, state: &mut State, room: &mut Room) {
        for user in state.users.iter_mut().filter(|user| user.triggered) {
            if room.left() == 0 {
                return;
            }
            user.triggered = !user.clear;
            room.push(kevent {
                ident: user.ident,
                filter: EVFILT_USER,
                flags: if user.clear { EV_CLEAR } else { 0 },
                fflags: 0,
                data: 0,
                udata: user.udata as *mut c_void,
            });
        }
        self.ring(state);
    }

    fn collect_rows(&self, state: &State, filter: usize, room: &mut Room) {
        const MOST: usize = 512;
        let mut list = [epoll_event { events: 0, u64: 0 }; MOST];
        let most = room.left().min(MOST) as c_int;
        let (queue, to) = (self.filters[filter].as_raw_fd(), list.as_mut_ptr());
        // SAFETY: the kernel writes no more than `most` events, for which there is room. A room of
        // 0 is an error, which is no event either.
        let count = unsafe { epoll_wait(queue, to, most, 0) };
        for event in &list[..count.max(0) as usize] {
            let (fd, made) = (event.u64 as u32 as RawFd, (event.u64 >> 32) as u32);
            let row = state.rows[filter].get(fd as usize).copied().flatten();
            // EV_DELETE: "Events which are attached to file descriptors are automatically deleted
            // on the last close of the descriptor", whatever else refers to its file.
            let there = |row: &Row| row.made == made && file(fd).is_ok_and(|(f, _)| f == row.file);
            if let Some(row) = row.filter(there) {
                room.push(event_of(filter, fd, &row, event.events as c_int));
            }
        }
    }
}

/// What Linux is to watch for a descriptor: of a queue, what is below it.
fn watched(fd: RawFd, file: File) -> RawFd {
    find(file).map_or(fd, |queue| queue.all.as_raw_fd())
}

fn control(
    queue: &OwnedFd,
    operation: c_int,
    fd: RawFd,
    events: c_int,
    data: u64,
) -> Result<(), c_int> {
    let mut event = epoll_event {
        events: events as u32,
        u64: data,
    };
    // SAFETY: `event` lives through the call.
    linux(unsafe { epoll_ctl(queue.as_raw_fd(), operation, fd, &mut event) }).map(drop)
}

fn event_of(filter: usize, fd: RawFd, row: &Row, bits: c_int) -> kevent {
    let any = |mask: c_int| bits & mask != 0;
    let ended = if filter == 0 {
        // EVFILT_READ, sockets: "If the read direction of the socket has shutdown, then the filter
        // also sets EV_EOF in flags"; pipes: "When the last writer disconnects".
        any(EPOLLRDHUP | EPOLLHUP)
    } else {
        // EVFILT_WRITE: "the filter will set EV_EOF when the reader disconnects".
        any(EPOLLHUP) || (any(EPOLLERR) && !row.socket)
    };
    // "and returns the socket error (if any) in fflags".
    let broken = ended && row.socket && any(EPOLLERR);
    kevent {
        ident: fd as uintptr_t,
        filter: [EVFILT_READ, EVFILT_WRITE][filter],
        flags: EV_CLEAR | if ended { EV_EOF } else { 0 },
        fflags: if broken { EIO as u32 } else { 0 },
        data: 0,
        udata: row.udata as *mut c_void,
    }
}
