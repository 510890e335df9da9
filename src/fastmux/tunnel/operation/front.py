"""What a long-running command shows of itself: control socket, metrics, signals, and the service manager.

Owns: these four, and their common life. May not know: what the command does; it asks a `Steerable`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol

from fastmux._version import __version__
from fastmux.tunnel.control.lines import ControlError, Request
from fastmux.tunnel.control.server import ControlServer
from fastmux.tunnel.control.status import Fields
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.notation.hosts import host_and_port
from fastmux.tunnel.operation.exposition import Family, render
from fastmux.tunnel.operation.metrics_server import MetricsServer
from fastmux.tunnel.operation.notify import Notifier

logger = logging.getLogger("fastmux.tunnel")


class Steerable(Protocol):
    """A command that runs until it is drained or stopped."""

    role: str

    async def status(self) -> Fields:
        """What is open; see `control.status`."""
        ...

    async def families(self) -> list[Family]:
        """The metrics."""
        ...

    async def reload(self) -> str:
        """Read configuration and certificates anew; one line about it. Raises `ConfigurationError`."""
        ...

    def drain(self) -> None:
        """Take nothing new, and end when what is open has ended or the time for it is over."""
        ...

    def stop(self) -> None:
        """End at once."""
        ...

    async def forward(self, kind: str, spec: str) -> str:
        """Add a forward; one line about it. Raises ControlError, OSError, `ConfigurationError`."""
        ...

    async def cancel(self, kind: str, spec: str) -> str:
        """Remove a forward; one line about it. Raises as `forward`."""
        ...


class Front:
    """Runs beside a command: `async with Front(...)`.

    Invariant: `_tasks` are the reloads under way and the watchdog.
    """

    def __init__(
        self,
        steered: Steerable,
        *,
        control: Path | None,
        metrics: tuple[str, int] | None,
        notifier: Notifier | None = None,
    ) -> None:
        """`control` and `metrics` are where to listen, None for not at all."""
        self._steered = steered
        self._notifier = notifier or Notifier()
        self._started_at = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stack = contextlib.AsyncExitStack()
        self._control = ControlServer(control, self.answer) if control is not None else None
        self._metrics = MetricsServer(*metrics, self.exposition) if metrics is not None else None
        self._places = {"--control": str(control), "--metrics": host_and_port(*metrics) if metrics else ""}
        self._is_ending = False

    async def __aenter__(self) -> Front:
        """Open everything. Raises `ConfigurationError` if an address or path cannot be used."""
        option = "--control"
        try:
            if self._control is not None:
                await self._stack.enter_async_context(self._control)
                logger.info("control socket at %s", self._control.path)
            option = "--metrics"
            if self._metrics is not None:
                await self._stack.enter_async_context(self._metrics)
                logger.info("metrics at http://%s:%d/metrics", *self._metrics.address)
        except (OSError, ValueError) as error:
            await self._stack.aclose()
            raise ConfigurationError(f"{option} {self._places[option]}: {_reason(error)}") from error
        self._watch_signals()
        if self._notifier.watchdog_interval is not None:
            self._start(self._feed_watchdog(self._notifier.watchdog_interval))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        for number in _SIGNALS:
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().remove_signal_handler(number)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def ready(self, text: str) -> None:
        """The command serves."""
        logger.info("%s", text)
        self._notifier.ready(text)

    # --- requests -------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Any:
        """Answer a control request. Raises what it is refused with."""
        match request:
            case {"op": "status"}:
                return await self.status()
            case {"op": "reload"}:
                return await self.reload()
            case {"op": "drain"}:
                self.drain()
                return "draining: nothing new is taken"
            case {"op": "exit"}:
                self.stop()
                return "exiting"
            case {"op": "forward", "kind": str(kind), "spec": str(spec)}:
                return await self._steered.forward(kind, spec)
            case {"op": "cancel", "kind": str(kind), "spec": str(spec)}:
                return await self._steered.cancel(kind, spec)
        raise ControlError(f"there is no request {request['op']!r} with these fields")

    async def status(self) -> Fields:
        """The status with what is the same for every command."""
        fields = {
            "role": self._steered.role,
            "version": __version__,
            "pid": os.getpid(),
            "uptime": time.monotonic() - self._started_at,
            "state": "draining" if self._is_ending else "serving",
        }
        return fields | await self._steered.status()

    async def exposition(self) -> str:
        """The metrics as text."""
        return render(await self._steered.families())

    async def reload(self) -> str:
        """Reload, and tell the service manager."""
        self._notifier.reloading()
        try:
            text = await self._steered.reload()
        except Exception as error:
            self._notifier.ready(f"the reload failed: {error}")
            raise
        logger.info("reloaded: %s", text)
        self._notifier.ready(f"reloaded: {text}")
        return text

    def drain(self) -> None:
        """Drain; a second time stops."""
        if self._is_ending:
            self.stop()
            return
        self._is_ending = True
        logger.info("draining: nothing new is taken, what is open may finish")
        self._notifier.stopping()
        self._steered.drain()

    def stop(self) -> None:
        """Stop at once."""
        self._is_ending = True
        self._notifier.stopping()
        self._steered.stop()

    # --- signals and the watchdog ------------------------------------------------------------------------

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number, act in _SIGNALS.items():
            with contextlib.suppress(NotImplementedError):  # Windows: an interrupt ends the process there
                loop.add_signal_handler(number, act, self)

    def _reload_by_signal(self) -> None:
        self._start(self._try_reload())

    async def _try_reload(self) -> None:
        try:
            await self.reload()
        except (ConfigurationError, OSError, ValueError) as error:
            logger.error("nothing was reloaded: %s", error)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="fastmux front")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _feed_watchdog(self, interval: float) -> None:
        while True:
            self._notifier.watchdog()
            await asyncio.sleep(interval)


def _reason(error: OSError | ValueError) -> str:
    """The system's sentence without its number; the place is said beside it."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


_ACTS: Final[dict[str, Callable[[Front], None]]] = {
    "SIGHUP": Front._reload_by_signal,
    "SIGTERM": Front.drain,
    "SIGINT": Front.stop,
}
_SIGNALS: Final = {
    number: act for name, act in _ACTS.items() if (number := getattr(signal, name, None)) is not None
}
