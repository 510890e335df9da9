"""The peer's streams as an anyio listener, on every event loop."""

from __future__ import annotations

import anyio
import pytest

from fastmux.anyio import ByteStream
from fastmux.exceptions import ConnectionClosed
from on_anyio.backends import Backend, pair


async def shout(stream: ByteStream) -> None:
    async with stream:
        async for chunk in stream:
            await stream.send(chunk.upper())


@pytest.mark.parametrize("has_group", [True, False])
def test_a_listener_serves_until_the_connection_ends(backend: Backend, has_group: bool) -> None:
    async def main() -> None:
        async with pair() as ends, anyio.create_task_group() as group:
            listener = ends.server.listener()
            group.start_soon(listener.serve, shout, group if has_group else None)
            refused = await ends.client.open_message_channel()
            for number in range(3):
                async with await ends.client.open_stream(str(number)) as stream:
                    await stream.send(b"hello")
                    await stream.send_eof()
                    assert await stream.receive() == b"HELLO"
            with pytest.raises(anyio.BrokenResourceError):
                await refused.receive()
            await refused.aclose()
            await ends.client.aclose()

    backend.run(main)


def test_a_closed_listener_wakes_who_accepts_and_leaves_the_connection(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            listener = ends.server.listener()

            async def serve() -> None:
                with pytest.raises(anyio.ClosedResourceError):
                    await listener.serve(shout)

            async with anyio.create_task_group() as group:
                group.start_soon(serve)
                await anyio.wait_all_tasks_blocked()
                with pytest.raises(anyio.BusyResourceError):
                    await listener.accept()
                await listener.aclose()
            with pytest.raises(anyio.ClosedResourceError):
                await listener.accept()
            await listener.aclose()
            mine, theirs = await ends.stream()
            await mine.aclose()
            await theirs.aclose()

    backend.run(main)


def test_a_connection_that_ends_with_an_error_ends_serving_with_it(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            ends.client.abort(8, "away")
            with pytest.raises(ConnectionClosed, match="away"):
                await ends.server.listener().serve(shout)
            with pytest.raises(ConnectionClosed, match="away"):
                await ends.server.listener().accept()

    backend.run(main)
