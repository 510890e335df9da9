"""What `tunnel` does: listeners here and at the server, over whatever connection the supervisor has.

Owns: the forwards, by what they were asked for as, and what serves each new connection. May not know: how a
connection comes to be, signals, the control socket.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from fastmux.aio.answers import OpenRefused
from fastmux.security.peer_names import name_of
from fastmux.tunnel.client.supervisor import Supervisor
from fastmux.tunnel.constants import REVERSE_ANSWER_TIMEOUT
from fastmux.tunnel.control import status
from fastmux.tunnel.control.lines import ControlError
from fastmux.tunnel.forwarding.counters import ChannelRegistry
from fastmux.tunnel.forwarding.exit import Exit
from fastmux.tunnel.forwarding.local import Listener
from fastmux.tunnel.forwarding.outlet import UNKNOWN, Outlet
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.reverse import Reverse
from fastmux.tunnel.notation.targets import Forward, Target
from fastmux.tunnel.operation.exposition import Family
from fastmux.tunnel.operation.metrics import (
    MeteredRegistry,
    PacketCounters,
    channel_families,
    connection_families,
)
from fastmux.tunnel.settings.configuration import ClientForward
from fastmux.tunnel.settings.open_proxies import open_proxy_warning
from fastmux.tunnel.settings.settings import KINDS

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection
    from fastmux.tunnel.proxies.listener import ProxyListener

    _Local: TypeAlias = Listener | ProxyListener

logger = logging.getLogger("fastmux.tunnel.client")


_Key: TypeAlias = tuple[str, Target, Target | None]
RefusalHandler: TypeAlias = Callable[[Forward, OpenRefused], None]


class NamedOutlet(Outlet):
    """Knows the far end's name from the moment of its connection on, not only from the first channel."""

    far_end = UNKNOWN

    @property
    def identity(self) -> str:
        """The name of the far end, of the newest connection."""
        return self.far_end


class WatchedReverse(Reverse):
    """Tells somebody of each refusal."""

    def __init__(
        self, registry: ChannelRegistry, limits: Sequence[RateLimit], on_refused: RefusalHandler
    ) -> None:
        super().__init__(registry, limits)
        self._on_refused = on_refused

    async def _listen(self, connection: Connection, forward: Forward) -> bool:
        try:
            return await super()._listen(connection, forward)
        except OpenRefused as refusal:
            self._on_refused(forward, refusal)
            raise


