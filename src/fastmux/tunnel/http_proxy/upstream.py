"""One request's way to its origin and back: h11 over a stream of the tunnel.

Owns: the stream, its parser, the record that counts it. May not know: the client. A stream carries one
request and is closed after it: no answer can then be taken for another request's, and there is no idle
connection whose end could cross with a request. It costs one round trip to open the next stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import h11

from fastmux.exceptions import BrokenResourceError, ClosedResourceError, EndOfStream
from fastmux.tunnel import constants as c
from fastmux.tunnel.forwarding.counters import ChannelRecord
from fastmux.tunnel.forwarding.rate import RateLimit, take_all
from fastmux.tunnel.http_proxy.errors import UpstreamFailed, reason_of

if TYPE_CHECKING:
    from fastmux.aio.stream import Stream

AnyResponse = h11.InformationalResponse | h11.Response
ResponseEvent = AnyResponse | h11.Data | h11.EndOfMessage


class Upstream:
    """Sends one request and receives its answer. Every failure is an UpstreamFailed."""

    def __init__(self, stream: Stream, record: ChannelRecord, limits: Sequence[RateLimit]) -> None:
        """Take the stream over."""
        self.stream = stream
        self._record = record
        self._limits = limits
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=c.MAX_HEAD_SIZE)

    async def send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        """Send a part of the request; waits while the origin does not read."""
        try:
            data = self._http.send(event) or b""
            if data:
                await take_all(self._limits, len(data))
                await self.stream.send(data)
        except h11.LocalProtocolError as error:
            raise UpstreamFailed(f"the request cannot be passed on: {error}") from error
        except (BrokenResourceError, ClosedResourceError, ConnectionError) as error:
            raise UpstreamFailed(f"the connection broke: {error}") from error
        self._record.sent_size += len(data)

    async def receive(self) -> ResponseEvent:
        """The next part of the answer."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise UpstreamFailed(
                    f"its answer is not whole, or not HTTP/1.1: {reason_of(error)}"
                ) from error
            if event is h11.NEED_DATA:
                data = await self._read()
                if not data and self._is_silent():  # of which h11 would say that it knows no such event
                    raise UpstreamFailed("it ended the connection without an answer")
                self._http.receive_data(data)
            elif isinstance(event, ResponseEvent):
                return event
            else:
                raise UpstreamFailed("its answer was over already")

    def take_rest(self) -> bytes:
        """What came behind the answer that switched to another protocol."""
        return self._http.trailing_data[0]

    def _is_silent(self) -> bool:
        """Whether nothing of a final answer has come."""
        return self._http.their_state is h11.SEND_RESPONSE and not self._http.trailing_data[0]

    async def _read(self) -> bytes:
        try:
            data = await self.stream.receive(c.PROXY_RECEIVE_SIZE)
        except EndOfStream:
            return b""
        except (ClosedResourceError, ConnectionError) as error:
            raise UpstreamFailed(f"the connection broke: {error}") from error
        await take_all(self._limits, len(data))
        self._record.received_size += len(data)
        return data
