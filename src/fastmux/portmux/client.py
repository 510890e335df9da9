"""`connect` of this way.

Owns: from a host name to a connection that may ask for ports. May not know: how ports are agreed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import TracebackType
from typing import Any, Final, Unpack

from fastmux import constants as c
from fastmux.aio.client import Connector, HandshakeMaker
from fastmux.aio.client import connect as connect_control
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

_NO_GREETING: Final = (ProtocolError, ChannelReset, EndOfStream, BrokenResourceError, ClosedResourceError)


class PortConnector:
    """What `connect` returns: await it, or use it in `async with`. Use it once."""

    def __init__(self, where: str, control: Connector, terms: Terms, open_timeout: float | None) -> None:
        self._where = where
        self._control = control
        self._terms = terms
        self._open_timeout = open_timeout
        self._connection: PortConnection | None = None

    def __await__(self) -> Generator[Any, None, PortConnection]:
        return self._open().__await__()

    async def __aenter__(self) -> PortConnection:
        self._connection = await self._open()
        return self._connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close gracefully after a clean block, at once after an error."""
        if self._connection is not None:
            await self._connection.__aexit__(exc_type, exc, traceback)

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
    return PortConnector(f"{host} port {port}", control, terms, open_timeout)
