"""A listener that the far end asked for: what comes in here goes to the far end.

Owns: a listen stream from its request to its end. May not know: rules, which have been asked before.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from fastmux.aio.answers import AnswerCode, OpenRefused, encode_answer, read_answer
from fastmux.exceptions import BrokenResourceError, ClosedResourceError, EndOfStream
from fastmux.protocol.events import Address
from fastmux.tunnel.constants import FORWARD_OPEN_TIMEOUT, PRIORITY_BULK, PRIORITY_INTERACTIVE
from fastmux.tunnel.forwarding.acceptor import Acceptor
from fastmux.tunnel.forwarding.binding import Bound
from fastmux.tunnel.forwarding.carry import carry
from fastmux.tunnel.forwarding.counters import CLOSED, ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.splice import outcome_of
from fastmux.tunnel.forwarding.udp_flows import UdpFlows
from fastmux.tunnel.forwarding.udp_listener import UdpListener
from fastmux.tunnel.forwarding.wire import accepted_label_of

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection
    from fastmux.aio.message_channel import MessageChannel
    from fastmux.aio.stream import Stream

SPOKE: Final = "the far end sent something on a listen stream"
GOING_AWAY: Final = "this end is going away"


class ExitListener:
    """One listener on behalf of a connection, as long as its listen stream is open in both directions."""

    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        identity: str,
        registry: ChannelRegistry,
        limits: Sequence[RateLimit],
        is_busy: Callable[[], bool],
        going_away: asyncio.Event,
    ) -> None:
        """`is_busy()` tells whether the identity has no room for another socket.

        Once `going_away` is set it listens no more, as if the stream had ended.
        """
        self._connection = connection
        self._stream = stream
        self._identity = identity
        self._registry = registry
        self._limits = limits
        self._is_busy = is_busy
        self._going_away = going_away
        self._target = ""

    async def serve(self, bound: Bound, record: ChannelRecord) -> str:
        """Say where it listens, take what comes until the stream ends, and wait for what was taken.

        Takes `bound` over. Closes `record` when it listens no more, with the outcome that it returns at
        the end. Cancelled, it resets what is open.
        """
        self._target = str(bound.target)
        listener = self._start(bound)
        try:
            outcome = await self._wait_for_end(self._target)
            listener.stop()
            self._registry.close(record, outcome)  # what was accepted may go on for days
            await listener.join()
        finally:
            await listener.close()
        return outcome

    def _start(self, bound: Bound) -> Acceptor | UdpListener:
        if bound.target.protocol != "udp":
            return Acceptor(bound, self._carry)
        listener = UdpListener(bound)
        flows: UdpFlows[Address] = UdpFlows(
            self._open_channel,
            listener.deliver,
            lambda _: self._record("udp", holds_socket=False),
            self._registry,
            self._limits,
        )
        listener.start(flows)
        return listener

    async def _wait_for_end(self, text: str) -> str:
        try:
            self._stream.priority = PRIORITY_INTERACTIVE
            await self._stream.send(encode_answer(AnswerCode.CONNECTED, text))
            if not await self._heard():
                await self._stream.send_eof()
                return GOING_AWAY
        except EndOfStream:
            return CLOSED
        except (OSError, BrokenResourceError, ClosedResourceError) as error:
            return outcome_of(error)
        return SPOKE

    async def _heard(self) -> bool:
        """Wait for a word of the far end, which must not say any, or until this end goes away: False then.

        Raises what `Stream.receive` raises.
        """
        word = asyncio.ensure_future(self._stream.receive())
        leaving = asyncio.ensure_future(self._going_away.wait())
        try:
            await asyncio.wait((word, leaving), return_when=asyncio.FIRST_COMPLETED)
            if word.done():
                word.result()
            return word.done()
        finally:
            word.cancel()
            leaving.cancel()
            await asyncio.gather(word, leaving, return_exceptions=True)

    def _record(self, kind: str, *, holds_socket: bool) -> ChannelRecord:
        return self._registry.open(
            self._identity, kind, f"from {self._target}", "out", holds_socket=holds_socket
        )

    async def _carry(self, sock: socket.socket, host: str, port: int) -> None:
        kind = "tcp" if host else "unix"
        is_busy = self._is_busy()
        record = self._record(kind, holds_socket=not is_busy)

        async def open_stream() -> Stream:
            if is_busy:
                raise OpenRefused(AnswerCode.BUSY)
            async with asyncio.timeout(FORWARD_OPEN_TIMEOUT):
                label = accepted_label_of(self._stream.id, host, port)
                stream = await self._connection.open_stream(label, priority=PRIORITY_BULK)
                try:
                    await read_answer(stream)
                except BaseException:
                    stream.reset()
                    raise
                return stream

        await carry(sock, open_stream, record, self._registry, self._limits)

    async def _open_channel(self, address: Address) -> MessageChannel:
        async with asyncio.timeout(FORWARD_OPEN_TIMEOUT):
            return await self._connection.open_message_channel(
                accepted_label_of(self._stream.id, address[0], address[1]),
                priority=PRIORITY_BULK,
                ordered=False,
                reliable=False,
            )
