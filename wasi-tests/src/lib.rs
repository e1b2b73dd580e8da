//! The suite: what the library promises, one case for each promise.
//!
//! A case uses only what a guest in WebAssembly has: one thread, both ends of a connection in one
//! event loop, ports that the system chose, and a deadline on every wait. That is why the same
//! cases run in WasmEdge (the program `suite`), natively, and over Mio itself, which this crate's
//! sources compile against unchanged. A failed case panics.
//!
//! Whoever runs cases gives each a process of its own: one of them uses up the descriptors, and one
//! that hangs is to be ended without the others.

mod cases;
mod harness;
mod premises;
mod wasip2;
mod windows;

/// What became of a case that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// The place where it ran cannot show the promise, for this reason.
    Skipped(&'static str),
}

impl From<()> for Outcome {
    fn from((): ()) -> Outcome {
        Outcome::Passed
    }
}

/// One promise and how to test it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The file and the function, as `tcp::accept_tells_the_peer`.
    pub name: &'static str,
    /// What the host must be started with: `no-af-unix` stands for "without `--allow-af-unix`",
    /// which all other cases are run with.
    pub flags: &'static [&'static str],
    pub run: fn() -> Outcome,
}

/// Makes [`CASES`] and [`for_each_case!`] of one list, so that none can lack a case.
macro_rules! cases {
    ($($file:ident { $($name:ident $([$flag:literal])?,)* })*) => {
        /// Every case, in the order of the list.
        pub const CASES: &[Case] = &[$($(Case {
            name: concat!(stringify!($file), "::", stringify!($name)),
            flags: &[$($flag)?],
            run: || match lacks(concat!(stringify!($file), "::", stringify!($name))) {
                Some(why) => Outcome::Skipped(why),
                None => Outcome::from(cases::$file::$name()),
            },
        },)*)*];

        /// Calls `each! { file, name }` for every case, in one module for each file of cases.
        ///
        /// `each` is a `macro_rules!` macro that makes a test of a case, say: a function called
        /// `name` that looks up `concat!(stringify!($file), "::", stringify!($name))` by
        /// [`case`]. It is defined above the call, and names things by paths from a crate's root.
        #[macro_export]
        macro_rules! for_each_case {
            ($each:ident) => {
                $(mod $file { $($each! { $file, $name })* })*
            };
        }
    };
}

