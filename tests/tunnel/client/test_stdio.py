"""One stream between a source, a sink and the far end."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest

from aio.pair import Pair, pair
from aio.virtual_loop import settle, virtual
from fastmux import Stream
from fastmux.aio.answers import AnswerCode, encode_answer
from fastmux.exceptions import ChannelReset, ConnectionClosed, EndOfStream
from fastmux.tunnel.client.stdio import relay
from fastmux.tunnel.exits import LOST, UNREACHABLE, CommandError, command_error

CONNECTED = encode_answer(AnswerCode.CONNECTED, "")


class Script:
    """A source that gives these pieces, then ends, or waits for ever; and a sink that keeps what it gets."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self._pieces = list(pieces)
        self._ends = ends
        self.written = b""
        self.is_closed = False
        self.breaks = False

    async def read(self) -> bytes:
        if self._pieces:
            return self._pieces.pop(0)
        if not self._ends:
            await asyncio.get_running_loop().create_future()
        return b""

    async def write(self, data: bytes) -> None:
        if self.breaks:
            raise BrokenPipeError
        self.written += data

    def close(self) -> None:
        self.is_closed = True


class BrokenInput(Script):
    """A descriptor that is none."""

    async def read(self) -> bytes:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


class BrokenOutput(Script):
    """A disk that is full."""

    async def write(self, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def start(ends: Pair, script: Script) -> tuple[asyncio.Task[None], Stream]:
    """A relay, and the far end of its stream."""
    mine, theirs = await ends.stream("fastmux:tcp:host:22")

    async def carry() -> None:
        async with mine:
            await relay(mine, script, script)

    return asyncio.create_task(carry()), theirs


async def receive_all(stream: Stream) -> bytes:
    return b"".join([data async for data in stream])


@virtual
async def test_both_directions_are_carried_to_their_ends() -> None:
    async with pair() as ends:
        script = Script(b"hello", b"\x00\xff")
        running, far = await start(ends, script)
        await far.send(CONNECTED + b"welcome")
        assert await receive_all(far) == b"hello\x00\xff"
        assert not running.done()
        await far.send(b" and bye")  # the far end may go on after our end
        await far.aclose()
        await running
        assert script.written == b"welcome and bye"
        assert script.is_closed


@virtual
async def test_the_far_end_may_end_first() -> None:
    async with pair() as ends:
        script = Script(b"a", ends=False)
        running, far = await start(ends, script)
        await far.send(CONNECTED)
        await far.send_eof()
        await asyncio.sleep(1)
        assert script.is_closed
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        with pytest.raises(ChannelReset):
            await receive_all(far)
        await far.aclose()


@virtual
async def test_a_target_that_takes_no_more_ends_the_sending_only() -> None:
    async with pair() as ends:
        script = Script(*[b"x" * 100_000] * 100)
        running, far = await start(ends, script)
        await far.send(CONNECTED + b"last words")
        await far.aclose()
        await running
        assert script.written == b"last words"


@virtual
async def test_a_refusal_is_unreachable_and_says_why() -> None:
    async with pair() as ends:
        running, far = await start(ends, Script(b"hello"))
        await far.send(encode_answer(AnswerCode.CONNECTION_REFUSED, "Connection refused"))
        await far.aclose()
        with pytest.raises(CommandError, match="Connection refused") as caught:
            await running
        assert caught.value.code == UNREACHABLE


@virtual
async def test_an_end_without_an_answer_is_a_loss() -> None:
    async with pair() as ends:
        running, far = await start(ends, Script())
        await far.aclose()
        with pytest.raises(ConnectionError, match="without an answer") as caught:
            await running
        error = command_error(caught.value)
        assert error is not None
        assert error.code == LOST


@virtual
async def test_a_reset_is_never_shown_as_an_end() -> None:
    async with pair() as ends:
        script = Script(ends=False)
        running, far = await start(ends, script)
        await far.send(CONNECTED + b"half a")
        await asyncio.sleep(1)
        far.reset()
        with pytest.raises(CommandError, match="to the target was reset at the far end") as caught:
            await running
        assert caught.value.code == LOST
        assert script.written == b"half a"
        assert not script.is_closed


@virtual
async def test_a_lost_connection_is_raised() -> None:
    async with pair() as ends:
        running, far = await start(ends, Script(ends=False))
        await far.send(CONNECTED)
        await settle()
        ends.server.abort()
        with pytest.raises(ConnectionClosed):
            await running


@virtual
async def test_what_is_wrong_with_input_or_output_names_it() -> None:
    """It was said to be the target that cannot be reached."""
    for script, sent, text in (
        (BrokenInput(ends=False), b"", "standard input: Bad file"),
        (BrokenOutput(ends=False), b"x", "standard output: No space left"),
    ):
        async with pair() as ends:
            running, far = await start(ends, script)
            await far.send(CONNECTED + sent)
            with pytest.raises(CommandError, match=text) as caught:
                await running
            assert caught.value.code == LOST
            far.reset()


@virtual
async def test_a_sink_that_is_gone_resets_the_stream() -> None:
    async with pair() as ends:
        script = Script(ends=False)
        script.breaks = True
        running, far = await start(ends, script)
        await far.send(CONNECTED + b"x")
        with pytest.raises(CommandError, match="standard output was closed") as caught:
            await running
        assert caught.value.code == LOST
        with pytest.raises((ChannelReset, EndOfStream)):
            await far.receive()
        await far.aclose()
