"""H1 to H13: before authentication.

Owns: these rows. May not know: the attacks.
"""

from __future__ import annotations

from hostile.row import Row

_HERE = "hostile/test_before_authentication.py::"
_RETRY = "protocol/test_retry.py::"
_ADMISSION = "protocol/test_admission.py::"
_SPACE = "protocol/test_handshake_space.py::"
_PACKETS = "protocol/test_handshake_packets.py::"
_REFUSALS = "security/test_handshake_refusals.py::"

ROWS = (
    Row(
        "H1",
        "First packets in the name of somebody else, so that the answers go there.",
        "Smaller ones than a full first packet: DROP. Others get at most three times their size until the "
        "address is proved.",
        ("MIN_INITIAL_DATAGRAM_SIZE", "AMPLIFICATION_FACTOR"),
        (
            _HERE + "test_a_first_packet_of_one_byte_too_little_is_dropped_and_a_full_one_is_answered",
            "protocol/test_amplification.py::test_a_handshake_that_never_goes_on",
            "protocol/test_amplification.py::test_everything_at_once",
        ),
        (_HERE + "test_flights_of_ten_times_the_usual_size_pass",),
    ),
    Row(
        "H2",
        "A flood of handshakes, of one host or of many.",
        "RETRY above a burst, a rate, or an eighth of the half-open limits; with a proved address limits of "
        "its network: DROP. When all places are taken a proved newcomer gets that of the oldest half-open "
        "connection of the network that has the most; the last part of the rate of all is for networks with "
        "few handshakes lately. A half-open connection ends after its time.",
        (
            "RETRY_FREE_BURST",
            "RETRY_FREE_RATE",
            "RETRY_SHARE",
            "MAX_HALF_OPEN",
            "MAX_HALF_OPEN_PER_ADDRESS",
            "MAX_HANDSHAKE_RATE",
            "MAX_HANDSHAKE_RATE_PER_ADDRESS",
            "SHARED_PREFIX_BITS",
            "HALF_OPEN_GRACE",
            "QUIET_BURST",
            "QUIET_RATE",
            "MAX_RATED_PREFIXES",
            "HANDSHAKE_TIMEOUT",
        ),
        (
            _HERE + "test_half_open_connections_hold_less_than_64_kib_each_and_are_gone_after_their_time",
            _ADMISSION + "test_through_a_flood_of_spoofed_knocks_a_client_connects_within_two_seconds",
            _ADMISSION + "test_hosts_that_take_all_places_and_go_silent_lock_nobody_out",
            _ADMISSION + "test_full_is_full_with_or_without_a_token",
            _ADMISSION + "test_one_network_begins_so_many_handshakes_a_second",
        ),
        (
            _ADMISSION + "test_clients_at_ten_times_the_usual_rate_connect_without_delay",
            _ADMISSION + "test_a_server_that_restarts_takes_all_its_clients_at_once",
        ),
        "256 half-open connections of one address and 50 handshakes a second, where WireGuard has 20 a "
        "second: "
        "behind one address may be a company whose server has restarted. A Retry is asked for from 32 on.",
    ),
    Row(
        "H3",
        "Tokens of a Retry that are made up, stolen, used twice, or kept for later.",
        "DROP: a token is for one address, port, first id and server's id, for its time, once.",
        ("RETRY_TOKEN_LIFETIME", "RETRY_KEY_LIFETIME", "MAX_SPENT_TOKENS", "MAX_TOKEN_SIZE"),
        (
            _RETRY + "test_a_token_of_another_address_port_id_or_time_is_none",
            _RETRY + "test_a_token_is_taken_once",
            _RETRY + "test_no_more_are_taken_than_can_be_remembered",
            _RETRY + "test_a_token_replayed_while_or_after_the_connection_is_there_makes_no_other",
        ),
        (_RETRY + "test_ten_times_the_usual_rate_of_handshakes_never_fills_the_memory_of_spent_tokens",),
        "30 s and not 10: a client takes one Retry only, so its token must outlive a dark time.",
    ),
    Row(
        "H4",
        "What looks like a first packet and does not open, and packets behind the first in one datagram.",
        "DROP before anything is allocated; there is one packet a datagram.",
        ("MAX_RATED_PREFIXES",),
        (
            _HERE + "test_ignored_first_packets_leave_nothing_behind_however_many_they_are",
            _ADMISSION + "test_a_storm_of_datagrams_that_come_to_nothing_costs_no_memory",
        ),
        ("protocol/test_handshake_space.py::test_any_loss_and_order_gets_everything_across",),
    ),
    Row(
        "H5",
        "Application packets for a connection that has no keys yet.",
        "The first few wait for the end of the handshake, then DROP.",
        ("MAX_EARLY_PACKETS",),
        ("protocol/test_handshaking.py::test_ten_early_packets_wait_and_no_more",),
        ("protocol/test_endpoint.py::test_application_packets_that_come_early_wait_for_the_handshake",),
    ),
    Row(
        "H6",
        "Handshake bytes without end, far ahead of those that are there, or with many gaps between them; "
        "challenges without end, and answers that are never acknowledged.",
        "Beyond what any handshake needs: CLOSE(HANDSHAKE_BUFFER_EXCEEDED). Too far ahead, or too many gaps: "
        "DROP, not acknowledged. With so many packets unacknowledged no other goes. After the handshake: "
        "CLOSE(PROTOCOL_VIOLATION).",
        (
            "MAX_HANDSHAKE_BUFFER",
            "MAX_HANDSHAKE_BUFFER_AFTER",
            "MAX_HANDSHAKE_SPANS",
            "MAX_HANDSHAKE_UNACKED",
        ),
        (
            _HERE + "test_handshake_bytes_up_to_the_limit_are_borne_and_one_more_ends_the_attempt",
            _SPACE + "test_bytes_out_of_order_are_held_up_to_a_limit_and_then_not_acknowledged",
            _SPACE + "test_bytes_behind_many_gaps_are_as_if_lost_until_gaps_are_filled",
            _SPACE + "test_a_peer_that_acknowledges_nothing_is_sent_so_many_packets_and_no_more",
            "core/test_control.py::test_a_frame_of_the_handshake_is_a_violation",
        ),
        (
            _HERE + "test_flights_of_ten_times_the_usual_size_pass",
            _SPACE + "test_ten_times_the_loss_disorder_and_copies_of_a_bad_path_meet_no_limit",
        ),
    ),
    Row(
        "H7",
        "Parameters, frames and integers that are malformed, cut off or unknown; packets that are much work.",
        "In a handshake packet: DROP, for anybody can seal it; one that is larger than a peer makes them is "
        "not opened, of one with more frames none is made, and until an address is proved it has a rate. "
        "In an application packet: "
        "CLOSE(FRAME_ENCODING_ERROR). Parameters, once their sender has proved himself: "
        "CLOSE(PARAMETER_ERROR).",
        (
            "MAX_PARAMETERS_SIZE",
            "MAX_HANDSHAKE_PACKET_SIZE",
            "MAX_HANDSHAKE_FRAMES",
            "HANDSHAKE_PACKET_BURST",
            "HANDSHAKE_PACKET_RATE",
        ),
        (
            "core/test_frames.py::test_every_cut_of_a_frame_is_an_encoding_error",
            "core/test_frames.py::test_arbitrary_bytes_give_frames_or_a_protocol_error",
            "protocol/test_handshaking.py::test_malformed_parameters_are_an_error",
            "protocol/test_parameters.py::test_only_a_protocol_error_leaves_the_decoder",
            _HERE + "test_parameters_are_not_looked_at_before_their_sender_has_proved_himself",
            _PACKETS + "test_a_packet_larger_than_a_peer_makes_them_is_nothing",
            _PACKETS + "test_a_packet_of_more_frames_than_a_peer_makes_is_nothing",
            "protocol/test_handshaking.py::test_packets_of_an_address_that_is_not_proved_have_a_rate",
        ),
        (
            _HERE + "test_a_hundred_unknown_parameters_are_no_harm",
            "protocol/test_handshaking.py::test_ten_copies_of_every_packet_of_a_large_hello_meet_no_rate",
        ),
    ),
    Row(
        "H8",
        "What is right in another state: data or HANDSHAKE_DONE before authentication, parts of the "
        "handshake "
        "left out or in another order.",
        "Application frames under handshake keys: DROP. HANDSHAKE_DONE of a client: "
        "CLOSE(PROTOCOL_VIOLATION). "
        "Changes to the handshake end it, for TLS and the confirmation cover all of it.",
        ("MAX_EARLY_PACKETS",),
        (
            _HERE + "test_frames_of_the_application_under_handshake_keys_are_as_if_they_had_never_come",
            "core/test_control.py::test_handshake_done_from_a_client_is_a_violation",
            "protocol/test_data_space.py::"
            "test_a_client_that_is_not_confirmed_acknowledges_but_tells_the_user_nothing",
            "security/test_handshake_refusals.py::test_damage_anywhere_in_a_flight_never_ends_in_a_peer",
        ),
        (
            "protocol/test_connection.py::"
            "test_data_that_overtakes_the_end_of_the_handshake_is_kept_for_the_user",
        ),
    ),
    Row(
        "H9",
        "Forged lists of versions, Retries and resets, and versions changed on the way.",
        "After the first authentic packet: DROP. Before it a list without our version or another Retry ends "
        "the "
        "attempt; none leads to another version, for both ends compare it inside TLS. Answers wait in a "
        "queue "
        "of bounded length.",
        ("MAX_ANSWERS",),
        (
            _HERE + "test_no_more_answers_wait_than_the_limit_and_a_client_gets_its_own",
            "protocol/test_downgrade.py::test_a_list_without_it_ends_the_attempt_and_never_leads_to_another",
            "protocol/test_downgrade.py::test_a_forged_list_after_any_answer_is_ignored",
            _RETRY + "test_a_retry_that_was_changed_on_the_way_ends_in_a_handshake_error",
            _RETRY + "test_a_retry_that_comes_when_the_handshake_goes_on_is_ignored",
        ),
        (_RETRY + "test_over_a_bad_path_a_retry_does_no_harm",),
    ),
    Row(
        "H10",
        "A storm of datagrams of no byte or of one.",
        "DROP. Reading stops after so many trains or so long, whatever they held, and the loop gets its "
        "turn.",
        ("MAX_TRAINS_PER_WAKEUP", "MAX_WAKEUP_TIME"),
        (
            _HERE + "test_every_datagram_is_counted_an_empty_one_as_nothing",
            "aio/test_driver.py::test_at_most_so_many_trains_are_read_before_the_loop_gets_its_turn",
            "aio/test_driver.py::test_at_most_two_milliseconds_are_read_before_the_loop_gets_its_turn",
            "core/test_datagram_io.py::test_an_empty_datagram_is_nothing_and_breaks_no_row",
        ),
        ("core/test_datagram_io.py::test_at_most_so_many_trains_are_taken_and_the_rest_waits",),
    ),
    Row(
        "H11",
        "Forged packets for somebody's connection.",
        "DROP: no timer, address or estimate moves. After as many as could break a key: "
        "CLOSE(AEAD_LIMIT_REACHED).",
        ("AES_GCM_FAILURE_LIMIT", "CHACHA20_FAILURE_LIMIT"),
        (
            _HERE + "test_forged_packets_move_no_timer_no_address_and_no_estimate",
            "protocol/test_mobility.py::test_what_does_not_open_moves_nobody_and_gets_no_answer",
            "core/test_key_update.py::test_failures_are_counted_across_keys",
            "protocol/test_liveness.py::test_as_many_failures_as_could_break_the_key_end_the_connection",
        ),
        ("core/test_packet_reader.py::test_random_and_damaged_datagrams_do_no_harm",),
    ),
    Row(
        "H12",
        "Strays, to have resets sent to others or to learn a token.",
        "A reset, always shorter than what it answers, at a limited rate, or DROP. Never for an id that is "
        "alive "
        "under the same key.",
        (
            "MIN_STATELESS_RESET_SIZE",
            "MAX_STATELESS_RESET_SIZE",
            "RESET_BURST",
            "RESET_RATE",
            "RESET_BURST_PER_ADDRESS",
            "RESET_RATE_PER_ADDRESS",
        ),
        (
            "protocol/test_stateless_reset.py::test_few_go_to_one_network_and_not_too_many_to_all",
            "protocol/test_stateless_reset.py::test_what_is_too_short_is_not_answered",
            "protocol/test_stateless_reset.py::test_the_token_of_a_live_connection_is_told_to_nobody",
            "protocol/test_stateless_reset.py::test_two_servers_do_not_answer_each_other_for_ever",
            "protocol/test_stateless_reset.py::test_tokens_are_compared_by_a_keyed_hash",
        ),
        (_HERE + "test_all_clients_of_a_server_that_was_restarted_are_answered_at_once",),
    ),
    Row(
        "H13",
        "No certificate, one that is expired, of another CA, name or role, a chain that is too long or too "
        "large.",
        "The handshake fails on both sides before any byte of an application, with an alert and "
        "CLOSE(HANDSHAKE_FAILED) plus that alert, repeated when asked for, for three probe timeouts.",
        ("MAX_CHAIN_SIZE", "MAX_HANDSHAKE_BUFFER", "CLOSE_REPEAT_PTOS"),
        (
            _REFUSALS + "test_a_bad_client_certificate_is_refused_and_both_ends_say_why",
            _REFUSALS + "test_a_bad_server_certificate_is_refused_and_both_ends_say_why",
            _REFUSALS + "test_a_chain_longer_than_ten_certificates_is_refused",
            _REFUSALS + "test_a_certificate_chain_beyond_the_limit_is_stopped",
            "protocol/test_amplification.py::test_a_handshake_that_fails_and_repeats_why",
        ),
        (
            _REFUSALS + "test_a_large_certificate_below_the_limit_works",
            "security/test_handshake.py::test_a_nine_certificate_chain_works",
        ),
    ),
)
