//! What Windows cannot show, or Wine (10.0) in its place. The library passes on what they say.

/// The cases that need what is lacking, and what that is.
const LACKING: &[(&str, &[&str])] = &[
    (
        "Wine tells nobody that a datagram was refused",
        &[
            "error::refused_datagram_wakes_the_reader",
            "error::refused_datagram_wakes_both",
            "error::refused_datagram_can_be_taken",
            "error::refused_datagram_spares_the_others",
            "error::silent_conditions_do_not_hide_each_other",
        ],
    ),
    (
        "Wine hands more than 1024 buffers on to Linux, which refuses them",
        &[
            "drained::short_by_too_many_buffers",
            "tcp::gather_write_of_many_slices",
            "tcp::scatter_read_of_many_buffers",
        ],
    ),
    (
        "Wine keeps the reason of a refused connect in SO_ERROR",
        &["tcp::refused_connect_tells_why"],
    ),
    (
        "after a refused connect Wine reads the end of a stream",
        &["tcp::refused_connect_then_another"],
    ),
    (
        "Wine accepts a connection that was reset without its peer's address, which std refuses",
        &["error::reset_before_accept_is_survived"],
    ),
    (
        "Windows has no table of descriptors that a process could fill",
        &["error::full_descriptor_table_is_survived"],
    ),
    (
        "Wine gives the base socket of what is no socket",
        &["register::regular_file_is_refused"],
    ),
    (
        "Windows polls a socket for its peer's end, and not for its own",
        &["error::both_closed_sets_both_flags"],
    ),
    (
        "a poll that has ended is told, although what it saw has been read since",
        &["drained::a_poll_in_between"],
    ),
];

/// Why this case cannot be shown here.
pub(crate) fn lacks(name: &str) -> Option<&'static str> {
    let holds = |(_, cases): &&(_, &[&str])| cases.contains(&name);
    let lacking = LACKING.iter().find(holds)?;
    cfg!(windows).then_some(lacking.0)
}

/// What Mio 1.2.4 fails on Windows (Wine 10.0), beside what is lacking there.
#[rustfmt::skip]
pub(crate) const UPSTREAM_DIFFERS: &[(&str, &str)] = &[
    crate::ITERATOR,
    ("edge::an_event_tells_all_that_is_ready", "an event tells of what is armed alone"),
    ("edge::directions_are_apart", "a call that would block arms both directions"),
    ("register::another_registry_is_refused", "another poll's registry may change a source"),
    ("udp::options_are_set_or_unsupported", OPTIONS),
    ("waker::wakes_become_one", "each wake is an event"),
    ("churn::events_do_not_outlive_their_source", ENDS),
    ("drained::events_left_over", ENDS),
    ("poll::errors_do_not_spoil_a_poll", ENDS),
    ("register::reregister_changes_the_interest", ENDS),
    ("register::reregister_reports_again", ENDS),
    ("timeout::idle_sources_do_not_shorten_it", ENDS),
    ("waker::self_waking_starves_no_source", ENDS),
    ("churn::polls_come_and_go", AGAIN),
    ("churn::short_connections_are_read_to_their_end", AGAIN),
    ("churn::thousand_connections_in_a_row", AGAIN),
    ("drained::deregistered_in_between", AGAIN),
    ("drained::full_reads_are_not_short", AGAIN),
    ("drained::others_are_not_concerned", AGAIN),
    ("drained::peek_in_between", AGAIN),
    ("drained::short_by_several_buffers", AGAIN),
    ("drained::take_error_in_between", AGAIN),
    ("drained::try_io_in_between", AGAIN),
    ("edge::event_after_exact_read", AGAIN),
    ("edge::event_after_short_read", AGAIN),
    ("edge::one_buffer_an_event", AGAIN),
    ("edge::peek_neither_loses_nor_spins", AGAIN),
    ("edge::try_io_arms_again", AGAIN),
    ("poll::two_polls_take_turns", AGAIN),
    ("register::closed_behind_its_back", AGAIN),
    ("register::registering_between_events", AGAIN),
    ("tcp::accept_tells_the_peer", AGAIN),
    ("tcp::gather_write_is_one_call", AGAIN),
    ("timeout::a_timeout_loses_nothing", AGAIN),
    ("timeout::an_event_ends_the_wait", AGAIN),
    ("timeout::endless_timeouts_end_with_an_event", AGAIN),
    ("udp::empty_datagrams_count", AGAIN),
    ("udp::datagrams_go_and_return", AGAIN),
    ("udp::peeking_takes_nothing", AGAIN),
    ("udp::recv_from_tells_the_sender", AGAIN),
    ("udp::writable_is_reported_once", AGAIN),
    ("waker::wake_between_events_counts", AGAIN),
];

const OPTIONS: &str = "`only_v6` expects four bytes, and panics in debug builds: Wine writes one";
const ENDS: &str = "a poll that was cancelled ends a wait, although there is no event";
const AGAIN: &str = "a socket is watched again after a call that would block, and after no other";
