"""The parts of a data path: their limits and defaults."""

from __future__ import annotations

from typing import Any

import pytest

from core.pump import CLIENT_ID, SERVER_ID
from fastmux import constants as c


def test_the_defaults_are_those_of_the_constants(core: Any) -> None:
    path = core.DataPath(False, SERVER_ID)
    path.set_limit(c.CONNECTION_CHANNEL, c.INITIAL_CONNECTION_WINDOW, 2)
    assert path.take_credit() == []  # the limit was that already
    path.set_keys(c.SUITE_NULL, b"", bytes(12), b"", bytes(12))
    path.set_channel_limit(c.KIND_STREAM, c.DEFAULT_MAX_STREAMS)
    assert not path.has_pending
    path.set_channel_limit(c.KIND_STREAM, c.DEFAULT_MAX_STREAMS + 1)
    assert path.has_pending
    path.close()


@pytest.mark.parametrize(
    "limits",
    [
        {"max_data": -1},
        {"max_data": 2**60 + 1},
        {"max_channel_data": 2**60 + 1},
        {"max_streams": 2**61},
        {"max_message_size": 2**60 + 1},
        {"budget": 2**60 + 1},
        {"initial_packet_number": -1},
    ],
)
def test_a_limit_out_of_range_is_an_overflow_error(core: Any, limits: dict[str, int]) -> None:
    with pytest.raises(OverflowError):
        core.DataPath(True, CLIENT_ID, **limits)


@pytest.mark.parametrize("limits", [{"max_data": 1.5}, {"max_ack_delay": "soon"}, {"write_limit": None}])
def test_a_limit_of_the_wrong_type_is_an_error(core: Any, limits: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        core.DataPath(True, CLIENT_ID, **limits)


def test_nothing_is_open_pending_or_held_at_first(core: Any) -> None:
    path = core.DataPath(True, CLIENT_ID)
    assert path.deadlines() == (None, None, None, None)
    assert (path.bytes_in_flight, path.held_size, path.channel_count, path.last_received_at) == (0, 0, 0, 0.0)
    assert (path.has_pending, path.is_idle) == (False, True)
    assert set(path.counters().values()) == {0}
    path.close()
