"""The round trip without a queue (draft-ietf-ccwg-bbr-06 §5.3.4.3)."""

from __future__ import annotations

import math

from fastmux.protocol.congestion.bbr_min_rtt import FILTER_TIME, PROBE_INTERVAL, MinRtt


def test_the_lowest_sample_is_the_value() -> None:
    min_rtt = MinRtt()
    assert min_rtt.value == math.inf
    for at, rtt in enumerate((0.12, 0.1, 0.3)):
        min_rtt.on_sample(rtt, float(at))
    assert min_rtt.value == 0.1


def test_an_acknowledgement_without_a_sample_changes_nothing() -> None:
    min_rtt = MinRtt()
    min_rtt.on_sample(None, 1.0)
    assert (min_rtt.value, min_rtt.is_probe_due) == (math.inf, False)


def test_a_probe_is_due_when_nothing_lower_came_for_five_seconds() -> None:
    min_rtt = MinRtt()
    min_rtt.on_sample(0.1, 0.0)
    min_rtt.on_sample(0.2, PROBE_INTERVAL)
    assert not min_rtt.is_probe_due
    min_rtt.on_sample(0.2, PROBE_INTERVAL + 0.01)
    assert min_rtt.is_probe_due
    min_rtt.on_sample(0.2, PROBE_INTERVAL + 0.02)
    assert not min_rtt.is_probe_due


def test_a_lower_sample_puts_the_probe_off() -> None:
    min_rtt = MinRtt()
    min_rtt.on_sample(0.1, 0.0)
    min_rtt.on_sample(0.09, 4.0)
    min_rtt.on_sample(0.2, 8.0)
    assert not min_rtt.is_probe_due


def test_the_value_is_kept_ten_seconds_and_then_that_of_the_last_probe() -> None:
    min_rtt = MinRtt()
    min_rtt.on_sample(0.1, 0.0)
    min_rtt.on_sample(0.3, PROBE_INTERVAL + 0.1)  # the probe is due: samples count again
    min_rtt.on_sample(0.2, PROBE_INTERVAL + 0.3)
    min_rtt.on_probed(PROBE_INTERVAL + 0.3)
    min_rtt.on_sample(0.4, FILTER_TIME)
    assert min_rtt.value == 0.1
    min_rtt.on_sample(0.4, FILTER_TIME + 0.01)
    assert min_rtt.value == 0.2


def test_after_a_probe_the_next_is_an_interval_away() -> None:
    min_rtt = MinRtt()
    min_rtt.on_sample(0.1, 0.0)
    min_rtt.on_probed(4.0)
    min_rtt.on_sample(0.2, 8.9)
    assert not min_rtt.is_probe_due
    min_rtt.on_sample(0.2, 9.1)
    assert min_rtt.is_probe_due
