"""CUBIC against its formula (RFC 9438), and on simulated paths."""

from __future__ import annotations

import math

import pytest

from fastmux.protocol.congestion.cubic import ALPHA, BETA, C, Cubic
from fastmux.protocol.congestion.new_reno import NewReno
from fastmux.protocol.rtt import RttEstimator
from protocol.congestion.bottleneck import DATAGRAM, Sender, reductions, run
from protocol.summaries import acked, lost

LARGE = 1000  # datagrams: a window at which the cubic curve, not Reno's, decides
STEP = 0.01  # between batches of acknowledgements


def path(rtt: float) -> RttEstimator:
    estimator = RttEstimator()
    for _ in range(50):
        estimator.update(rtt, 0.0, 0.025, True)
    return estimator


def at_window(datagrams: int, rtt: RttEstimator) -> Cubic:
    controller = Cubic(DATAGRAM)
    controller.on_summary(acked((datagrams - 10) * DATAGRAM, 0.0), rtt, 0.0)
    assert controller.congestion_window == datagrams * DATAGRAM
    return controller


def feed(controller: Cubic, rtt: RttEstimator, start: float, duration: float) -> list[tuple[float, float]]:
    """Acknowledge full windows steadily; return (time since `start`, window in datagrams)."""
    points = []
    for step in range(int(duration / STEP)):
        now = start + step * STEP
        size = int(controller.congestion_window * STEP / rtt.smoothed_rtt)
        controller.on_summary(acked(size, now - rtt.smoothed_rtt), rtt, now)
        points.append((step * STEP, controller.congestion_window / DATAGRAM))
    return points


def curve(elapsed: float, w_max: float, start_window: float) -> float:
    k = math.cbrt((w_max - start_window) / C)
    return C * (elapsed - k) ** 3 + w_max


def test_a_loss_leaves_seven_tenths_of_the_window() -> None:
    rtt = path(0.1)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    assert controller.congestion_window == pytest.approx(BETA * LARGE * DATAGRAM, abs=1)
    assert controller.ssthresh == controller.congestion_window


def test_after_a_loss_the_window_follows_the_cubic_curve() -> None:
    rtt = path(0.1)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    k = math.cbrt(LARGE * (1 - BETA) / C)  # 9.1 s
    for elapsed, window in feed(controller, rtt, start=1.3, duration=k + 6):
        assert window == pytest.approx(curve(elapsed, LARGE, BETA * LARGE), rel=0.02)


def test_at_k_the_window_is_back_at_its_old_height() -> None:
    rtt = path(0.1)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    k = math.cbrt(LARGE * (1 - BETA) / C)
    _, window = feed(controller, rtt, start=1.3, duration=k)[-1]
    assert window == pytest.approx(LARGE, rel=0.002)


def test_a_second_loss_below_the_old_height_leaves_room_to_others() -> None:
    rtt = path(0.1)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    controller.on_summary(lost(DATAGRAM, 1.2), rtt, 1.3)
    w_max = BETA * LARGE * (1 + BETA) / 2
    for elapsed, window in feed(controller, rtt, start=1.5, duration=8.0):
        assert window == pytest.approx(curve(elapsed, w_max, BETA**2 * LARGE), rel=0.02)


def test_where_reno_would_be_faster_the_window_grows_as_reno_would() -> None:
    rtt = path(0.01)
    controller = at_window(40, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.01)
    for elapsed, window in feed(controller, rtt, start=1.03, duration=0.2):
        round_trips = elapsed / 0.01 + 1
        assert window == pytest.approx(BETA * 40 + ALPHA * round_trips, rel=0.02)


def test_in_the_reno_region_growth_is_a_full_datagram_beyond_the_old_height() -> None:
    rtt = path(0.01)
    controller = at_window(40, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.01)
    points = feed(controller, rtt, start=1.03, duration=0.6)
    beyond = [window for _, window in points if window > 41]
    assert (beyond[-1] - beyond[0]) / (len(beyond) - 1) == pytest.approx(1.0, rel=0.02)


def test_no_round_trip_raises_the_window_by_more_than_half() -> None:
    rtt = path(10.0)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    now = 20.0
    for _ in range(20):
        window = controller.congestion_window
        controller.on_summary(acked(window, now - 10.0), rtt, now)
        assert controller.congestion_window < 1.5 * (window + 1)
        now += 10.0


def test_an_hour_of_silence_is_not_followed_by_a_leap() -> None:
    rtt = path(0.1)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    _, before = feed(controller, rtt, start=1.3, duration=2.0)[-1]
    _, after = feed(controller, rtt, start=3600.0, duration=0.1)[-1]
    assert after < before + 0.03 * LARGE


def test_app_limited_time_does_not_count_on_the_curve() -> None:
    rtt = path(0.1)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    _, before = feed(controller, rtt, start=1.3, duration=2.0)[-1]
    for step in range(600):
        now = 3.3 + step * 0.1
        summary = acked(DATAGRAM, now - 0.1, in_flight=DATAGRAM, is_app_limited=True)
        controller.on_summary(summary, rtt, now)
    _, after = feed(controller, rtt, start=63.3, duration=0.1)[-1]
    assert before <= after < before + 0.03 * LARGE


def test_after_persistent_congestion_the_curve_starts_anew_at_ssthresh() -> None:
    rtt = path(0.1)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    controller.on_persistent_congestion(1.1)
    controller.on_summary(acked(LARGE * DATAGRAM, 1.2), rtt, 1.3)
    floor = BETA * LARGE
    for elapsed, window in feed(controller, rtt, start=1.4, duration=8.0):
        reno = floor + elapsed / 0.1 + 2
        assert window == pytest.approx(max(curve(elapsed, floor, floor), reno), rel=0.03)


def test_a_smaller_datagram_size_goes_on_from_the_same_window() -> None:
    rtt = path(0.1)
    controller = at_window(LARGE, rtt)
    controller.on_summary(lost(DATAGRAM, 1.0), rtt, 1.1)
    _, before = feed(controller, rtt, start=1.3, duration=5.0)[-1]
    controller.set_max_datagram_size(1452)
    _, after = feed(controller, rtt, start=6.3, duration=0.1)[-1]
    assert after == pytest.approx(before, rel=0.01)


def test_a_path_is_kept_full() -> None:
    sender = Sender(Cubic(DATAGRAM))
    run([sender], rate=1.25e6, delay=0.05, queue_size=62_500, duration=20.0)
    assert sender.delivered > 0.93 * 20.0 * 1.25e6
    falls = reductions(sender.windows)
    assert len(falls) >= 2
    assert all(BETA - 0.01 < factor < BETA + 0.01 for factor in falls)


def test_on_a_long_fat_path_cubic_recovers_faster_than_reno() -> None:
    cubic, reno = Sender(Cubic(DATAGRAM)), Sender(NewReno(DATAGRAM))
    for sender in (cubic, reno):
        run([sender], rate=2.5e6, delay=0.4, queue_size=200_000, duration=60.0)
    assert cubic.delivered > 0.85 * 60.0 * 2.5e6
    assert cubic.delivered > 2 * reno.delivered


def test_cubic_and_reno_share_a_short_path() -> None:
    cubic, reno = Sender(Cubic(DATAGRAM)), Sender(NewReno(DATAGRAM))
    run([cubic, reno], rate=1.25e6, delay=0.02, queue_size=40_000, duration=20.0)
    share = cubic.delivered / (cubic.delivered + reno.delivered)
    assert 0.3 < share < 0.75
