"""Controllers by name."""

from __future__ import annotations

import pytest

from fastmux.protocol.congestion.bbr import Bbr
from fastmux.protocol.congestion.choice import NAMES, make_controller
from fastmux.protocol.congestion.cubic import Cubic
from fastmux.protocol.congestion.new_reno import NewReno


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
