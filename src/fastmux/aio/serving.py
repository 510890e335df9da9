"""A task for each channel that the peer opens.

Owns: the tasks and what becomes of a channel when its handler ends. May not know: how channels are accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fastmux.aio.handling import handle_channel
from fastmux.aio.logs import ConnectionLog
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream

AnyChannel: TypeAlias = Stream | MessageChannel
ChannelHandler: TypeAlias = Callable[[AnyChannel], Awaitable[object]]


class ChannelTasks:
    """Runs a handler for each channel given to it.

    Invariant: `_tasks` are the handlers that have not ended; each ends with its channel closed or reset.
    """

    def __init__(self, handler: ChannelHandler, log: ConnectionLog) -> None:
        self._handler = handler
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, channel: AnyChannel) -> None:
        """Start the handler of a channel."""
        handling = handle_channel(self._handler, channel, self._log)
        task = asyncio.create_task(handling, name=f"fastmux channel {channel.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def join(self) -> None:
        """Wait until every handler has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """Cancel every handler and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await self.join()
