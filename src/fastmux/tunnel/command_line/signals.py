"""Running a command's coroutine so that a signal ends it in good order.

Owns: which signals cancel it, and what the exit code is then. May not know: what it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastmux.tunnel.exits import LOST, CommandError

T = TypeVar("T")

logger = logging.getLogger("fastmux.tunnel")

_ENDING = tuple(
    number for name in ("SIGHUP", "SIGINT", "SIGTERM") if (number := getattr(signal, name, None)) is not None
)


def run_until_signal(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; the first SIGHUP, SIGINT or SIGTERM cancels it, so that it can say good-bye.

    Raises `CommandError` with 255 and no text if a signal ended it, KeyboardInterrupt for SIGINT.
    """
    received: list[int] = []

    async def guarded() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(main)

        def on_signal(number: int) -> None:
            received.append(number)
            task.cancel()

        for number in _ENDING:
            with contextlib.suppress(NotImplementedError):  # Windows: an interrupt ends the process there
                loop.add_signal_handler(number, on_signal, number)
        try:
            return await task
        finally:
            for number in _ENDING:
                with contextlib.suppress(NotImplementedError):
                    loop.remove_signal_handler(number)

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if not received:
            raise
    if received[0] == signal.SIGINT:
        raise KeyboardInterrupt
    logger.info("ended by %s", signal.Signals(received[0]).name)
    raise CommandError(LOST, "")  # whoever sent it knows: ssh ends every ProxyCommand so