cases! {
    poll {
        zero_timeout_returns_at_once,
        zero_timeout_reports_what_is_ready,
        nothing_registered_waits,
        nothing_to_wait_for_is_an_error,
        no_timeout_returns_with_an_event,
        both_directions_are_one_event,
        capacity_is_kept,
        capacity_one_starves_nobody,
        many_are_ready_at_once,
        idle_sources_stay_silent,
        readiness_before_registration_counts,
        a_poll_forgets_the_one_before,
        events_are_a_collection,
        event_iterators_count_down,
        two_polls_take_turns,
        sources_outlive_their_poll,
        errors_do_not_spoil_a_poll,
        every_token_comes_back,
        everything_can_be_debugged,
    }
    register {
        twice_already_exists,
        absent_is_not_found,
        another_registry_is_refused,
        sources_move_between_polls,
        deregistered_is_silent,
        reregister_changes_the_token,
        reregister_changes_the_interest,
        reregister_reports_again,
        register_again_after_deregister,
        registry_clones_are_the_same,
        boxed_sources_register,
        own_types_are_sources,
        registering_between_events,
        bad_descriptor_never_hangs,
        regular_file_is_refused,
        closed_behind_its_back,
        descriptors_change_hands,
        listeners_are_never_writable,
    }
    edge {
        unread_data_is_reported_once,
        event_after_would_block,
        event_after_short_read,
        event_after_exact_read,
        one_buffer_an_event,
        one_accept_an_event,
        one_datagram_an_event,
        writable_is_reported_once,
        writable_again_after_full_buffer,
        event_after_short_write,
        directions_are_apart,
        an_event_tells_all_that_is_ready,
        only_what_was_asked,
        would_block_alone_arms_again,
        try_io_arms_again,
        peek_neither_loses_nor_spins,
        end_of_stream_does_not_spin,
        empty_buffers_change_nothing,
    }
    drained {
        end_with_the_data,
        end_after_the_data,
        reset_after_the_data,
        data_without_a_poll,
        data_between_the_reads,
        a_poll_in_between,
        deregistered_in_between,
        reregistered_in_between,
        watched_for_writing_alone,
        peek_in_between,
        own_end_in_between,
        try_io_in_between,
        short_by_several_buffers,
        short_by_too_many_buffers,
        full_reads_are_not_short,
        take_error_in_between,
        shutdown_in_between,
        others_are_not_concerned,
        nothing_is_inherited,
        events_left_over,
        unix_streams_are_alike,
    }
    tcp {
        accept_tells_the_peer,
        port_zero_becomes_real,
        used_port_is_refused,
        listener_binds_again_after_close,
        empty_queues_would_block,
        connect_ends_with_writable,
        refused_connect_tells_why,
        refused_connect_then_another,
        ipv6_works_throughout,
        wildcard_takes_both_families,
        gather_write_is_one_call,
        gather_write_of_many_slices,
        scatter_read_is_one_call,
        scatter_read_of_many_buffers,
        peek_tells_the_length,
        shutdown_write_keeps_reading,
        shutdown_read_keeps_writing,
        shutdown_both_ends_it,
        large_transfer_both_ways,
        two_hundred_connections_echo,
        nodelay_is_accepted,
        ttl_is_set_or_unsupported,
        no_error_to_take,
    }
    udp {
        recv_from_tells_the_sender,
        datagrams_go_and_return,
        connected_hears_its_peer_only,
        unconnected_has_no_peer,
        peeking_takes_nothing,
        empty_datagrams_count,
        long_datagrams_are_cut,
        size_has_a_limit,
        broadcast_must_be_allowed,
        ipv6_works_throughout,
        options_are_set_or_unsupported,
        used_port_is_refused,
        streams_of_datagrams_keep_order,
        try_io_arms_again,
        writable_is_reported_once,
        wildcard_receives_on_loopback,
    }
    unix {
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
        missing_flag_is_named ["no-af-unix"],
    }
    waker {
        wake_ends_the_next_poll,
        one_wake_is_one_event,
        wakes_become_one,
        wake_between_events_counts,
        both_are_reported_in_little_room,
        self_waking_starves_no_source,
        busy_sources_starve_no_wake,
        lifetimes_are_independent,
        wakers_of_two_polls_are_apart,
    }
    timeout {
        never_cut_short,
        tiny_timeouts_are_accepted,
        idle_sources_do_not_shorten_it,
        endless_timeouts_end_with_an_event,
        endless_timeouts_end_with_a_wake,
        a_timeout_loses_nothing,
        an_event_ends_the_wait,
        timeouts_may_change,
    }
    error {
        refused_datagram_wakes_the_reader,
        refused_datagram_wakes_both,
        refused_datagram_can_be_taken,
        refused_datagram_spares_the_others,
        half_closed_slow_reader_does_not_spin,
        silent_conditions_do_not_hide_each_other,
        reset_is_told_once,
        reset_before_accept_is_survived,
        data_before_the_end_is_read,
        half_close_closes_reading_only,
        both_closed_sets_both_flags,
        gone_peer_is_an_error,
        full_descriptor_table_is_survived,
    }
    churn {
        thousand_connections_in_a_row,
        waves_of_connections,
        dropped_sources_are_silent,
        events_do_not_outlive_their_source,
        numbers_are_used_again,
        one_source_comes_and_goes,
        registrations_change_under_load,
        sockets_in_changing_numbers,
        resets_in_a_row,
        polls_come_and_go,
        ends_close_at_the_same_time,
        short_connections_are_read_to_their_end,
    }
}

/// What the place where a case runs lacks for it.
fn lacks(name: &str) -> Option<&'static str> {
    wasip2::lacks(name).or_else(|| windows::lacks(name))
}

/// The faults of a hostile host that take away what `case` stands on, by that host's names.
pub fn spared(case: &Case) -> impl Iterator<Item = &'static str> {
    premises::spared(case.name)
}

/// The case of that name.
pub fn case(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

/// The cases that Mio 1.2.4 fails natively, each with the reason. All others it passes.
pub const UPSTREAM_DIFFERS: &[(&str, &str)] = if cfg!(windows) {
    windows::UPSTREAM_DIFFERS
} else if cfg!(debug_assertions) {
    &[ITERATOR]
} else {
    &[ITERATOR, REGISTRY]
};

const ITERATOR: (&str, &str) = (
    "poll::event_iterators_count_down",
    "`size_hint` and `count` of its iterator go on counting the events that were taken",
);

const REGISTRY: (&str, &str) = (
    "register::another_registry_is_refused",
    "it looks for another registry in debug builds only; epoll itself allows several",
);
