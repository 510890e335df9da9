"""Controllers by name."""

from __future__ import annotations

import pytest

from fastmux.protocol.congestion.bbr import Bbr
from fastmux.protocol.congestion.choice import NAMES, make_controller, ssthresh_of
from fastmux.protocol.congestion.cubic import Cubic
from fastmux.protocol.congestion.new_reno import NewReno
from fastmux.protocol.rtt import RttEstimator
from protocol.summaries import NOTHING


@pytest.mark.parametrize(("name", "kind"), [("cubic", Cubic), ("newreno", NewReno), ("bbr", Bbr)])
def test_a_name_gives_its_controller(name: str, kind: type) -> None:
    controller = make_controller(name, 1200, bytes)
    assert type(controller) is kind
    assert controller.congestion_window == 12_000


def test_these_are_all_names() -> None:
    assert NAMES == ("cubic", "newreno", "bbr")


def test_another_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        make_controller("vegas", 1200, bytes)


def test_only_bbr_paces_where_a_round_trip_is_shorter_than_timers_are_fine() -> None:
    paces = {name: make_controller(name, 1200, bytes).paces_short_round_trips for name in NAMES}
    assert paces == {"cubic": False, "newreno": False, "bbr": True}


@pytest.mark.parametrize("name", NAMES)
def test_only_a_controller_that_met_congestion_has_a_threshold(name: str) -> None:
    controller = make_controller(name, 1200, bytes)
    assert ssthresh_of(controller) is None
    loss = NOTHING._replace(lost_size=1200, lost_packets=1, largest_lost_sent_at=1.0, prior_in_flight=12000)
    controller.on_summary(loss, RttEstimator(0.1), 2.0)
    assert (ssthresh_of(controller) is None) == (name == "bbr")