class TunnelClient:
    """The forwards of one tunnel. `on_open` is for the supervisor.

    Invariant: `_locals` has what listens here by what it was asked for as; `_serving` are the tasks that
    serve connections which have not ended.
    """

    def __init__(
        self,
        supervise: Callable[[Callable[[Connection], None]], Supervisor],
        *,
        limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_refused: RefusalHandler = lambda _forward, _refusal: None,
    ) -> None:
        """`supervise` makes the supervisor, given who is told each new connection.

        `limit` is in bytes a second, over all channels and both directions; `on_refused` is told when the
        server does not listen for a -R.
        """
        self.registry = MeteredRegistry(clock=clock)
        self.supervisor = supervise(self._on_open)
        limits = [RateLimit(limit, clock=clock)] if limit else []
        self._limits = limits
        self._outlet = NamedOutlet(self.supervisor.get_connection, self.registry, limits)
        self._reverse = WatchedReverse(self.registry, limits, on_refused)
        self._reverse_turn = asyncio.Lock()
        self._locals: dict[_Key, _Local] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._packets = PacketCounters()
        self._clock = clock
        self._opened_at = clock()

    # --- forwards -------------------------------------------------------------------------------------

    async def add(self, forward: ClientForward) -> str:
        """Begin a forward, and return a line that says where it listens.

        Raises OSError if the address cannot be used, `ControlError` if it is there already, ValueError for
        what does not go together.
        """
        if forward.kind == "remote":
            assert forward.to is not None
            self._reverse.add(Forward(forward.listen, forward.to))
            return f"-R {forward.listen} at the server goes to {forward.to} here"
        key = _key_of(forward)
        if key in self._locals:
            raise ControlError(f"{KINDS[forward.kind]} {forward.listen} is there already")
        local = self._make(forward)
        await local.start()
        self._locals[key] = local
        text = _description(forward, local.bound)
        logger.info("%s", text)
        if warning := open_proxy_warning(forward):
            logger.warning("%s", warning)
        return text

    async def add_now(self, forward: ClientForward) -> str:
        """As `add`, and of a -R what the server says to it, if that comes in time.

        Raises `ControlError` if the server refuses; the forward is then not kept.
        """
        if forward.kind != "remote":
            return await self.add(forward)
        assert forward.to is not None
        reverse = Forward(forward.listen, forward.to)
        was_there = reverse in self._reverse.forwards
        text = await self.add(forward)
        try:
            async with asyncio.timeout(REVERSE_ANSWER_TIMEOUT):
                bound = await self._reverse.answered(reverse)
        except TimeoutError:
            return f"{text}, once the server answers: it has not yet"
        except OpenRefused as refusal:
            if not was_there:
                await self._reverse.remove(reverse)
            raise ControlError(f"-R {reverse} is refused: {refusal}") from refusal
        return f"-R {bound} at the server goes to {forward.to} here"

    async def cancel(self, forward: ClientForward) -> str:
        """End a forward; what it carries goes on. Raises `ControlError` if there is none."""
        if forward.kind == "remote":
            assert forward.to is not None
            reverse = Forward(forward.listen, forward.to)
            if reverse not in self._reverse.forwards:
                raise ControlError(f"there is no -R {reverse}")
            await self._reverse.remove(reverse)
            return f"-R {reverse} is cancelled"
        local = self._locals.pop(_key_of(forward), None)
        if local is None:
            raise ControlError(f"there is no {KINDS[forward.kind]} {forward.listen} to that target")
        _stop(local)
        return f"{KINDS[forward.kind]} {forward.listen} is cancelled"

    def _make(self, forward: ClientForward) -> _Local:
        """What will listen. Proxies are imported only where there are some."""
        if forward.kind == "local":
            assert forward.to is not None
            return Listener(forward.listen, forward.to, self._outlet)
        users = dict(forward.users) or None
        if forward.kind == "http":
            from fastmux.tunnel.http_proxy.server import HttpProxy

            return HttpProxy(forward.listen, self._outlet, self.registry, users=users)
        from fastmux.tunnel.socks.server import SocksServer

        return SocksServer(forward.listen, self._outlet, self.registry, users=users)

    def limit_to(self, rate: int | None) -> bool:
        """Set a new limit in bytes a second; False if that takes a restart: from none, or to none."""
        if bool(rate) != bool(self._limits):
            return False
        for limit in self._limits:
            assert rate is not None
            limit.bytes_per_second = rate
        return True

    # --- connections ----------------------------------------------------------------------------------

    def _on_open(self, connection: Connection) -> None:
        self._opened_at = self._clock()
        self._outlet.far_end = name_of(connection.peer)
        task = asyncio.get_running_loop().create_task(
            self._serve(connection), name="fastmux tunnel connection"
        )
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, connection: Connection) -> None:
        """Ask for listeners at the server, and take what they accept, until the connection is over."""
        exit_ = Exit(connection, None, self.registry, self._limits, accepted=self._reverse.serve_accepted)
        taking = asyncio.create_task(exit_.run(), name="fastmux accepted channels")
        try:
            async with self._reverse_turn:  # the connection before may not have ended quite yet
                await self._reverse.run(connection)
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            self._packets.end(connection.stats)

    async def drain(self, timeout: float) -> None:
        """Listen no more, and wait until what is open has ended, at most `timeout` seconds."""
        for local in self._locals.values():
            _stop(local)
        for forward in self._reverse.forwards:
            await self._reverse.remove(forward)
        try:
            async with asyncio.timeout(timeout):
                await self.registry.wait_idle()
        except TimeoutError:
            logger.warning("%d channels did not end in time", len(self.registry.records()))

    async def close(self, *, gracefully: bool = False) -> None:
        """Cut off everything; `gracefully` what was sent over the connection is delivered first."""
        for local in self._locals.values():
            if isinstance(local, Listener):
                await local.close()
            else:
                local.close()
                await local.wait_closed()
        self._locals.clear()
        connection = self.supervisor.connection
        if connection is not None:
            if gracefully:
                await connection.aclose()
            connection.abort()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    # --- being watched --------------------------------------------------------------------------------

    def status(self) -> status.Fields:
        """The connection, forwards and channels."""
        rows = [
            status.connection_fields(name_of(connection.peer), connection, self._clock() - self._opened_at)
            for connection in self._connections()
        ]
        return {
            "state": self.supervisor.state,
            "reconnects": self.supervisor.reconnects,
            "last_error": self.supervisor.last_error,
            "forwards": self._forward_lines(),
            **status.limited(rows),
            **status.channel_fields(self.registry),
        }

    def _forward_lines(self) -> list[str]:
        lines = [_line(kind, local.bound, to) for (kind, _, to), local in self._locals.items()]
        for forward in self._reverse.forwards:
            bound = self._reverse.bound.get(forward)
            refusal = self._reverse.refusals.get(forward)
            state = "" if bound else f" (refused: {refusal})" if refusal else " (not yet)"
            lines.append(_line("remote", bound or forward.listen, forward.to) + state)
        return lines

    def families(self) -> list[Family]:
        """The metrics."""
        connections = self._connections()
        reconnects = Family("fastmux_reconnects_total", "counter", "Connections after the first.")
        reconnects.add(self.supervisor.reconnects)
        named = [(name_of(connection.peer), connection) for connection in connections]
        return [
            reconnects,
            *connection_families(self.registry.labels, named),
            *channel_families(self.registry),
            *self._packets.families(connection.stats for connection in connections),
        ]

    def _connections(self) -> list[Connection]:
        connection = self.supervisor.connection
        return [] if connection is None or connection.is_closed else [connection]


def _key_of(forward: ClientForward) -> _Key:
    return forward.kind, forward.listen, forward.to


def _stop(local: _Local) -> None:
    """Listen no more; what came in goes on."""
    if isinstance(local, Listener):
        local.stop()
    else:
        local.stop_accepting()


def _line(kind: str, bound: Target, to: Target | None) -> str:
    return f"{KINDS[kind]} {bound}" + (f" -> {to}" if to is not None else "")


def _description(forward: ClientForward, bound: Target) -> str:
    match forward.kind:
        case "socks5":
            return f"SOCKS5 proxy at {bound}"
        case "http":
            return f"HTTP proxy at {bound}"
    return f"-L {bound} goes to {forward.to} behind the server"
