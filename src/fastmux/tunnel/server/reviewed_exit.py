"""An `Exit` that can be held against new rules, and drained.

Owns: which task serves which open request. May not know: rules themselves, how a request is served.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastmux import constants as c
from fastmux.tunnel.access.access import Access, AccessDenied
from fastmux.tunnel.forwarding.answering import AnyChannel
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.exit import Exit
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.notation.targets import Target

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection

logger = logging.getLogger("fastmux.tunnel.exit")


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """One request that is being served."""

    kind: str
    target: Target
    task: asyncio.Task[None]


class ReviewedExit(Exit):
    """The serving end of a connection at a server.

    Invariant: `_open` has each request that takes a socket, from its arrival to its end.
    """

    def __init__(
        self,
        connection: Connection,
        access: Access,
        registry: ChannelRegistry,
        limits: Sequence[RateLimit],
        *,
        max_sockets: int,
    ) -> None:
        super().__init__(connection, access, registry, limits, max_sockets=max_sockets)
        self._server_end = connection
        self._open: set[_Open] = set()
        self._is_draining = False

    def drain(self) -> None:
        """Take no new channels, and close the connection when those that are open have ended.

        Listeners close at once; what they accepted may go on. Datagrams hold up nothing: they have no end.
        """
        self._is_draining = True
        self._going_away.set()
        self._close_if_drained()

    async def review(self, access: Access) -> int:
        """From now on these rules hold: ends what they do not allow, and returns how much that was.

        A name is resolved anew; one that cannot be resolved just now is no reason to end anything.
        """
        self.access = access
        ended = 0
        for each in list(self._open):
            try:
                await self._check(access, each)
            except AccessDenied as denied:
                if each in self._open:
                    logger.warning("ended by the new rules: %s", denied)
                    each.task.cancel()
                    ended += 1
            except OSError as error:
                logger.info("%s cannot be held against the new rules: %s", each.target, error)
        return ended

    async def _check(self, access: Access, each: _Open) -> None:
        """Ask the rules as for a new request. Raises AccessDenied, OSError."""
        peer, target = self._server_end.peer, each.target
        if target.protocol == "unix":
            check = access.check_listen_unix if each.kind == "listen" else access.check_unix
            check(peer, target.path)
        elif each.kind == "listen":
            access.check_listen(peer, target.protocol, target.host, target.port)
        else:
            await access.resolve(peer, target.protocol, target.host, target.port)

    async def _serve(self, channel: AnyChannel) -> None:
        if self._is_draining:
            channel.reset(c.REFUSED)
            return
        await super()._serve(channel)

    async def _counted(
        self, serve: Callable[[ChannelRecord], Awaitable[str]], channel: AnyChannel, kind: str, target: Target
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        entry = _Open(kind, target, task)
        self._open.add(entry)
        try:
            await super()._counted(serve, channel, kind, target)
        finally:
            self._open.discard(entry)
            if self._is_draining:
                asyncio.get_running_loop().call_soon(self._close_if_drained)

    def _close_if_drained(self) -> None:
        if all(each.target.protocol == "udp" for each in self._open):
            self._server_end.close(c.NO_ERROR, "the server is going away")
