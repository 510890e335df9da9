"""Message channels as anyio's object streams, on every event loop."""

from __future__ import annotations

import anyio
import pytest

from fastmux.anyio import FastmuxAttribute, ObjectStream, UnreliableObjectStream
from fastmux.exceptions import MessageTooBig
from on_anyio.backends import Backend, pair


def test_messages_come_whole_and_then_the_end(backend: Backend) -> None:
    async def main() -> None:
        async with pair(max_message_size=200_000) as ends:
            mine, theirs = await ends.object_stream()
            assert isinstance(mine, anyio.abc.ObjectStream)
            assert isinstance(theirs, ObjectStream)
            await mine.send(b"one")
            await mine.send(bytes(100_000))
            await mine.send(b"")
            with pytest.raises(MessageTooBig):
                await mine.send(bytes(200_001))
            await mine.send_eof()
            assert [message async for message in theirs] == [b"one", bytes(100_000), b""]
            with pytest.raises(anyio.EndOfStream):
                await theirs.receive()
            await theirs.send(b"back")
            assert await mine.receive() == b"back"
            assert mine.extra(FastmuxAttribute.channel_id) == theirs.inner.id
            await mine.aclose()
            await theirs.aclose()
            await theirs.aclose()
            with pytest.raises(anyio.ClosedResourceError):
                await mine.receive()
            assert "MessageChannel" in repr(mine)

    backend.run(main)


def test_a_channel_that_promises_less_is_no_object_stream(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.object_stream(ordered=False)
            for end in (mine, theirs):
                assert isinstance(end, UnreliableObjectStream)
                assert not isinstance(end, ObjectStream)
                with pytest.raises(ValueError, match="UnreliableObjectStream"):
                    ObjectStream(end.inner)
            await mine.send(b"one")
            assert await theirs.receive() == b"one"
            mine.reset()
            with pytest.raises(anyio.BrokenResourceError):
                await theirs.receive()
            await theirs.aclose()

    backend.run(main)
