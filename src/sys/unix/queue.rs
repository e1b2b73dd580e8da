//! No queue: what is left of Unix when each of the others has taken its systems.

compile_error!(
    "mio_wasi has no queue of events for this system. It runs on Linux, Android and illumos \
     (epoll), Apple's systems, FreeBSD, NetBSD, OpenBSD and DragonFly (kqueue), Solaris, Haiku and \
     Hurd (poll(2)), and in guests of WASI; see the README's table of hosts"
);
