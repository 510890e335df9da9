"""Message channels as trio's channels."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from fastmux.exceptions import MessageTooBig
from on_trio.pair import on_trio, pair


@on_trio
async def test_messages_come_whole_and_then_the_end() -> None:
    async with pair() as ends:
        mine, theirs = await ends.message_channel()
        assert isinstance(mine, trio.abc.Channel)
        with trio.testing.assert_checkpoints():
            await mine.send(b"one")
        await mine.send(bytes(100_000))
        await mine.send(b"")
        await mine.send_eof()
        assert [message async for message in theirs] == [b"one", bytes(100_000), b""]
        with pytest.raises(trio.EndOfChannel):
            await theirs.receive()
        await theirs.send(b"back")
        assert await mine.receive() == b"back"
        assert mine.id == theirs.id == mine.inner.id
        await mine.aclose()
        await theirs.aclose()


@on_trio
async def test_errors_are_trios_and_a_message_too_big_stays_what_it_is() -> None:
    async with pair(max_message_size=1000) as ends:
        mine, theirs = await ends.message_channel()
        with pytest.raises(MessageTooBig):
            await mine.send(bytes(1001))
        mine.reset(5)
        with pytest.raises(trio.BrokenResourceError):
            await theirs.receive()
        with pytest.raises(trio.ClosedResourceError):
            await mine.send(b"x")
        await theirs.aclose()
        await theirs.aclose()


@on_trio
async def test_a_close_that_is_cancelled_still_closes() -> None:
    async with pair() as ends:
        mine, theirs = await ends.message_channel()
        await trio.aclose_forcefully(mine)
        with pytest.raises(trio.ClosedResourceError):
            await mine.receive()
        with pytest.raises(trio.EndOfChannel):
            await theirs.receive()
        await theirs.aclose()
        assert "MessageChannel" in repr(mine)
