"""A place behind a connection as an anyio connectable, on every event loop."""

from __future__ import annotations

import anyio
import pytest

from fastmux.aio.answers import AnswerCode, encode_answer
from fastmux.anyio import ByteStream, Connectable
from on_anyio.backends import Backend, pair


def test_a_place_is_connected_when_the_far_end_says_so(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            connectable = ends.client.connectable("::1", 22)
            assert isinstance(connectable, anyio.abc.ByteStreamConnectable)

            async def answer() -> None:
                stream = await ends.server.accept()
                assert isinstance(stream, ByteStream)
                assert stream.inner.label == "fastmux:tcp:[::1]:22"
                await stream.send(encode_answer(AnswerCode.CONNECTED) + b"SSH-2.0")
                await stream.aclose()

            async with anyio.create_task_group() as group:
                group.start_soon(answer)
                async with await connectable.connect() as stream:
                    assert await stream.receive() == b"SSH-2.0"

    backend.run(main)


def test_a_refusal_is_a_failed_connection_with_the_cause(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:

            async def refuse() -> None:
                stream = await ends.server.accept()
                assert isinstance(stream, ByteStream)
                await stream.send(encode_answer(AnswerCode.CONNECTION_REFUSED, "nobody there"))
                await stream.aclose()

            async with anyio.create_task_group() as group:
                group.start_soon(refuse)
                with pytest.raises(anyio.ConnectionFailed, match="nobody there") as caught:
                    await ends.client.connectable("host", 22).connect()
                assert isinstance(caught.value.__cause__, ConnectionRefusedError)
            ends.server.abort(8, "away")
            await ends.client.wait_closed()
            with pytest.raises(anyio.ConnectionFailed, match="away"):
                await ends.client.connectable("host", 22).connect()

    backend.run(main)


def test_a_label_of_ones_own_waits_for_no_answer(backend: Backend) -> None:
    async def main() -> None:
        async with pair() as ends:
            stream = await ends.client.connectable(label="chat").connect()
            theirs = await ends.server.accept()
            assert isinstance(theirs, ByteStream)
            assert theirs.inner.label == "chat"
            await stream.aclose()
            await theirs.aclose()
            with pytest.raises(ValueError, match="not both"):
                Connectable(ends.client.inner, "host", 22, label="chat")
            with pytest.raises(ValueError, match="missing"):
                ends.client.connectable()

    backend.run(main)
