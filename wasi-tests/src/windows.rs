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
