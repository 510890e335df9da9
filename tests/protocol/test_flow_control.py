"""Windows that grow with the reader and with nothing else."""

from __future__ import annotations

import pytest

from fastmux.protocol.flow_control import Distance, WindowPolicy

KIB = 1024
NO_LIMIT = 1 << 62
RTT = 0.1
FAR = Distance(RTT, False, NO_LIMIT)
NEAR = Distance(0.0001, True, NO_LIMIT)


def read_half_windows(policy: WindowPolicy, count: int, interval: float) -> list[int]:
    """Consume half a window every `interval`; return the window after each raise."""
    limit, consumed, now, windows = policy.window, 0, 0.0, []
    for _ in range(count):
        now += interval
        consumed += policy.window // 2
        limit, window = policy.next_limit(consumed, consumed, limit, now, FAR)
        assert limit == consumed + window
        windows.append(window)
    return windows


def test_a_channel_gets_its_window_beyond_what_was_read() -> None:
    policy = WindowPolicy(64 * KIB, 1024 * KIB)
    raised = policy.next_limit(40_000, 60_000, 64 * KIB, 1.0, FAR)
    assert raised == (40_000 + 64 * KIB, 64 * KIB)


def test_a_far_readers_window_becomes_two_and_a_half_times_what_it_reads_in_a_round_trip() -> None:
    policy = WindowPolicy(64 * KIB, 1024 * KIB)
    rate, limit, now, consumed = 100 * KIB / RTT, policy.window, 0.0, 0
    for _ in range(100):  # read in steps much shorter than a round trip
        now += RTT / 20
        consumed = int(rate * now)
        limit, window = policy.next_limit(consumed, consumed, limit, now, FAR)
    assert window == pytest.approx(250 * KIB, rel=0.06)


def test_a_burst_is_no_rate() -> None:
    policy = WindowPolicy(64 * KIB, 1024 * KIB)
    limit, _ = policy.next_limit(32 * KIB, 32 * KIB, 64 * KIB, 1.0, FAR)
    limit, _ = policy.next_limit(64 * KIB, 64 * KIB, limit, 1.0001, FAR)
    _, window = policy.next_limit(96 * KIB, 96 * KIB, limit, 1.0002, FAR)
    assert window == 64 * KIB


def test_a_fast_reader_gets_the_maximum_and_no_more() -> None:
    windows = read_half_windows(WindowPolicy(64 * KIB, 500 * KIB), 20, RTT)
    assert windows == sorted(windows)
    assert windows[-1] == 500 * KIB


def test_a_near_readers_window_doubles() -> None:
    policy = WindowPolicy(64 * KIB, 500 * KIB)
    limit, consumed, windows = policy.window, 0, []
    for step in range(6):
        consumed += policy.window // 2
        limit, window = policy.next_limit(consumed, consumed, limit, 1.0 + 0.001 * step, NEAR)
        windows.append(window)
    assert windows == [n * KIB for n in (64, 128, 256, 500, 500, 500)]


@pytest.mark.parametrize(("interval", "grown"), [(0.0049, 512 * KIB), (0.0051, 256 * KIB)])
def test_a_quarter_that_was_read_in_half_the_time_counts_as_half(interval: float, grown: int) -> None:
    policy = WindowPolicy(256 * KIB, 1024 * KIB)
    limit, _ = policy.next_limit(64 * KIB, 64 * KIB, 256 * KIB, 1.0, NEAR)
    _, window = policy.next_limit(128 * KIB, 128 * KIB, limit, 1.0 + interval, NEAR)
    assert window == grown


def test_a_slow_reader_keeps_a_small_window() -> None:
    assert set(read_half_windows(WindowPolicy(64 * KIB, 1024 * KIB), 20, 2.1 * RTT)) == {64 * KIB}


def test_a_window_never_shrinks_when_a_fast_reader_slows_down() -> None:
    policy = WindowPolicy(64 * KIB, 256 * KIB)
    read_half_windows(policy, 20, RTT)
    assert read_half_windows(policy, 4, 10.0) == [256 * KIB] * 4


