//! What passes between the library and its host, as a test wants to see and to say it.

use wasi::{
    EVENTTYPE_CLOCK, EVENTTYPE_FD_READ, EVENTTYPE_FD_WRITE, Errno, EventFdReadwrite, Fd,
    Subscription,
};

/// A subscription.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Row {
    Clock(u64),
    Read(Fd),
    Write(Fd),
}

pub fn decode(subscription: &Subscription) -> Row {
    // SAFETY: the tag says which member of the union was written.
    unsafe {
        match subscription.u.tag {
            tag if tag == EVENTTYPE_CLOCK.raw() => Row::Clock(subscription.u.u.clock.timeout),
            tag if tag == EVENTTYPE_FD_READ.raw() => {
                Row::Read(subscription.u.u.fd_read.file_descriptor)
            }
            tag if tag == EVENTTYPE_FD_WRITE.raw() => {
                Row::Write(subscription.u.u.fd_write.file_descriptor)
            }
            tag => panic!("the host knows no subscription of kind {tag}"),
        }
    }
}

pub fn event(userdata: u64, error: Errno) -> wasi::Event {
    wasi::Event {
        userdata,
        error,
        type_: EVENTTYPE_FD_READ,
        fd_readwrite: EventFdReadwrite {
            nbytes: 1,
            flags: 0,
        },
    }
}
