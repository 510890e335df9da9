"""Pings under way.

Owns: the tasks that wait for an answer. May not know: how it is asked for.
"""

from __future__ import annotations

from typing import cast

from fastmux.aio.channel_table import ChannelTable
from fastmux.aio.loop import Waiter


class Pings:
    """The pings of one connection. Invariant: `_waiting` has a future for each of them, by its token."""

    __slots__ = ("_channels", "_waiting")

    def __init__(self, channels: ChannelTable) -> None:
        self._channels = channels
        self._waiting: dict[int, Waiter[float | None]] = {}

    async def wait(self, token: int) -> float:
        """The round trip of a ping that was just begun, in seconds. Raises what the connection ended with."""
        self._channels.schedule()
        future: Waiter[float | None] = self._channels.wakeups.create_future()
        self._waiting[token] = future
        try:
            round_trip = await future
        finally:
            self._waiting.pop(token, None)
        if round_trip is None:
            self._channels.check_usable()
        return cast(float, round_trip)

    def on_answer(self, token: int, round_trip: float) -> None:
        """The peer answered."""
        future = self._waiting.get(token)
        if future is not None and not future.done():
            future.set_result(round_trip)

    def on_closed(self) -> None:
        """Nobody will answer any more."""
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)
