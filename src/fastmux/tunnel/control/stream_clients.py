"""The clients of a small local service (control socket, metrics): a task for each, all of them at its end.

Owns: their tasks and the closing of their connections. May not know: what they are served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

logger = logging.getLogger("fastmux.tunnel")

Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class StreamClients:
    """Give `serve` to `asyncio.start_server`. Invariant: `_tasks` are the clients that are connected."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run the handler for a client, then close its connection; a client that goes away is no error."""
        task = asyncio.create_task(self._run(reader, writer), name="fastmux local client")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handler(reader, writer)
        except (OSError, TimeoutError) as error:
            logger.debug("a local client went away: %r", error)
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def close(self) -> None:
        """Cut off every client and wait until that is done."""
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
