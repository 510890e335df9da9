"""Two connected ends over real sockets, for libraries that know nothing of fastmux.

Owns: how they are put together. May not know: which library.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastmux import PLAINTEXT, Connection, connect, listen

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Connection, Connection]]:
    """The client's and the server's end of one connection."""
    accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    is_over = asyncio.Event()

    async def handler(connection: Connection) -> None:
        accepted.set_result(connection)
        await is_over.wait()

    async with (
        listen(handler, "127.0.0.1", 0, tls=PLAINTEXT) as server,
        connect("127.0.0.1", server.port, tls=PLAINTEXT) as client,
    ):
        yield client, await accepted
        is_over.set()


def run(loop_factory: LoopFactory, main: Callable[[], Awaitable[None]]) -> None:
    """Run to the end, at most 30 seconds."""

    async def limited() -> None:
        async with asyncio.timeout(30):
            await main()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(limited())
