"""The requests of one client's connection, one after the other: h11 behind a stricter door.

Owns: the parser, and what may follow a request. May not know: sockets. Each request has an h11 connection of
its own; what it did not use begins the next request. After anything unclear there is no next one (H50).
"""

from __future__ import annotations

from typing import Final

import h11

from fastmux.security.names import printable
from fastmux.tunnel import constants as c
from fastmux.tunnel.http_proxy.errors import RequestRefused, reason_of
from fastmux.tunnel.http_proxy.fields import connection_options
from fastmux.tunnel.http_proxy.request_head import HeadCutter, check_head

_CHUNKED_END: Final = b"\r\n\r\n"
_VERSIONS: Final = (b"1.0", b"1.1")


class RequestReader:
    """Heads and bodies, in order.

    Invariant: `exchange` is the h11 connection of the last request. Once `is_body_read`, what came behind it
    is in `_cutter`; before, all that came is in `exchange`.
    """

    def __init__(self) -> None:
        self._cutter = HeadCutter()
        self.exchange = h11.Connection(h11.SERVER)
        self.is_body_read = True
        self._is_chunked = False
        self._may_go_on = True
        self._seen = b""

    @property
    def waiting_size(self) -> int:
        """Bytes that came behind the request, or that begin the next one."""
        return len(self._cutter)

    @property
    def may_go_on(self) -> bool:
        """Whether another request may be read after this one: it was whole, clear and not the last."""
        return self._may_go_on and self.is_body_read

    def receive(self, data: bytes) -> None:
        """Add what came: to the body that is being read, or to what follows."""
        if self.is_body_read:
            self._cutter.receive(data)
        else:
            self._seen = self._seen[-len(_CHUNKED_END) :] + data
            self.exchange.receive_data(data)

    def next_request(self) -> h11.Request | None:
        """The next request, None if more has to come. Raises RequestRefused; nothing is read after that."""
        try:
            head = self._cutter.next_head()
            if head is None:
                return None
            check_head(head)
            return self._parse(head)
        except RequestRefused:
            self._may_go_on = False
            raise

    def next_body(self) -> bytes | None:
        """A piece of the body, b"" at its end, None if more has to come. Raises RequestRefused."""
        if self.is_body_read:
            return b""
        try:
            event = self.exchange.next_event()
        except h11.RemoteProtocolError as error:
            self._may_go_on = False
            raise _refused(error) from None
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            return None
        self._end_body(event)
        return b""

    def take_rest(self) -> bytes:
        """What came behind the request, for a connection that speaks another protocol from here on."""
        self._may_go_on = False
        return self._cutter.take_all()

    def _parse(self, head: bytes) -> h11.Request:
        exchange = h11.Connection(h11.SERVER, max_incomplete_event_size=c.MAX_HEAD_SIZE)
        exchange.receive_data(head)
        try:
            request = exchange.next_event()
        except h11.RemoteProtocolError as error:
            raise _refused(error) from None
        if not isinstance(request, h11.Request):
            raise RequestRefused(400, "the request has no request line")
        if request.http_version not in _VERSIONS:
            raise RequestRefused(505, "this proxy speaks HTTP/1.1 and HTTP/1.0")
        options = connection_options(request.headers)
        self.exchange = exchange
        self.is_body_read = False
        self._may_go_on = request.http_version == b"1.1" and b"close" not in options
        self._is_chunked = any(name == b"transfer-encoding" for name, _ in request.headers)
        self._seen = b""
        if len(self._cutter):
            self.receive(self._cutter.take_all())
        if not self._is_chunked and not has_length(request):
            self.next_body()  # there is none: its end is here already
        return request

    def _end_body(self, event: h11.EndOfMessage) -> None:
        """What follows is not of this request.

        h11 takes a bare LF for the end of a chunked body, and reads trailers as leniently: after those no
        other request is read.
        """
        rest = self.exchange.trailing_data[0]
        body = self._seen[: len(self._seen) - len(rest)]
        if self._is_chunked and not body.endswith(_CHUNKED_END):
            self._may_go_on = False
            raise RequestRefused(400, "the chunked body does not end with an empty line")
        if event.headers:
            self._may_go_on = False
        self.is_body_read = True
        self._cutter.receive(rest)


def has_length(request: h11.Request) -> bool:
    """Whether the request says how long its body is, and that there is one."""
    return any(name == b"content-length" and value.strip(b"0") for name, value in request.headers)


def _refused(error: h11.ProtocolError) -> RequestRefused:
    """h11's reason; where it quotes the client, the client gets that back, and nobody else."""
    return RequestRefused(error.error_status_hint, printable(reason_of(error)))
