//! No queue: what is left of Unix when each of the others has taken its systems.

compile_error!(
    "mio_wasi has no queue of events for this system. It has epoll for Linux, Android and illumos, \
     kqueue for Apple's systems and the BSDs, and poll(2) for AIX, Fuchsia, Haiku, Hurd, QNX and \
     Solaris; see the README's table of targets"
);
