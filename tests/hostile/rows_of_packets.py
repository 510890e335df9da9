"""H14 to H24: packets, acknowledgements, ids, paths and keys of an authenticated peer.

Owns: these rows. May not know: the attacks.
"""

from __future__ import annotations

from hostile.row import Row

_HERE = "hostile/test_packets.py::"
_LIMITS = "protocol/test_mobility_limits.py::"
_GLITCHES = "protocol/test_glitches.py::"
_MOVES = (_LIMITS + "test_who_moves_ten_times_as_often_as_is_usual_is_not_stopped",)

ROWS = (
    Row(
        "H14",
        "Packets again, by whoever saw them, and numbers from long ago.",
        "Opened first, then DROP and counted.",
        ("MAX_RECEIVED_RANGES",),
        (
            _HERE + "test_ten_thousand_replays_have_no_effect_but_a_count",
            "core/test_packet_reader.py::test_duplicates_are_dropped_after_authentication",
            "core/test_received_packets.py::test_a_hostile_spread_of_numbers_stops_at_the_limit",
            "protocol/test_races.py::"
            "test_a_conversation_replayed_to_a_server_that_was_restarted_begins_nothing",
        ),
        ("core/test_received_packets.py::test_a_thousand_lost_packets_in_a_million_never_meet_the_limit",),
        "Ranges and not a bitmap of 8,192 packets, which a fast path fills in 10 ms: what is remembered is "
        "bounded by the gaps, and what lies before the oldest of them counts as received.",
    ),
    Row(
        "H15",
        "Acknowledgements of packets that were never sent, or not received, to have more sent.",
        "CLOSE(PROTOCOL_VIOLATION). Now and then a number is left out to catch who acknowledges ahead.",
        ("MIN_SKIP_INTERVAL",),
        (
            _HERE + "test_the_newest_number_may_be_acknowledged_and_the_next_one_not",
            _HERE + "test_numbers_are_left_out_often_enough_to_catch_who_acknowledges_ahead",
            "protocol/test_traffic.py::test_a_packet_number_is_left_out_now_and_then",
        ),
        (_HERE + "test_acknowledgements_of_ten_times_the_usual_loss_are_all_taken",),
    ),
    Row(
        "H16",
        "Acknowledgements in very many ranges, over all numbers, or below the first.",
        "More ranges than are accepted: CLOSE(PROTOCOL_VIOLATION). Below zero: CLOSE(FRAME_ENCODING_ERROR). "
        "Else the "
        "work is that of the ranges and of what they newly acknowledge.",
        ("MAX_ACK_RANGES_ACCEPTED", "MAX_ACK_RANGES_SENT"),
        (
            "core/test_frames.py::test_more_ack_ranges_than_accepted_close_the_connection",
            "core/test_frames.py::test_an_ack_range_below_zero_is_an_encoding_error",
        ),
        (_HERE + "test_acknowledgements_of_ten_times_the_usual_loss_are_all_taken",),
    ),
    Row(
        "H17",
        "A peer that is there and acknowledges nothing, to have what was sent held for ever.",
        "What is held is the congestion window and the write limit of each channel; a writer waits there. "
        "After a row "
        "of probe timeouts, before each of which the peer was heard: CLOSE(NO_VIABLE_PATH).",
        ("WRITE_LIMIT", "MAX_UNANSWERED_PTOS", "MAX_PTO"),
        (
            _HERE + "test_a_peer_that_talks_and_acknowledges_nothing_is_given_up",
            "protocol/test_liveness.py::test_a_peer_that_is_heard_and_acknowledges_nothing_is_given_up",
        ),
        (
            _HERE + "test_a_peer_that_acknowledges_anything_now_and_then_is_not",
            "protocol/test_liveness.py::test_a_peer_that_is_not_heard_is_left_to_the_idle_timeout",
        ),
        "By probes and not after 16 s: a path that is dead in one direction for 20 s comes back, and "
        "whoever hears "
        "nothing closes by the idle timeout. Without one (`idle_timeout=None`) nobody is given up.",
    ),
    Row(
        "H18",
        "Lies about delays, to have packets sent too soon or hardly ever.",
        "None: a claimed delay counts up to the peer's own maximum and never below the least round trip; "
        "the probe "
        "timeout has bounds.",
        ("MAX_ACK_DELAY", "MIN_PTO", "MAX_PTO", "MAX_ACK_DELAY_LIMIT"),
        (
            _HERE + "test_no_claim_of_a_delay_moves_the_probe_timeout_out_of_its_bounds",
            "protocol/test_rtt.py::test_a_peer_cannot_take_off_more_than_its_own_maximum",
            "protocol/test_rtt.py::test_an_ack_delay_never_takes_a_sample_below_the_minimum",
            "protocol/test_recovery.py::test_the_pto_of_a_very_short_path_without_ack_delay_has_a_floor",
        ),
        (
            "protocol/test_ack_frequency.py::"
            "test_ten_times_the_requests_that_a_sender_can_make_are_taken_for_ever",
        ),
        "What is acknowledged here are pings that the server's own application sends, one for each lie: "
        "`bench.hostile` counts those too in the share beside.",
    ),
    Row(
        "H19",
        "PATH_CHALLENGE by the packet.",
        "The newest are answered, the others forgotten; above a burst and a rate CLOSE(GLITCH_LIMIT).",
        ("MAX_PATH_CHALLENGES", "ID_FRAME_BURST", "ID_FRAME_RATE"),
        (
            "core/test_control.py::test_only_the_newest_path_challenges_are_kept",
            "core/test_costs.py::test_a_challenge_costs_the_same_behind_many_other_reports",
            _LIMITS + "test_a_flood_of_challenges_is_stopped",
            _LIMITS + "test_of_many_challenges_at_once_a_few_are_answered",
        ),
        _MOVES,
    ),
    Row(
        "H20",
        "Ids that are given and retired without end.",
        "More than are allowed at once, or that wait to be acknowledged as retired: CLOSE(ID_LIMIT_ERROR). "
        "Above a burst and a rate: CLOSE(GLITCH_LIMIT).",
        (
            "ACTIVE_ID_LIMIT",
            "ISSUED_IDS",
            "MAX_KEPT_CONTROL",
            "MAX_ID_GAPS",
            "ID_FRAME_BURST",
            "ID_FRAME_RATE",
        ),
        (
            _LIMITS + "test_a_broken_rule_closes_the_connection_with_its_code",
            _LIMITS + "test_a_flood_of_new_ids_that_retire_each_other_is_stopped",
            _LIMITS + "test_a_flood_of_retired_ids_is_stopped",
            _LIMITS + "test_ids_that_come_and_go_unacknowledged_are_stopped",
        ),
        _MOVES,
    ),
    Row(
        "H21",
        "Anything else that asks for an answer or for work in Python: PING, BLOCKED, extension frames, "
        "limits "
        "raised by one.",
        "One ACK for all, one pending frame of a kind and channel, queues of bounded size. A packet with "
        "more "
        "frames for Python than are ever of use: GLITCH, and CLOSE(GLITCH_LIMIT) in the end.",
        (
            "MAX_CONTROL_QUEUE_SIZE",
            "MAX_CONTROL_REPORTS_SIZE",
            "MAX_REPORTED_FRAMES",
            "GLITCH_BURST",
            "GLITCH_RATE",
        ),
        (
            _HERE + "test_few_frames_for_python_are_in_a_packet_of_use_and_one_more_is_a_glitch",
            "core/test_packet_reader.py::"
            "test_frames_that_change_nothing_are_a_glitch_and_many_for_python_too",
            "core/test_control.py::test_too_many_waiting_bytes_are_a_resource_limit",
            "core/test_control.py::test_a_flood_of_reports_stops_at_the_limit_unacknowledged",
        ),
        (_HERE + "test_ten_times_the_usual_pings_are_all_answered_and_no_glitch",),
    ),
    Row(
        "H22",
        "Useless work: empty frames, limits that raise nothing, ends that repeat themselves, data for "
        "channels "
        "that are over.",
        "GLITCH, one a packet; above a burst, a rate and the number of packets that were of use "
        "CLOSE(GLITCH_LIMIT).",
        ("GLITCH_BURST", "GLITCH_RATE"),
        (
            _HERE + "test_what_changes_something_is_of_use_and_the_same_again_is_a_glitch",
            _HERE + "test_a_stop_after_everything_was_delivered_is_a_glitch",
            _GLITCHES + "test_a_burst_is_forgiven_and_one_glitch_more_is_not",
            _GLITCHES + "test_a_hostile_peer_at_ten_times_the_rate_is_stopped_within_seconds",
        ),
        (
            _HERE + "test_a_client_that_gives_up_ten_times_as_many_requests_as_is_usual_meets_no_limit",
            _GLITCHES + "test_spurious_retransmissions_among_useful_packets_are_forgiven_at_any_rate",
        ),
    ),
    Row(
        "H23",
        "Packets from ever new addresses: moves in the name of others, probes at the doors of others.",
        "Only an authentic packet that is newer than all others moves a server, at a limited rate; an "
        "unproved "
        "path gets three times what came by it. DROP beyond that, and challenges without end "
        "CLOSE(GLITCH_LIMIT). A "
        "client never follows its server.",
        ("MAX_PATHS", "PATH_BURST", "PATH_RATE", "PATH_DISTRUST", "PATH_LINGER_PTOS", "AMPLIFICATION_FACTOR"),
        (
            _HERE + "test_addresses_in_turn_cost_few_paths_and_little_traffic_to_others",
            _LIMITS + "test_probes_from_ever_new_addresses_are_answered_at_a_limited_rate",
            "protocol/test_mobility.py::test_addresses_that_take_turns_are_followed_at_a_limited_rate",
            "protocol/test_mobility.py::test_an_old_packet_that_comes_late_from_elsewhere_moves_nobody",
            "protocol/test_mobility.py::"
            "test_a_client_ignores_what_comes_from_another_address_than_its_servers",
        ),
        ("protocol/test_mobility.py::test_a_rebinding_every_second_is_borne", *_MOVES),
    ),
    Row(
        "H24",
        "A key update with every packet; a key phase that is not that of the key.",
        "A false phase: DROP. Updates before the last one is acknowledged, and above a burst and a rate: "
        "CLOSE(KEY_UPDATE_ERROR). A key that is used up: CLOSE(AEAD_LIMIT_REACHED).",
        (
            "KEY_UPDATE_BURST",
            "KEY_UPDATE_RATE",
            "KEY_UPDATE_GAP",
            "KEY_UPDATE_INTERVAL",
            "OLD_KEYS_PTOS",
            "AES_GCM_PACKET_LIMIT",
        ),
        (
            "protocol/test_key_updates.py::test_a_peer_that_forces_updates_is_told_why_it_is_closed",
            "protocol/test_key_updates.py::test_a_peer_that_updates_all_the_time_is_stopped_within_seconds",
            "core/test_key_update.py::test_a_forged_phase_bit_changes_nothing_but_one_counter",
            "core/test_key_update.py::test_a_second_update_before_any_acknowledgement_is_an_error",
        ),
        ("protocol/test_key_updates.py::test_a_peer_at_ten_times_the_rate_of_a_gigabyte_a_second_never_is",),
    ),
)
