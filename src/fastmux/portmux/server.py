"""`listen` of this way, and the server that it makes.

Owns: which peers get ports, and how many all of them together. May not know: how ports are agreed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeAlias, Unpack

from fastmux import constants as c
from fastmux.aio.client import HandshakeMaker
from fastmux.aio.connection import Connection
from fastmux.aio.message_channel import MessageChannel
from fastmux.aio.opening import Opening
from fastmux.aio.server import CLOSE_TIMEOUT, Listener, Server
from fastmux.aio.server import listen as listen_for_control
from fastmux.aio.settings import Settings
from fastmux.exceptions import BrokenResourceError, ChannelReset, EndOfStream, ProtocolError
from fastmux.portmux.connection import PortConnection
from fastmux.portmux.greeting import greet
from fastmux.portmux.handshake import ExportingTls
from fastmux.portmux.messages import Hello
from fastmux.portmux.ports import PortPool
from fastmux.portmux.terms import Terms, make_terms
from fastmux.protocol.events import Address

PortHandler: TypeAlias = Callable[[PortConnection], Awaitable[object]]


class PortServer:
    """A listener whose connections have ports. Made by `listen`.

    Invariant: `_connections` are those whose handler, or graceful close, has not ended.
    """

    def __init__(self, handler: PortHandler, terms: Terms, pool: PortPool) -> None:
        self._handler = handler
        self._terms = terms
        self._pool = pool
        self._connections: set[PortConnection] = set()
        self._server: Server | None = None

    def attach(self, server: Server) -> None:
        """This server accepts the control connections."""
        self._server = server

    @property
    def server(self) -> Server:
        """The server of the control connections. Raises RuntimeError before it listens."""
        if self._server is None:
            raise RuntimeError("this server does not listen yet: `await` or enter what listen() returned")
        return self._server

    @property
    def port(self) -> int:
        """The UDP port of the control connections."""
        return self.server.port

    @property
    def sockets(self) -> tuple[Address, ...]:
        """The local address of each socket for control connections; none after the close."""
        return self.server.sockets

    @property
    def connections(self) -> tuple[PortConnection, ...]:
        """The connections whose handler, or graceful close, has not ended."""
        return tuple(self._connections)

    @property
    def ports_in_use(self) -> int:
        """How many ports the channels of all connections have."""
        return self._pool.in_use

    def counters(self) -> dict[str, int]:
        """What became of datagrams and knocks at the sockets for control connections."""
        return self.server.counters()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close, and wait until that is done."""
        self.close()
        await self.wait_closed()

    def close(self) -> None:
        """Refuse new connections and begin to close: handlers get `close_timeout` to finish."""
        self.server.close()

    async def wait_closed(self) -> None:
        """Wait until the server is closed: handlers ended, connections and sockets closed."""
        await self.server.wait_closed()

    async def serve_forever(self) -> None:
        """Serve until the server is closed, or this is cancelled, which closes it."""
        await self.server.serve_forever()

    # --- connections ----------------------------------------------------------------------------------

    async def handle(self, control: Connection) -> None:
        """Greet a new peer, run the handler, and close: gracefully if it returned, else with INTERNAL."""
        channel, greeting = await self._greeted(control)
        connection = PortConnection(
            control, channel, is_client=False, terms=self._terms, greeting=greeting, pool=self._pool
        )
        self._connections.add(connection)
        try:
            await self._handler(connection)
            await connection.aclose()
        except asyncio.CancelledError:
            connection.abort(c.CANCELLED, "the server stopped")
            raise
        except Exception:
            connection.abort(c.INTERNAL, "the handler failed")
            raise
        finally:
            self._connections.discard(connection)

    async def _greeted(self, control: Connection) -> tuple[MessageChannel, Hello]:
        """The control channel of a peer that speaks this way. Raises ConnectionError; the peer was told."""
        channel: MessageChannel | None = None
        try:
            async with asyncio.timeout(c.PORT_TIMEOUT):
                incoming = await control.accept()
                if isinstance(incoming, MessageChannel) and incoming.label == c.PORTMUX_LABEL:
                    channel = incoming
                    return channel, await greet(channel, self._terms)
                incoming.reset(c.REFUSED)
                reason = "this server multiplexes by port: use fastmux.portmux.connect"
        except TimeoutError:
            reason = f"no greeting of portmux within {c.PORT_TIMEOUT:g} s: use fastmux.portmux.connect"
        except (ProtocolError, ChannelReset, EndOfStream, BrokenResourceError) as error:
            reason = str(error)
        if channel is not None:
            channel.reset(c.REFUSED)
        control.abort(c.REFUSED, reason)
        raise ConnectionError(reason)


class PortListener(Opening[PortServer]):
    """What `listen` returns: await it, or use it in `async with`. Use it once."""

    def __init__(self, server: PortServer, listener: Listener) -> None:
        self._server = server
        self._listener = listener

    async def _open(self) -> PortServer:
        self._server.attach(await self._listener)
        return self._server


def listen(
    handler: PortHandler,
    host: str | None = None,
    port: int = 0,
    *,
    tls: HandshakeMaker,
    ports: Sequence[int] = (),
    max_ports: int = c.DEFAULT_MAX_PORTS,
    max_total_ports: int = c.MAX_TOTAL_PORTS,
    close_timeout: float | None = CLOSE_TIMEOUT,
    **settings: Unpack[Settings],
) -> PortListener:
    """Listen for connections that have a port for each channel: `async with listen(…) as server`.

    `handler(connection)` runs in a task for each connection, as with `fastmux.listen`; `port` is that of
    the control connections. The ports of channels are bound at the address that a client's control
    connection came to, and are taken from `ports` (for example `range(50000, 51000)`, which a firewall must
    let in too), empty for whatever the system gives. `max_ports` is how many channels each end of one
    connection may have open at once, `max_total_ports` how many ports all connections may have: what is asked
    for beyond is refused with RESOURCE_LIMIT. The rest is as for `fastmux.listen`.
    """
    terms = make_terms(max_ports, **settings)
    server = PortServer(handler, terms, PortPool(max_total_ports, ports))
    control: Settings = {**terms.control, "max_message_channels": 1}
    listener = listen_for_control(
        server.handle, host, port, tls=ExportingTls(tls), close_timeout=close_timeout, **control
    )
    return PortListener(server, listener)
