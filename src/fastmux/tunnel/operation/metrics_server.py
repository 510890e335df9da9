"""The HTTP end of --metrics: GET /metrics and nothing else.

Owns: the listener and its bounds. May not know: what is counted. A request is read up to the end of its
headers, answered, and the connection closed, so nothing of a body or a second request is ever interpreted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from fastmux.tunnel.constants import MAX_METRICS_CLIENTS, MAX_METRICS_REQUEST_SIZE, METRICS_TIMEOUT
from fastmux.tunnel.control.stream_clients import StreamClients
from fastmux.tunnel.operation.exposition import CONTENT_TYPE

logger = logging.getLogger("fastmux.tunnel.metrics")

_STATUS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


class MetricsServer:
    """Serves a text over HTTP, to at most `MAX_METRICS_CLIENTS` at once. An asynchronous context manager."""

    def __init__(self, host: str, port: int, collect: Callable[[], Awaitable[str]]) -> None:
        self._host = host
        self._port = port
        self._collect = collect
        self._server: asyncio.Server | None = None
        self.clients = StreamClients(self._serve)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def __aenter__(self) -> Self:
        """Listen. Raises OSError if the address cannot be bound."""
        self._server = await asyncio.start_server(
            self.clients.serve, self._host or None, self._port, limit=MAX_METRICS_REQUEST_SIZE
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close; clients are cut off."""
        assert self._server is not None
        self._server.close()
        await self.clients.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.clients) > MAX_METRICS_CLIENTS:
            logger.warning("more than %d clients ask for metrics at once", MAX_METRICS_CLIENTS)
            return
        async with asyncio.timeout(METRICS_TIMEOUT):
            status, body = await self._answer(reader)
            writer.write(_response(status, body))
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, str]:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return 431, "the request is too large\n"
        except asyncio.IncompleteReadError:
            return 400, "the request is not complete\n"
        refusal = _refusal(head)
        if refusal is not None:
            return refusal
        try:
            return 200, await self._collect()
        except Exception:
            logger.exception("the metrics cannot be collected")
            return 500, "the metrics cannot be collected; the log says why\n"


def _refusal(head: bytes) -> tuple[int, str] | None:
    """Status and text for a request that is not GET /metrics."""
    words = head.partition(b"\r\n")[0].split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        return 400, "this is no HTTP/1.1 request\n"
    if words[0] != b"GET":
        return 405, "only GET\n"
    if words[1].partition(b"?")[0] != b"/metrics":
        return 404, "metrics are at /metrics\n"
    return None


def _response(status: int, body: str) -> bytes:
    data = body.encode("utf-8")
    kind = CONTENT_TYPE if status == 200 else "text/plain; charset=utf-8"
    head = (
        f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + data
