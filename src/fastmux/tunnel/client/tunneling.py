"""`tunnel` in one process: the client and its supervisor, from their start to the end of a drain.

Owns: what starts and ends with what, and what a reload changes. May not know: signals, the control socket.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence

import fastmux
from fastmux.aio.answers import OpenRefused
from fastmux.tunnel import constants as c
from fastmux.tunnel.client.client import TunnelClient
from fastmux.tunnel.client.supervisor import Supervisor
from fastmux.tunnel.control.lines import ControlError
from fastmux.tunnel.control.status import Fields
from fastmux.tunnel.exits import UNREACHABLE, CommandError, ConfigurationError, naming
from fastmux.tunnel.notation.targets import Forward
from fastmux.tunnel.operation.exposition import Family
from fastmux.tunnel.settings.configuration import ClientForward
from fastmux.tunnel.settings.credentials import checked_tls
from fastmux.tunnel.settings.settings import KINDS, TunnelOptions, TunnelSettings, forward_of, tunnel_settings

logger = logging.getLogger("fastmux.tunnel.client")


class Tunneling:
    """One tunnel; a `Steerable`. `run` it once.

    Invariant: `_forwards` are those of the settings that were started, or refused and left out.
    """

    role = "tunnel"

    def __init__(
        self, options: TunnelOptions, settings: TunnelSettings, *, exit_on_forward_failure: bool = False
    ) -> None:
        self._options = options
        self._settings = settings
        self._exits_on_failure = exit_on_forward_failure
        self._forwards: set[_Hashable] = set()
        self._ending = asyncio.Event()
        self._is_draining = False
        self._failure: CommandError | None = None
        self.client = TunnelClient(self._supervisor, limit=settings.limit, on_refused=self._on_refused)

    def _supervisor(self, on_open: Callable[[fastmux.Connection], None]) -> Supervisor:
        host, port = self._settings.server
        tls = checked_tls(self._settings.credentials, "client")

        async def connect() -> fastmux.Connection:
            with naming(host):
                return await fastmux.connect(
                    host, port, tls=tls, open_timeout=c.ATTEMPT_TIMEOUT, congestion=self._settings.congestion
                )

        return Supervisor(connect, retry_max=self._settings.retry_max, on_open=on_open)

    async def run(self, on_ready: Callable[[str], None]) -> None:
        """Keep the tunnel until drained or stopped.

        Raises what `Supervisor.run` raises, and `CommandError` for a forward that fails where that is to end
        it.
        """
        supervisor = self.client.supervisor
        supervising: asyncio.Task[None] | None = None
        ending = asyncio.create_task(self._ending.wait())
        try:
            await self._begin_all(self._settings.forwards)
            if not self._settings.forwards:
                logger.info("nothing is forwarded yet: `fastmux ctl forward` adds what you like")
            on_ready("tunnel to {} port {}".format(*self._settings.server))
            supervising = asyncio.create_task(supervisor.run(), name="fastmux supervisor")
            await asyncio.wait((supervising, ending), return_when=asyncio.FIRST_COMPLETED)
            if self._failure is not None:
                raise self._failure
            if supervising.done():
                await supervising
            if self._is_draining:
                await self._drain()
        finally:
            ending.cancel()
            supervisor.close()
            await self.client.close(gracefully=self._is_draining)
            if supervising is not None:
                supervising.cancel()
                await asyncio.gather(supervising, return_exceptions=True)
            await asyncio.gather(ending, return_exceptions=True)

    async def _drain(self) -> None:
        """Let what is open finish; a stop meanwhile ends the wait."""
        self._ending.clear()
        draining = asyncio.create_task(self.client.drain(c.DRAIN_TIMEOUT))
        stopped = asyncio.create_task(self._ending.wait())
        await asyncio.wait((draining, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in (draining, stopped):
            task.cancel()
        await asyncio.gather(draining, stopped, return_exceptions=True)

    async def _begin_all(self, forwards: Sequence[ClientForward]) -> None:
        """Begin what can be. Raises `ConfigurationError` if nothing can: a tunnel of nothing helps nobody."""
        failures = [failure for forward in forwards if (failure := await self._begin(forward))]
        if failures and len(failures) == len(forwards):
            raise ConfigurationError("\n".join(failures))
        for failure in failures:
            logger.error("%s; the others go on", failure)

    async def _begin(self, forward: ClientForward) -> str:
        """Returns why it cannot be, "" if it can. Raises `ConfigurationError` where that is to end all."""
        self._forwards.add(_hashable(forward))
        try:
            await self.client.add(forward)
        except (OSError, ValueError, ControlError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            message = f"{KINDS[forward.kind]} {forward.listen}: {reason}"
            if self._exits_on_failure:
                raise ConfigurationError(message) from error
            return message
        return ""

    def _on_refused(self, forward: Forward, refusal: OpenRefused) -> None:
        if self._exits_on_failure:
            self._failure = CommandError(UNREACHABLE, f"-R {forward}: {refusal}")
            self._ending.set()

    # --- as a Steerable -------------------------------------------------------------------------------

    async def status(self) -> Fields:
        """Connection, forwards, channels."""
        return {"server": "{}:{}".format(*self._settings.server)} | self.client.status()

    async def families(self) -> list[Family]:
        """The metrics."""
        return self.client.families()

    async def reload(self) -> str:
        """Read the configuration anew: forwards that are new begin, those that are gone end."""
        settings = tunnel_settings(self._options, os.getpid())
        checked_tls(settings.credentials, "client")
        wanted = {_hashable(forward): forward for forward in settings.forwards}
        gone = [key for key in self._forwards if key not in wanted]
        former = {_hashable(forward): forward for forward in self._settings.forwards}
        for key in gone:
            self._forwards.discard(key)
            try:
                await self.client.cancel(former[key])
            except ControlError as error:
                logger.info("%s", error)  # `ctl cancel` was first, or it never began
        new = [forward for key, forward in wanted.items() if key not in self._forwards]
        for forward in new:
            if failure := await self._begin(forward):
                logger.error("%s; the others go on", failure)
        for name in ("server", "credentials", "metrics"):
            if getattr(settings, name) != getattr(self._settings, name):
                logger.warning("the configuration has another value for %s: it takes a restart", name)
        if not self.client.limit_to(settings.limit):
            logger.warning("a limit where there was none, or none where there was one, takes a restart")
        self._settings = settings
        return f"{len(new)} forwards began, {len(gone)} ended"

    def drain(self) -> None:
        """Listen no more, and end when what is open has ended, or its time is over."""
        self._is_draining = True
        self._ending.set()

    def stop(self) -> None:
        """End at once."""
        self._is_draining = False
        self._ending.set()

    async def forward(self, kind: str, spec: str) -> str:
        """Add a forward."""
        return await self.client.add_now(forward_of(kind, spec, self._options.users))

    async def cancel(self, kind: str, spec: str) -> str:
        """Remove a forward."""
        return await self.client.cancel(forward_of(kind, spec))


_Hashable = tuple[object, ...]


def _hashable(forward: ClientForward) -> _Hashable:
    return forward.kind, forward.listen, forward.to, tuple(sorted(forward.users.items()))
