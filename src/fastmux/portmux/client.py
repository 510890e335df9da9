"""`connect` of this way.

Owns: from a host name to a connection that may ask for ports. May not know: how ports are agreed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, Unpack

from fastmux import constants as c
from fastmux.aio.backoff import Backoff
from fastmux.aio.client import Connector, HandshakeMaker
from fastmux.aio.client import connect as connect_control
from fastmux.aio.opening import Opening
from fastmux.aio.reconnecting import connections
from fastmux.aio.settings import Settings
from fastmux.exceptions import (
    BrokenResourceError,
    ChannelReset,
    ClosedResourceError,
    EndOfStream,
    HandshakeError,
    ProtocolError,
)
from fastmux.portmux.connection import PortConnection
from fastmux.portmux.greeting import greet
from fastmux.portmux.handshake import ExportingTls
from fastmux.portmux.ports import PortPool
from fastmux.portmux.terms import Terms, make_terms

_DEFAULT_BACKOFF: Final = Backoff()
_NO_GREETING: Final = (ProtocolError, ChannelReset, EndOfStream, BrokenResourceError, ClosedResourceError)


class PortConnector(Opening[PortConnection]):
    """What `connect` returns: await it, or use it in `async with` or `async for`. Use it once."""

    def __init__(
        self,
        where: str,
        control: Connector,
        terms: Terms,
        open_timeout: float | None,
        backoff: Backoff,
    ) -> None:
        self._where = where
        self._control = control
        self._terms = terms
        self._open_timeout = open_timeout
        self._backoff = backoff

    def __aiter__(self) -> AsyncGenerator[PortConnection, None]:
        """Connections, one after the other: see `fastmux.connect`."""
        return connections(self._open, self._backoff)

    async def _open(self) -> PortConnection:
        control = await self._control
        pool = PortPool(min(2 * self._terms.max_ports, c.MAX_PORTS_LIMIT))
        try:
            async with asyncio.timeout(self._open_timeout):
                channel = await control.open_message_channel(c.PORTMUX_LABEL)
                greeting = await greet(channel, self._terms)
                return PortConnection(
                    control, channel, is_client=True, terms=self._terms, greeting=greeting, pool=pool
                )
        except TimeoutError:
            control.abort()
            raise TimeoutError(
                f"{self._where} did not answer within {self._open_timeout:g} s as a server that multiplexes"
                " by port: is it fastmux.portmux.listen that serves there?"
            ) from None
        except _NO_GREETING as error:
            control.abort(c.PROTOCOL_VIOLATION)
            raise HandshakeError(f"{self._where} does not multiplex by port as this end: {error}") from None
        except BaseException:
            control.abort()
            raise


def connect(
    host: str,
    port: int,
    *,
    tls: HandshakeMaker,
    open_timeout: float | None = 10,
    local_address: tuple[str, int] | None = None,
    max_ports: int = c.DEFAULT_MAX_PORTS,
    backoff: Backoff = _DEFAULT_BACKOFF,
    **settings: Unpack[Settings],
) -> PortConnector:
    """Connect to a listener of `fastmux.portmux`: `await connect(…)` or `async with connect(…) as conn`.

    `max_ports` is how many channels each end may have open at once, as far as this end is concerned; each
    takes a UDP port here and there. `budget` is shared out among them: each port holds the 2 `max_ports`-th
    part. `open_timeout` is that of the handshake, and again that of the greeting; the rest is as for
    `fastmux.connect`, and so are the errors.
    """
    terms = make_terms(max_ports, **settings)
    control = connect_control(
        host,
        port,
        tls=ExportingTls(tls),
        open_timeout=open_timeout,
        local_address=local_address,
        **terms.control,
    )
    return PortConnector(f"{host} port {port}", control, terms, open_timeout, backoff)
