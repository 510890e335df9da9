"""`async for connection in connect(…)`: connects again whenever a connection is over.

Owns: when to connect again, and which errors end it. May not know: how a connection is made.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, TypeVar

from fastmux.aio.backoff import Backoff
from fastmux.aio.logs import CONNECTION_LOGGER
from fastmux.exceptions import AuthenticationError

logger = logging.getLogger(CONNECTION_LOGGER)


class _Closing(AbstractAsyncContextManager[Any], Protocol):
    """A connection: it can be closed, and has a name for the log."""

    @property
    def id(self) -> str:
        """That name."""
        ...

    def close(self) -> None:
        """Begin a graceful close."""
        ...

    async def aclose(self) -> None:
        """Close gracefully."""
        ...


C = TypeVar("C", bound=_Closing)

# Waiting mends none of these: one end is not who it should be, or a certificate or key file is of no use.
_FATAL: Final = (
    AuthenticationError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


async def connections(
    open_one: Callable[[], Awaitable[C]],
    backoff: Backoff,
    draw: Callable[[float, float], float] = random.uniform,
    *,
    clock: Callable[[], float] | None = None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncGenerator[C, None]:
    """Yield open connections, one after the other.

    When the body of the loop comes back its connection is closed, gracefully, if it is not over; when the
    loop is left, too, but not waited for. What could
    not be connected is tried again; `AuthenticationError`, errors of certificate and key files, and whatever
    is no OSError end the iteration. `clock` (None: asyncio's) and `sleep` are those of the loop that runs.
    """
    clock = asyncio.get_running_loop().time if clock is None else clock
    delays = backoff.delays(draw)
    while True:
        try:
            connection = await open_one()
        except _FATAL:
            raise
        except OSError as error:  # ConnectionError and TimeoutError are such
            delay = next(delays)
            logger.info("not connected, again in %.1f s: %s", delay, error)
        else:
            opened_at = clock()
            try:
                yield connection
            except GeneratorExit:  # the loop was left, and nobody may be waited for here
                connection.close()
                raise
            await connection.aclose()
            if clock() - opened_at >= backoff.stable:
                delays = backoff.delays(draw)
            delay = next(delays)
            logger.info("[%s] the connection is over, the next one begins in %.1f s", connection.id, delay)
        await sleep(delay)
