"""The connection on anyio, on every event loop."""

from __future__ import annotations

import anyio
import pytest

from fastmux.anyio import ByteStream, ObjectStream
from fastmux.exceptions import ConnectionClosed
from on_anyio.backends import Backend, pair


def test_channels_of_both_kinds_are_opened_and_accepted(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            for near, far in ((ends.client, ends.server), (ends.server, ends.client)):
                async with await near.open_stream("s", priority=3), await far.accept() as accepted:
                    assert isinstance(accepted, ByteStream)
                    assert (accepted.inner.label, accepted.inner.priority) == ("s", 3)
                async with await near.open_message_channel("m"), await far.accept() as messages:
                    assert isinstance(messages, ObjectStream)

    backend.run(main)


def test_datagrams_pings_and_a_close_in_good_order(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            assert ends.client.send_datagram(b"hello")
            assert await ends.server.receive_datagram() == b"hello"
            assert 0 < await ends.client.ping() < 5
            assert "client" in repr(ends.client)
            ends.client.close()
            await ends.client.wait_closed()
            await ends.server.wait_closed()
            assert [channel async for channel in ends.server] == []
            assert [channel async for channel in ends.client] == []
            with pytest.raises(ConnectionClosed):
                await ends.client.ping()
            with pytest.raises((ConnectionClosed, anyio.ClosedResourceError)):
                await ends.client.open_stream()

    backend.run(main)


def test_a_client_moves_to_another_socket(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            before = ends.client.inner.get_extra_info("sockname")
            await ends.client.migrate()
            assert ends.client.inner.get_extra_info("sockname") != before
            mine, theirs = await ends.stream()
            await mine.send(b"still here")
            assert await theirs.receive() == b"still here"
            await mine.aclose()
            await theirs.aclose()

    backend.run(main)


def test_an_abort_is_told_to_who_accepts(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            ends.client.abort(8, "away")
            with pytest.raises(ConnectionClosed, match="away"):
                async for _ in ends.server:
                    raise AssertionError("no channel was opened")

    backend.run(main)


def test_aclose_is_a_checkpoint_and_closes_when_cancelled(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await ends.client.aclose()
            assert ends.client.inner.is_closed
            await ends.server.wait_closed()

    backend.run(main)
