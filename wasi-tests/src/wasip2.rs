//! What wasm32-wasip2 cannot show, as seen with wasi-libc of 2026 on Wasmtime 48. Each is a lack of
//! theirs: the library passes on what they say.

/// The cases that need what is lacking, and what that is.
const LACKING: &[(&str, &[&str])] = &[
    (
        "wasi-libc cannot peek at what is to be received",
        &[
            "edge::peek_neither_loses_nor_spins",
            "drained::end_with_the_data",
            "drained::end_after_the_data",
            "drained::reset_after_the_data",
            "drained::data_without_a_poll",
            "drained::data_between_the_reads",
            "drained::a_poll_in_between",
            "drained::deregistered_in_between",
            "drained::reregistered_in_between",
            "drained::watched_for_writing_alone",
            "drained::peek_in_between",
            "drained::own_end_in_between",
            "drained::try_io_in_between",
            "drained::short_by_several_buffers",
            "drained::short_by_too_many_buffers",
            "drained::full_reads_are_not_short",
            "drained::take_error_in_between",
            "drained::shutdown_in_between",
            "drained::others_are_not_concerned",
            "drained::nothing_is_inherited",
            "drained::events_left_over",
            "tcp::empty_queues_would_block",
            "tcp::peek_tells_the_length",
            "udp::peeking_takes_nothing",
            "udp::ipv6_works_throughout",
        ],
    ),
    (
        "a stream is called readable before and after its data, until a read would block",
        &[
            "poll::two_polls_take_turns",
            "edge::event_after_exact_read",
            "tcp::two_hundred_connections_echo",
        ],
    ),
    (
        "a stream cannot be reset: there is no SO_LINGER",
        &[
            "error::reset_is_told_once",
            "error::reset_before_accept_is_survived",
            "churn::resets_in_a_row",
        ],
    ),
    (
        "a gather write takes one slice, and a scatter read fills one",
        &[
            "tcp::gather_write_is_one_call",
            "tcp::gather_write_of_many_slices",
            "tcp::scatter_read_is_one_call",
        ],
    ),
    (
        "a write takes 64 KiB at most",
        &["error::data_before_the_end_is_read"],
    ),
    (
        "the C library aborts when a stream whose connect was refused is asked for its address",
        &["tcp::refused_connect_tells_why"],
    ),
    (
        "a refused connect may be told by the call itself",
        &[
            "tcp::refused_connect_then_another",
            "tcp::wildcard_takes_both_families",
        ],
    ),
    (
        "neither broadcast nor multicast can be had",
        &[
            "udp::broadcast_must_be_allowed",
            "udp::options_are_set_or_unsupported",
        ],
    ),
    (
        "a refused datagram is not told",
        &["error::refused_datagram_can_be_taken"],
    ),
    (
        "poll tells no hang-up",
        &["error::both_closed_sets_both_flags"],
    ),
    (
        "the host's ports are used up before its descriptors",
        &["error::full_descriptor_table_is_survived"],
    ),
];

/// Why this case cannot be shown here.
pub(crate) fn lacks(name: &str) -> Option<&'static str> {
    let holds = |(_, cases): &&(_, &[&str])| cases.contains(&name);
    let lacking = LACKING.iter().find(holds)?;
    cfg!(target_env = "p2").then_some(lacking.0)
}
