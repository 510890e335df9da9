"""Round trips before and during a transfer: their difference is the queue that the transfer made.

Owns the measurement. Knows nothing of the transfer.
"""

import asyncio
import statistics

from bench.ours import ends

BASE_PINGS = 10
INTERVAL = 0.05


class Pings:
    """Pings a connection; `_loaded` has the round trips since `start` and its warm-up, in seconds."""

    def __init__(self, conn: ends.Link) -> None:
        self._conn = conn
        self._base = 0.0
        self._loaded: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def measure_base(self) -> None:
        """Note the median round trip of the idle connection."""
        self._base = statistics.median([await self._conn.ping() for _ in range(BASE_PINGS)])

    def start(self, delay: float) -> None:
        """Ping from `delay` seconds on until `stop`."""
        self._task = asyncio.create_task(self._go_on(delay), name="pings")

    async def stop(self) -> dict[str, object]:
        """End it; the base and what was seen under load, as figures for the result line."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()
        loaded = statistics.median(self._loaded)
        return {
            "ping_base": self._base,
            "ping_loaded": loaded,
            "pings": len(self._loaded),
            "queue_delay": (loaded - self._base) / self._base,
        }

    async def _go_on(self, delay: float) -> None:
        await asyncio.sleep(delay)
        while True:
            self._loaded.append(await self._conn.ping())
            await asyncio.sleep(INTERVAL)
