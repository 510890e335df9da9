"""Arguments that run code of their own, and collections at a bad moment: a closed path is never looked at.

A compiled core that gets this wrong reads freed memory: with luck the process ends at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.pump import Pump
from fastmux import constants as c
from fastmux.exceptions import ClosedResourceError


class Closing:
    """An integer that closes a path when it is asked for its value."""

    def __init__(self, path: Any, value: int) -> None:
        self.path = path
        self.value = value

    def __index__(self) -> int:
        self.path.close()
        return self.value


CALLS: dict[str, Callable[[Any, Any], object]] = {
    "unsent_size": lambda path, number: path.unsent_size(number),
    "readable_size": lambda path, number: path.readable_size(number),
    "open_fields": lambda path, number: path.open_fields(number),
    "set_priority": lambda path, number: path.set_priority(number, 3),
    "write": lambda path, number: path.write(number, b"more"),
    "read": lambda path, number: path.read(number, 10),
    "read_into": lambda path, number: path.read_into(number, bytearray(10)),
    "finish": lambda path, number: path.finish(number),
    "reset": lambda path, number: path.reset(number, 1),
    "stop": lambda path, number: path.stop(number, 1),
    "release": lambda path, number: path.release(number),
    "watch_delivered": lambda path, number: path.watch_delivered(number),
    "is_finished": lambda path, number: path.is_finished(number),
    "reset_code": lambda path, number: path.reset_code(number),
    "stop_code": lambda path, number: path.stop_code(number),
    "set_limit": lambda path, number: path.set_limit(number, 10**6, 10**6),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_channel_id_may_close_the_path(core: Any, name: str) -> None:
    pump = Pump(core)
    channels = [pump.client.open(c.KIND_STREAM) for _ in range(40)]
    with pytest.raises(ClosedResourceError):
        CALLS[name](pump.client, Closing(pump.client, channels[0]))
    pump.server.close()


def test_a_message_channels_id_may_close_the_path(core: Any) -> None:
    for call in (
        lambda path, number: path.send_message(number, b"x", 1.0),
        lambda path, number: path.send_messages(number, [b"x"], 1.0),
        lambda path, number: path.take_message(number),
        lambda path, number: path.take_messages(number, 5),
    ):
        pump = Pump(core)
        channel = pump.client.open(c.KIND_MESSAGE)
        with pytest.raises(ClosedResourceError):
            call(pump.client, Closing(pump.client, channel))
        pump.server.close()