def test_on_a_very_short_path_the_turn_of_the_event_loop_counts_as_the_round_trip() -> None:
    policy = WindowPolicy(64 * KIB, 1024 * KIB)
    limit, _ = policy.next_limit(32 * KIB, 32 * KIB, 64 * KIB, 1.000, NEAR)
    _, window = policy.next_limit(64 * KIB, 64 * KIB, limit, 1.005, NEAR)
    assert window == 128 * KIB


def test_a_limit_is_never_lowered() -> None:
    policy = WindowPolicy(64 * KIB, 1024 * KIB)
    assert policy.next_limit(0, 0, 200 * KIB, 1.0, FAR) == (200 * KIB, 64 * KIB)


def test_unread_bytes_of_stalled_channels_do_not_hold_up_the_connection() -> None:
    policy = WindowPolicy(1024 * KIB, 1024 * KIB, budget=4096 * KIB)
    limit, _ = policy.next_limit(0, 2048 * KIB, 2048 * KIB, 1.0, FAR)
    assert limit == 3072 * KIB


@pytest.mark.parametrize("charged", [3500 * KIB, 4096 * KIB, 10_000 * KIB])
def test_what_is_held_unread_never_passes_the_budget(charged: int) -> None:
    policy = WindowPolicy(1024 * KIB, 1024 * KIB, budget=4096 * KIB)
    limit, _ = policy.next_limit(100, charged, 2048 * KIB, 1.0, FAR)
    assert limit == 100 + 4096 * KIB


def test_a_connection_held_back_by_the_budget_goes_on_when_something_is_read() -> None:
    policy = WindowPolicy(1024 * KIB, 1024 * KIB, budget=2048 * KIB)
    limit, _ = policy.next_limit(0, 2048 * KIB, 2048 * KIB, 1.0, FAR)
    assert limit == 2048 * KIB
    limit, _ = policy.next_limit(10 * KIB, 2048 * KIB, limit, 1.1, FAR)
    assert limit == 2058 * KIB


def test_small_steps_under_the_budget_do_not_grow_the_window() -> None:
    policy = WindowPolicy(1024 * KIB, 8192 * KIB, budget=2048 * KIB)
    limit = 2048 * KIB
    for step in range(1, 50):
        limit, window = policy.next_limit(step * KIB, 2048 * KIB, limit, 0.01 * step, FAR)
        assert window == 1024 * KIB


def test_a_busy_connections_window_grows_as_well() -> None:
    policy = WindowPolicy(1024 * KIB, 4096 * KIB, budget=65536 * KIB)
    assert read_half_windows(policy, 20, RTT)[-1] == 4096 * KIB


def test_beyond_a_mebibyte_only_a_millisecond_counts_on_a_short_path() -> None:
    for interval, grown in ((0.0009, 2048 * KIB), (0.0011, 1024 * KIB)):
        policy = WindowPolicy(1024 * KIB, 8192 * KIB)
        limit, _ = policy.next_limit(512 * KIB, 512 * KIB, 1024 * KIB, 1.0, NEAR)
        _, window = policy.next_limit(1024 * KIB, 1024 * KIB, limit, 1.0 + interval, NEAR)
        assert window == grown


def test_a_window_stops_at_what_the_path_can_hold_and_never_shrinks_to_it() -> None:
    policy = WindowPolicy(1024 * KIB, 16 * 1024 * KIB)
    limit, consumed, now = 1024 * KIB, 0, 1.0
    windows = []
    for most in (3072 * KIB,) * 6 + (1024 * KIB,) * 2 + (NO_LIMIT,) * 6:
        consumed, now = limit, now + 0.0001
        limit, window = policy.next_limit(consumed, consumed, limit, now, Distance(0.0001, True, most))
        windows.append(window // KIB)
    assert windows[5] == windows[7] == 3072
    assert windows[-1] == 16 * 1024
