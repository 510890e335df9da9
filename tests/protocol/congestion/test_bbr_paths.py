"""Whole connections over a bottleneck, with BBR and beside CUBIC: what users would see."""

from __future__ import annotations

from typing import Any

import pytest

from fastmux.protocol.congestion.bbr import Bbr
from protocol.congestion.bulk import Bottleneck, bandwidth_of

FAST = 12.5e6  # 100 Mbit/s
SLOW = 2.5e6  # 20 Mbit/s: a fifth of the work, where the rate does not matter
RTT = 0.02

pytestmark = pytest.mark.slow


def bottleneck(*congestion: str, **conditions: Any) -> Bottleneck:
    settings: dict[str, Any] = {"rate": SLOW, "rtt": RTT, "queue": 1.0, **conditions}
    return Bottleneck(*congestion, **settings)


def started(*congestion: str, **conditions: Any) -> Bottleneck:
    path = bottleneck(*congestion, **conditions)
    for flow in path.flows:
        flow.start()
    return path


def test_with_one_per_cent_of_random_loss_bbr_fills_the_link_and_cubic_does_not() -> None:
    bbr = started("bbr", rate=FAST, loss=0.01)
    (share,) = bbr.run_for(4.0)
    assert share >= 0.84  # the goal is 0.80
    cubic = started("cubic", rate=FAST, loss=0.01)
    (cubic_share,) = cubic.run_for(4.0)
    assert cubic_share < 0.3


@pytest.mark.parametrize("seed", [1, 2])
def test_with_few_datagrams_in_flight_each_loss_is_more_and_still_most_of_the_link_is_used(seed: int) -> None:
    path = started("bbr", loss=0.01, seed=seed)
    (share,) = path.run_for(5.0)
    assert share >= 0.80
    assert path.mean_queue_delay <= RTT / 2


@pytest.mark.parametrize("congestion", ["cubic", "bbr"])
def test_a_clean_link_is_filled_and_its_queue_adds_at_most_two_round_trips(congestion: str) -> None:
    path = started(congestion, rate=FAST, queue=2.0)
    (share,) = path.run_for(3.0)
    assert share >= 0.90
    assert max(path.queue_delays) <= 2.1 * RTT


@pytest.mark.parametrize("rtt", [RTT, 0.1])
def test_the_windows_of_a_receiver_keep_cubics_queue_short_in_a_deep_buffer(rtt: float) -> None:
    path = started("cubic", rate=FAST, rtt=rtt, queue=6.0, is_tuned=True)
    path.run_for(50 * rtt)
    (share,) = path.run_for(100 * rtt)
    assert share >= 0.90
    assert max(path.queue_delays) <= 3.1 * rtt  # a window of four BDPs at the most
    assert path.mean_queue_delay <= 3 * rtt


def test_in_a_deep_buffer_bbr_keeps_the_queue_short_where_cubic_fills_it() -> None:
    bbr = started("bbr", queue=8.0)
    (share,) = bbr.run_for(5.0)
    assert share >= 0.90
    assert max(bbr.queue_delays) <= 1.5 * RTT
    assert bbr.mean_queue_delay <= 0.4 * RTT
    assert bbr.link.lost == 0
    cubic = started("cubic", queue=8.0)
    cubic.run_for(5.0)
    assert cubic.mean_queue_delay > 3 * RTT


@pytest.mark.parametrize("queue", [0.5, 2.0])
def test_two_bbr_flows_share_a_link(queue: float) -> None:
    path = started("bbr", "bbr", queue=queue)
    path.run_for(1.0)
    one, other = path.run_for(5.0)
    assert one + other >= 0.90
    assert min(one, other) >= 0.3


def test_a_bbr_flow_that_comes_later_gets_its_share() -> None:
    path = bottleneck("bbr", "bbr")
    path.flows[0].start()
    (alone, _) = path.run_for(2.0)
    assert alone >= 0.85
    path.flows[1].start()
    path.run_for(3.0)
    one, other = path.run_for(4.0)
    assert min(one, other) >= 0.25


