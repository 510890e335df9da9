"""H25 to H39: streams, limits, channels, messages and fragments of an authenticated peer.

Owns: these rows. May not know: the attacks.
"""

from __future__ import annotations

from hostile.row import Row

_HERE = "hostile/test_streams.py::"
_FRAGMENTS = "hostile/test_fragments.py::"
_COSTS = "core/test_costs.py::"
_SPANS = "core/test_packet_checker.py::"
_FULL = (_HERE + "test_a_good_sender_uses_every_byte_of_ten_windows_and_is_not_closed",)
_ANY_ORDER = "core/test_receive_stream.py::test_any_cut_order_and_overlap_gives_the_bytes_back"
_EIGHT = "core/test_credit.py::test_eight_channels_in_the_middle_of_a_large_message_all_finish"
_MANY = _FRAGMENTS + "test_a_hundred_messages_of_many_fragments_in_the_worst_order_meet_no_limit"
_RUNS = "core/test_reassembler.py::test_runs_of_any_cut_in_any_order_make_the_message"

ROWS = (
    Row(
        "H25",
        "Data above the credit of a channel or of the connection.",
        "CLOSE(FLOW_CONTROL_ERROR) before anything is stored.",
        ("INITIAL_CHANNEL_WINDOW", "INITIAL_CONNECTION_WINDOW"),
        (
            _HERE + "test_a_channel_takes_its_window_to_the_last_byte_and_no_more",
            "core/test_credit.py::test_bytes_above_a_limit_close_the_connection",
            "core/test_credit.py::test_messages_above_a_limit_by_more_than_one_close_the_connection",
        ),
        _FULL,
    ),
    Row(
        "H26",
        "Single bytes at high offsets, to be given larger windows.",
        "None: a channel's window follows what is read of it, the connection's limit ends a budget above "
        "what was "
        "read. What is above is H25.",
        ("MAX_CHANNEL_WINDOW", "MAX_CONNECTION_WINDOW", "CONNECTION_BUDGET"),
        (
            _HERE + "test_a_window_grows_by_what_is_read_and_not_by_where_bytes_lie",
            _HERE + "test_what_the_connection_is_granted_beyond_what_was_read_ends_with_the_budget",
            _COSTS + "test_one_byte_far_ahead_in_a_wide_window_takes_a_block_and_little_more",
        ),
        _FULL,
    ),
    Row(
        "H27",
        "An end that changes, data past it, an end before what came.",
        "CLOSE(FINAL_SIZE_ERROR).",
        (),
        (
            "core/test_receive_stream.py::test_a_final_size_that_changes_or_is_passed_is_an_error",
            "core/test_receive_stream.py::test_a_final_size_below_what_came_is_an_error",
            "core/test_packet_checker.py::test_ends_that_contradict_each_other_are_final_size_errors",
        ),
        (_HERE + "test_the_same_end_again_and_data_again_are_no_error",),
    ),
    Row(
        "H28",
        "Other bytes at offsets that came already.",
        "None: the first copy is delivered, never a mixture.",
        (),
        (_HERE + "test_of_two_copies_of_a_byte_the_first_is_delivered_and_no_mixture",),
        (_ANY_ORDER,),
    ),
    Row(
        "H29",
        "A gap after every byte.",
        "Above a number of disjoint spans the packet is DROP, not acknowledged, whole; what closes a gap is "
        "always taken. Contiguous pieces count as one.",
        ("MIN_RECEIVED_SPANS", "RECEIVED_SPAN_DIVISOR"),
        (
            _HERE + "test_gaps_are_kept_up_to_the_limit_and_no_packet_beyond_it_is_acknowledged",
            _SPANS + "test_more_gaps_in_a_stream_than_allowed_are_dropped",
            _SPANS + "test_beyond_a_gap_too_many_nothing_of_a_packet_matters",
            _COSTS + "test_a_packet_that_is_dropped_for_its_gaps_costs_the_same_with_many_channels",
            "core/test_receive_stream.py::test_ten_thousand_gaps_are_no_trouble",
        ),
        (_SPANS + "test_good_traffic_at_a_tenth_lost_never_meets_the_span_limit",),
    ),
    Row(
        "H30",
        "Chunks below what was read, and across it.",
        "None: trimmed, the rest is delivered, nothing stays that nobody will read.",
        (),
        (
            _HERE + "test_chunks_below_and_across_what_was_read_are_trimmed_and_go_on",
            "core/test_receive_stream.py::test_what_was_read_already_is_of_no_use",
        ),
        (_ANY_ORDER,),
    ),
    Row(
        "H31",
        "The highest channel first, a channel above the limit, every other channel.",
        "Above the limit: CLOSE(CHANNEL_LIMIT_ERROR). Channels that are left out cost nothing.",
        ("DEFAULT_MAX_STREAMS", "DEFAULT_MAX_MESSAGE_CHANNELS"),
        (
            _HERE + "test_channels_that_are_left_out_cost_nothing",
            "core/test_channel_table.py::test_any_frame_for_a_channel_above_the_limit_closes_the_connection",
            "core/test_channel_table.py::test_ids_come_and_close_in_any_order_and_none_is_used_twice",
        ),
        (_HERE + "test_every_channel_up_to_the_limit_may_be_opened_in_any_order_at_once",),
        "A queue of channels that nobody accepted needs no limit of its own: each of them holds its slot.",
    ),
    Row(
        "H32",
        "RESET or STOP of channels above the limit.",
        "CLOSE(CHANNEL_LIMIT_ERROR), by the same check as any other frame; nothing is made.",
        ("DEFAULT_MAX_STREAMS",),
        ("core/test_channel_table.py::test_any_frame_for_a_channel_above_the_limit_closes_the_connection",),
        (_HERE + "test_every_channel_up_to_the_limit_may_be_opened_in_any_order_at_once",),
    ),
    Row(
        "H33",
        "Channels that are opened and reset at once, or that this end is made to reset.",
        "A slot is free when both directions are over and the handler let go of the channel. More: "
        "CLOSE(CHANNEL_LIMIT_ERROR).",
        ("DEFAULT_MAX_STREAMS",),
        (
            _HERE + "test_a_channel_that_was_reset_keeps_its_slot_until_its_handler_lets_go",
            "core/test_channel_table.py::test_a_released_channel_gives_its_slot_back",
        ),
        (
            _HERE + "test_ten_times_as_many_channels_as_are_allowed_at_once_come_and_go_without_a_limit",
            "core/test_channel_table.py::test_a_thousand_channels_come_and_go",
        ),
        "No limit on opens a second: a request a stream is a usual way to use streams, at any rate. "
        "Handlers at once "
        "are what the attack of HTTP/2 multiplied, and these have a limit.",
    ),
    Row(
        "H34",
        "Slowness: handshakes and streams that go on by a byte.",
        "A handshake ends with its time. A stream holds its slot and 8 KiB; how many connections and "
        "channels "
        "one identity may have is the application's to say, which knows it (`conn.peer`), as the tunnel "
        "does.",
        ("HANDSHAKE_TIMEOUT", "MAX_HALF_OPEN", "DEFAULT_IDLE_TIMEOUT", "MAX_CONNECTIONS"),
        (
            _HERE + "test_a_handshake_that_goes_on_by_a_byte_a_second_ends_with_its_time",
            "protocol/test_endpoint.py::"
            "test_half_open_connections_are_forgotten_after_the_timeout_and_make_room",
        ),
        (_HERE + "test_a_handshake_over_a_path_ten_times_as_slow_as_is_usual_is_in_time",),
        "No limits by identity in the library: who is allowed how much is a rule of the application.",
    ),
    Row(
        "H35",
        "A window that stays closed, or opens by single bytes.",
        "None: a writer waits at the write limit, nothing is sent without credit, and a byte of credit costs "
        "a packet of both.",
        ("WRITE_LIMIT",),
        (
            _HERE + "test_for_each_byte_of_credit_no_more_than_a_packet_goes_and_no_more_is_held",
            _HERE + "test_a_sender_without_credit_sends_nothing_at_all",
            "e2e/test_back_pressure.py::"
            "test_a_sender_to_a_peer_that_never_reads_is_stopped_and_neither_end_grows",
        ),
        (_HERE + "test_a_reader_of_a_tenth_of_the_speed_is_waited_for",),
        "Small raises are no glitch: each costs its sender as much as it costs here. A lost raise is told "
        "again by "
        "the one who gives it, so a closed window needs no probe.",
    ),
    Row(
        "H36",
        "Very many channels that are filled and never read.",
        "Each holds its window, all together the budget; the sum of the windows may be more. What is above "
        "is H25. "
        "Other channels go on.",
        ("CONNECTION_BUDGET", "INITIAL_CHANNEL_WINDOW"),
        (
            _HERE + "test_what_the_connection_is_granted_beyond_what_was_read_ends_with_the_budget",
            _SPANS + "test_above_the_budget_a_packet_is_dropped_unacknowledged",
            "sim/test_isolation.py::test_channels_that_are_never_read_hold_up_no_other",
        ),
        ("e2e/test_one_stalled_channel.py::test_the_other_channels_finish_while_some_are_never_read",),
    ),
    Row(
        "H37",
        "Messages that are announced and not sent, the largest ones or very many.",
        "Memory follows what came. Larger than announced: CLOSE(PROTOCOL_VIOLATION). Above the credit by "
        "more than "
        "one message: CLOSE(FLOW_CONTROL_ERROR). More partial ones than a channel may have: DROP, not "
        "acknowledged.",
        ("MAX_MESSAGE_SIZE", "FRAGMENT_UNIT", "MIN_RECEIVED_SPANS"),
        (
            _FRAGMENTS + "test_memory_follows_what_came_and_not_what_was_announced",
            _FRAGMENTS + "test_the_largest_message_may_come_and_none_that_is_a_unit_larger",
            _FRAGMENTS
            + "test_partial_messages_are_kept_up_to_the_limit_and_no_packet_beyond_it_is_acknowledged",
            _SPANS + "test_a_limit_may_be_passed_by_just_one_largest_message",
            _COSTS + "test_ids_that_were_chosen_to_collide_cost_what_any_ids_do",
            _COSTS + "test_whether_a_channel_is_over_costs_the_same_with_many_gaps",
        ),
        (_EIGHT, _MANY),
        "A partial reliable message is never dropped, for parts of it were acknowledged: credit bounds it. A "
        "message is charged whole with its first fragment, so those that have begun can always finish.",
    ),
    Row(
        "H38",
        "Fragments outside their message, a count of none, a count or a size that changes.",
        "CLOSE(PROTOCOL_VIOLATION), parts of units CLOSE(FRAME_ENCODING_ERROR).",
        ("FRAGMENT_UNIT",),
        (
            _FRAGMENTS + "test_a_fragment_inside_its_message_is_taken_and_one_outside_ends_the_connection",
            "core/test_packet_checker.py::test_fragments_outside_their_message_are_violations",
            "core/test_packet_checker.py::test_a_fragment_that_is_not_whole_units_is_an_encoding_error",
        ),
        (_MANY, _RUNS),
        "The connection ends, not the message alone: such a frame is authentic, so its sender breaks the "
        "rules.",
    ),
    Row(
        "H39",
        "Fragments that overlap, with other bytes.",
        "None: the first copy of a unit is delivered. Two lengths of the last one: CLOSE(FINAL_SIZE_ERROR).",
        ("FRAGMENT_UNIT",),
        (
            _FRAGMENTS + "test_of_two_copies_of_a_fragment_the_first_is_delivered_and_no_mixture",
            "core/test_reassembler.py::test_the_first_copy_wins",
            "core/test_reassembler.py::test_a_last_unit_of_another_length_is_a_final_size_error",
        ),
        (_MANY, _RUNS),
    ),
)
