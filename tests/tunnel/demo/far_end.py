"""The demo's far end in the test's own process, over loopback: what its channels do is the subject."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import fastmux
from fastmux.tunnel.demo.server import DemoServer, start_http


@asynccontextmanager
async def far_end(directory: Path) -> AsyncIterator[fastmux.Connection]:
    """A connection, without TLS, to a demo server that serves `directory` by HTTP."""
    server = DemoServer(start_http(directory))
    listener = fastmux.listen(server.handle, "127.0.0.1", 0, tls=fastmux.PLAINTEXT, close_timeout=1)
    async with (
        listener as listening,
        fastmux.connect("127.0.0.1", listening.port, tls=fastmux.PLAINTEXT) as conn,
    ):
        yield conn