@pytest.mark.parametrize("queue", [0.5, 2.0])
def test_bbr_and_cubic_side_by_side_both_live(queue: float) -> None:
    path = started("bbr", "cubic", queue=queue)
    path.run_for(1.0)
    shares = path.run_for(6.0)
    assert sum(shares) >= 0.90
    assert min(shares) >= 0.2


def test_an_application_that_sends_little_keeps_the_estimate_and_then_gets_the_link_at_once() -> None:
    path = started("bbr", queue=2.0)
    flow = path.flows[0]
    path.run_for(2.0)
    before = bandwidth_of(flow)
    assert before >= 0.95 * SLOW
    flow.pause()
    path.run_for(1.0)
    for _ in range(100):
        flow.write(5000)
        path.run_for(0.1)
    assert bandwidth_of(flow) >= 0.9 * before
    flow.resume()
    (share,) = path.run_for(0.5)
    assert share >= 0.75


def test_after_half_a_minute_of_silence_the_link_is_full_again_at_once() -> None:
    path = started("bbr", queue=2.0)
    flow = path.flows[0]
    path.run_for(2.0)
    flow.pause()
    path.run_for(30.0)
    flow.resume()
    (share,) = path.run_for(0.4)
    assert share >= 0.85
    assert max(path.queue_delays) <= 1.8 * RTT


def test_with_a_shallow_buffer_a_rate_that_falls_to_a_third_is_followed_within_ten_round_trips() -> None:
    path = started("bbr", queue=0.3)
    path.run_for(3.0)
    path.change(rate=SLOW / 3)
    path.run_for(10 * RTT * 2)  # a round trip with a full buffer is nearly twice as long
    sent, lost = path.link.sent, path.link.lost
    (share,) = path.run_for(2.0)
    assert share * 3 >= 0.90
    assert (path.link.lost - lost) / (path.link.sent - sent) < 0.03
    assert bandwidth_of(path.flows[0]) == pytest.approx(SLOW / 3, rel=0.1)


def test_with_a_deep_buffer_the_queue_stays_bounded_then_and_is_gone_after_two_probes() -> None:
    path = started("bbr", queue=8.0)
    path.run_for(3.0)
    path.change(rate=SLOW / 3)
    path.run_for(8.0)
    bdp = SLOW * RTT
    assert max(path.queue_delays) * SLOW / 3 <= 2.3 * bdp  # in bytes, of the path as it was
    (share,) = path.run_for(4.0)
    assert bandwidth_of(path.flows[0]) == pytest.approx(SLOW / 3, rel=0.1)
    assert share * 3 >= 0.90
    assert path.mean_queue_delay <= RTT


def test_a_rate_that_grows_threefold_is_found_within_two_cycles() -> None:
    path = started("bbr", rate=SLOW / 3, queue=3.0)
    path.run_for(3.0)
    path.change(rate=SLOW)
    path.run_for(6.0)
    assert bandwidth_of(path.flows[0]) >= 0.9 * SLOW


def test_after_three_seconds_of_darkness_the_flow_is_back_at_its_rate_within_a_second() -> None:
    path = started("bbr", queue=2.0)
    path.run_for(2.0)
    flow = path.flows[0]
    controller = flow.controller
    assert isinstance(controller, Bbr)
    now = path.network.now
    path.change(dark=((now, now + 3.0),))
    path.run_for(3.0)
    received = flow.received
    windows = []
    while flow.received < received + 3000:
        path.run_for(0.01)
        windows.append(controller.congestion_window)
        assert path.network.now < now + 10.0
    path.run_for(0.03)
    windows.append(controller.congestion_window)
    path.run_for(0.5)
    (share,) = path.run_for(1.0)
    assert share >= 0.85
    assert min(windows) <= 4 * 1452  # persistent congestion was declared


def test_a_seed_replays_bbr_bit_for_bit() -> None:
    first, second = (started("bbr", loss=0.02) for _ in range(2))
    assert first.run_for(2.0) == second.run_for(2.0)
    assert first.network.trace.digest() == second.network.trace.digest()
