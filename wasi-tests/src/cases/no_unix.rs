//! Unix sockets where there are none: on wasm32-wasip2 and, with Mio, on Windows.

use crate::Outcome;

const WHY: &str = if cfg!(windows) {
    "Mio has no Unix sockets on Windows"
} else {
    "wasm32-wasip2 has no Unix sockets"
};

macro_rules! skipped {
    ($($name:ident,)*) => {$(
        pub(crate) fn $name() -> Outcome {
            Outcome::Skipped(WHY)
        }
    )*};
}

skipped! {
    streams_are_alike,
    stream_echoes,
    addresses_tell_the_path,
    addresses_are_made_of_paths,
    one_accept_an_event,
    datagrams_go_by_path,
    unbound_senders_are_unnamed,
    connected_datagrams,
    missing_path_is_not_found,
    used_path_is_refused,
    long_paths_are_refused,
    gone_peer_closes_both_ways,
    shutdown_is_by_direction,
    gather_and_scatter,
    large_transfer,
    writable_again_after_full_buffer,
    writable_again_after_full_queue,
    shut_down_datagrams_do_not_spin,
    pairs_are_made_or_unsupported,
    missing_flag_is_named,
}
