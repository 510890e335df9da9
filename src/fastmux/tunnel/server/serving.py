"""`serve` in one process: listeners in front of a `Service`, from their start to the end of a drain.

Owns: the listeners, and what a reload reads anew. May not know: signals, the control socket, other workers.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import fastmux
from fastmux.aio.settings import Settings
from fastmux.tunnel.control.lines import ControlError
from fastmux.tunnel.control.status import Fields, address_text
from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.notation.hosts import host_and_port
from fastmux.tunnel.operation.exposition import Family
from fastmux.tunnel.server.service import Service
from fastmux.tunnel.settings.credentials import checked_tls
from fastmux.tunnel.settings.settings import ServeOptions, ServeSettings, serve_settings

if TYPE_CHECKING:
    from fastmux.aio.server import Listener, Server
    from fastmux.aio.worker_group import WorkerPlace

logger = logging.getLogger("fastmux.tunnel.serve")


def cannot_listen(address: tuple[str, int], error: OSError) -> ConfigurationError:
    """What is said of an address of `-l` that cannot be used: which one, and why."""
    return ConfigurationError(f"-l {host_and_port(*address)}: cannot listen: {error.strerror or error}")


class Serving:
    """One serving process; a `Steerable`. `run` it once.

    Invariant: `_servers` are the servers that listen, one for each address.
    """

    role = "serve"

    def __init__(
        self, options: ServeOptions, settings: ServeSettings, places: Sequence[WorkerPlace] = ()
    ) -> None:
        """`places` are those of a worker, one for each address; without any it binds the addresses itself."""
        self._options = options
        self._settings = settings
        self._places = places
        self._service = Service(settings.policy)
        self._servers: list[Server] = []
        self._ending = asyncio.Event()

    async def run(self, on_ready: Callable[[str], None]) -> None:
        """Serve until drained or stopped. Raises `ConfigurationError` for what keeps it from starting."""
        tls = checked_tls(self._settings.credentials, "server")
        async with AsyncExitStack() as stack:
            for address, listener in self._listeners(tls):
                try:
                    self._servers.append(await stack.enter_async_context(listener))
                except OSError as error:
                    raise cannot_listen(address, error) from error
            on_ready("serving on " + ", ".join(self.listening))
            await self._ending.wait()
            for server in self._servers:
                server.close()
            for server in self._servers:
                await server.wait_closed()

    def _listeners(self, tls: fastmux.TLSConfig) -> list[tuple[tuple[str, int], Listener]]:
        """Each with the address that it is for."""
        timeout = self._settings.drain_timeout
        more: Settings = {
            "congestion": self._settings.congestion,
            "retry": self._settings.retry,
            "reset_key": self._settings.credentials.reset_key(),
        }
        if self._settings.max_connections:
            more["max_connections"] = self._settings.max_connections
        handle = self._service.handle
        if self._places:
            return [
                (
                    place.sockets[0].getsockname()[:2],
                    fastmux.listen(handle, worker=place, tls=tls, close_timeout=timeout, **more),
                )
                for place in self._places
            ]
        return [
            (
                (host, port),
                fastmux.listen(handle, host or None, port, tls=tls, close_timeout=timeout, **more),
            )
            for host, port in self._settings.listen
        ]

    @property
    def listening(self) -> list[str]:
        """The addresses that are listened on."""
        return [address_text(address) for server in self._servers for address in server.sockets]

    # --- as a Steerable -------------------------------------------------------------------------------

    async def status(self) -> Fields:
        """Connections, channels, identities, and where it listens."""
        return {"listening": self.listening} | self._service.status()

    async def families(self) -> list[Family]:
        """The metrics."""
        return self._service.families()

    async def reload(self) -> str:
        """Read configuration and certificates anew, and end what is no longer allowed."""
        lookups = self._service.policy.access.lookups
        settings = serve_settings(self._options, os.getpid(), lookups)
        checked_tls(settings.credentials, "server")
        self._warn_of_what_stays(settings)
        return await self._service.apply(settings.policy)

    def _warn_of_what_stays(self, settings: ServeSettings) -> None:
        for name in ("listen", "credentials", "metrics", "workers", "max_connections", "congestion"):
            if getattr(settings, name) != getattr(self._settings, name):
                logger.warning("the configuration has another value for %s: it takes a restart", name)

    def drain(self) -> None:
        """Refuse what is new, and end when what is open has ended, or its time is over."""
        self._service.drain()
        self._ending.set()

    def stop(self) -> None:
        """Cut off what is open, and end."""
        self._ending.set()
        self._service.stop()

    async def forward(self, kind: str, spec: str) -> str:
        """A server has no forwards."""
        raise ControlError("this is a server: forwards are added at the tunnel")

    async def cancel(self, kind: str, spec: str) -> str:
        """A server has no forwards."""
        raise ControlError("this is a server: forwards are cancelled at the tunnel")
