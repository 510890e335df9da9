"""The serving end of one connection: dials, listens and answers pings for the far end, by rule.

Owns: what becomes of each channel that the far end opens. May not know: the rules themselves, how bytes are
carried. Nothing is dialled or bound before the rules were asked, and no address but the one they gave.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from fastmux import constants as c
from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.stream import Stream
from fastmux.exceptions import BrokenResourceError, ClosedResourceError
from fastmux.security.peer_names import name_of
from fastmux.tunnel.access.access import AccessDenied
from fastmux.tunnel.constants import MAX_SOCKETS_PER_IDENTITY
from fastmux.tunnel.forwarding.answering import AnyChannel, answer, carry_dialled
from fastmux.tunnel.forwarding.binding import Bound, bind
from fastmux.tunnel.forwarding.carry import CANCELLED
from fastmux.tunnel.forwarding.counters import CLOSED, ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.dialing import dial_tcp, dial_udp, dial_unix
from fastmux.tunnel.forwarding.exit_listener import ExitListener
from fastmux.tunnel.forwarding.ping_echo import PingEcho
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.splice import outcome_of
from fastmux.tunnel.forwarding.wire import Accepted, Dial, Listen, Ping, Request, parse_label
from fastmux.tunnel.notation.targets import Target

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection
    from fastmux.tunnel.access.access import Access

logger = logging.getLogger("fastmux.tunnel.exit")

AcceptedHandler: TypeAlias = Callable[[Accepted, AnyChannel], Awaitable[None]]

UNKNOWN_LABEL: Final = "refused: no such request"


class Exit:
    """Serves the channels that the far end of `connection` opens.

    `access` is asked for every channel; None (at a client) allows nothing but pings and what `accepted`
    takes. It may be replaced: channels that are open stay, new ones are held against the new rules.
    `accepted` takes the channels of listeners at the far end (`Reverse.serve_accepted`).
    """

    def __init__(
        self,
        connection: Connection,
        access: Access | None,
        registry: ChannelRegistry,
        limits: Sequence[RateLimit] = (),
        *,
        accepted: AcceptedHandler | None = None,
        max_sockets: int = MAX_SOCKETS_PER_IDENTITY,
    ) -> None:
        """`max_sockets` bounds the open sockets of the far end's identity, over all of its connections."""
        self.access = access
        self.identity = name_of(connection.peer)
        self._connection = connection
        self._registry = registry
        self._limits = limits
        self._accepted = accepted
        self._max_sockets = max_sockets
        self._pings = PingEcho(asyncio.get_running_loop().time)
        self._going_away = asyncio.Event()

    async def run(self) -> None:
        """Serve until the connection ends. Raises `ConnectionClosed` if it ended with an error.

        Cancelled, it resets every channel.
        """
        await self._connection.serve(self._serve)

    async def _serve(self, channel: AnyChannel) -> None:
        try:
            request = parse_label(channel.label)
        except ValueError as error:
            logger.debug("%s: %s", self.identity, error)
            self._refuse_unknown(channel, "unknown", channel.label)
            return
        match request, channel:
            case Dial(target), _ if (target.protocol == "udp") == isinstance(channel, MessageChannel):
                await self._counted(partial(self._dial, channel, target), channel, target.protocol, target)
            case Listen(target), Stream():
                await self._counted(partial(self._listen, channel, target), channel, "listen", target)
            case Ping(), MessageChannel():
                await self._ping(channel)
            case Accepted(), _ if self._accepted is not None:
                await self._accepted(request, channel)
            case _:
                self._refuse_unknown(channel, _kind_of(request), channel.label)

    def _refuse_unknown(self, channel: AnyChannel, kind: str, label: str) -> None:
        channel.reset(c.REFUSED)
        record = self._registry.open(self.identity, kind, label, "in", holds_socket=False)
        self._registry.close(record, UNKNOWN_LABEL)

    def _is_busy(self) -> bool:
        return self._registry.sockets_of(self.identity) >= self._max_sockets

    async def _counted(
        self, serve: Callable[[ChannelRecord], Awaitable[str]], channel: AnyChannel, kind: str, target: Target
    ) -> None:
        """Serve a channel that takes a socket, unless the identity has too many open."""
        is_busy = self._is_busy()
        record = self._registry.open(self.identity, kind, str(target), "in", holds_socket=not is_busy)

        async def unless_busy() -> str:
            if is_busy:
                raise OpenRefused(AnswerCode.BUSY)
            return await serve(record)

        await answer(channel, unless_busy, record, self._registry)

    # --- dial ---------------------------------------------------------------------------------------

    async def _dial(self, channel: AnyChannel, target: Target, record: ChannelRecord) -> str:
        return await carry_dialled(channel, await self._connect(target), record, self._limits)

    async def _connect(self, target: Target) -> socket.socket:
        if target.protocol == "unix":
            self._rules().check_unix(self._connection.peer, target.path)
            return await dial_unix(target.path)
        rules = self._rules()
        addresses = await rules.resolve(self._connection.peer, target.protocol, target.host, target.port)
        if not addresses:
            raise OpenRefused(AnswerCode.NAME_NOT_FOUND)
        return dial_udp(addresses) if target.protocol == "udp" else await dial_tcp(addresses)

    def _rules(self) -> Access:
        if self.access is None:
            raise AccessDenied("this end offers nothing", "this end offers nothing")
        return self.access

    # --- listen -------------------------------------------------------------------------------------

    async def _listen(self, stream: Stream, target: Target, record: ChannelRecord) -> str:
        bound = await self._bind(target)
        listener = ExitListener(
            self._connection,
            stream,
            self.identity,
            self._registry,
            self._limits,
            self._is_busy,
            self._going_away,
        )
        return await listener.serve(bound, record)

    async def _bind(self, target: Target) -> Bound:
        rules, peer = self._rules(), self._connection.peer
        if target.protocol == "unix":
            rules.check_listen_unix(peer, target.path)
        else:
            rules.check_listen(peer, target.protocol, target.host, target.port)
        return await bind(target)

    # --- ping ---------------------------------------------------------------------------------------

    async def _ping(self, channel: MessageChannel) -> None:
        record = self._registry.open(self.identity, "ping", "", "in", holds_socket=False)
        outcome = CANCELLED
        try:
            await self._pings.serve(channel, record)
            outcome = CLOSED
        except (OSError, BrokenResourceError, ClosedResourceError) as error:
            outcome = outcome_of(error)
            channel.reset(c.CANCELLED)
        finally:
            self._registry.close(record, outcome)


def _kind_of(request: Request) -> str:
    return type(request).__name__.lower()
