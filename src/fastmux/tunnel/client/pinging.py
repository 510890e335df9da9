"""`fastmux ping`: round trips over a message channel that the server sends back.

Owns: when pings go, which answer belongs to which, and the figures. May not know: how they are printed.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fastmux.exceptions import EndOfStream
from fastmux.tunnel.constants import PING_TIMEOUT
from fastmux.tunnel.forwarding.wire import PING_LABEL

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection
    from fastmux.aio.message_channel import MessageChannel

_NUMBER: Final = struct.Struct("!Q")


@dataclass(slots=True)
class PingResult:
    """What came of the pings: `round_trips` in seconds, in the order of the answers."""

    sent: int = 0
    round_trips: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How many got no answer."""
        return self.sent - len(self.round_trips)

    def percentile(self, share: float) -> float:
        """The round trip that `share` (0 to 1) of all do not exceed (nearest rank); there is one at least."""
        ordered = sorted(self.round_trips)
        return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]

    def summary(self) -> list[str]:
        """The lines at the end, times in milliseconds."""
        share = 100 * self.lost / self.sent if self.sent else 0
        lines = [f"{self.sent} sent, {len(self.round_trips)} answered, {share:.0f} % lost"]
        if self.round_trips:
            values = (
                min(self.round_trips),
                sum(self.round_trips) / len(self.round_trips),
                max(self.round_trips),
                self.percentile(0.99),
            )
            lines.append("min/avg/max/p99 = " + "/".join(f"{value * 1e3:.3f}" for value in values) + " ms")
        return lines


class Pinger:
    """Pings over one connection.

    Invariant: `_sent_at` has the pings without an answer so far, at most those of the last `PING_TIMEOUT`
    seconds and one interval.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        size: int,
        interval: float,
        on_answer: Callable[[int, float], None],
        result: PingResult,
    ) -> None:
        """`size` in bytes, 8 to 64; `interval` in seconds; `on_answer` gets number and round trip.

        `result` is filled as answers come.
        """
        self._connection = connection
        self._size = size
        self._interval = interval
        self._on_answer = on_answer
        self._sent_at: dict[int, float] = {}
        self._all_answered = asyncio.Event()
        self.result = result

    async def run(self, count: int | None) -> None:
        """Send `count` pings (None: until cancelled) and wait for their answers. Raises ConnectionError."""
        async with await self._connection.open_message_channel(PING_LABEL) as channel:
            receiving = asyncio.create_task(self._receive(channel), name="fastmux pings")
            try:
                await self._send(channel, count, receiving)
                await self._wait_for_answers(receiving)
            finally:
                receiving.cancel()
                await asyncio.gather(receiving, return_exceptions=True)

    async def _wait_for_answers(self, receiving: asyncio.Task[None]) -> None:
        waiting = asyncio.create_task(self._all_answered.wait())
        await asyncio.wait((receiving, waiting), timeout=PING_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if receiving.done():
            receiving.result()

    async def _send(self, channel: MessageChannel, count: int | None, receiving: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        padding = os.urandom(self._size - _NUMBER.size)
        next_at = loop.time()
        while (count is None or self.result.sent < count) and not receiving.done():
            number = self.result.sent + 1
            self._forget(loop.time() - PING_TIMEOUT)
            self._sent_at[number] = loop.time()
            self._all_answered.clear()
            await channel.send(_NUMBER.pack(number) + padding)
            self.result.sent = number
            next_at += self._interval
            if number != count:
                await asyncio.wait((receiving,), timeout=max(0.0, next_at - loop.time()))

    def _forget(self, before: float) -> None:
        for number in [number for number, sent_at in self._sent_at.items() if sent_at < before]:
            del self._sent_at[number]

    async def _receive(self, channel: MessageChannel) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                message = await channel.receive()
            except EndOfStream:
                raise ConnectionError("the server ended the ping channel") from None
            number = _NUMBER.unpack_from(message)[0] if len(message) == self._size else 0
            sent_at = self._sent_at.pop(number, None)
            if sent_at is None:
                continue  # too late, or not ours
            self.result.round_trips.append(loop.time() - sent_at)
            self._on_answer(number, self.result.round_trips[-1])
            if not self._sent_at:
                self._all_answered.set()
