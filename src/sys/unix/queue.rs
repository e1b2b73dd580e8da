//! No queue: what is left of Unix when each of the others has taken its systems.

compile_error!("mio_wasi has no queue of events for this system; see the README's table of hosts");
