"""A proxy in memory, a client of it, and the origin that it reaches.

Owns: what the tests of exchanges and visits have in common.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import h11

from fastmux.aio.stream import Stream
from fastmux.tunnel.http_proxy.server import HttpProxy
from tunnel.proxies.world import LOOPBACK, Client, World, client_of, world

GET = b"GET http://example.org/path HTTP/1.1\r\nHost: example.org\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CONNECT = b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def proxy_of(w: World, users: Mapping[str, str] | None = None) -> HttpProxy:
    return HttpProxy(LOOPBACK, w.outlet, w.registry, users=users)


@asynccontextmanager
async def visiting(users: Mapping[str, str] | None = None) -> AsyncIterator[tuple[World, Client]]:
    """A client of a proxy."""
    async with world() as w, client_of(proxy_of(w, users)) as client:
        yield w, client


async def head_at(origin: Stream) -> bytes:
    """The head of a request, as its origin gets it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await origin.receive(1)
    return head


class Answers:
    """Reads answers as a client does, and knows what is behind them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._rest = b""

    async def next(self, method: str = "GET") -> tuple[h11.Response, bytes]:
        """The next final response and its whole body. Raises h11.RemoteProtocolError if it breaks off."""
        http = h11.Connection(h11.CLIENT)
        http.send(h11.Request(method=method, target="http://a/", headers=[("Host", "a")]))
        http.send(h11.EndOfMessage())
        if self._rest:
            http.receive_data(self._rest)
        response: h11.Response | None = None
        body = b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await self._client.some())
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert response is not None
                self._rest = http.trailing_data[0]
                return response, body
