"""How a protocol is fed, and what becomes of what it raises."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from aio.pair import pair
from aio.recording_protocol import Recording, RecordingBuffered
from aio.virtual_loop import virtual
from fastmux.aio.protocol_calls import READ_SIZE, ProtocolCalls
from fastmux.exceptions import ChannelReset


class StandIn(asyncio.Transport):
    """A transport that knows whether it is closing."""

    is_over = False

    def is_closing(self) -> bool:
        return self.is_over


def calls_of(
    protocol: asyncio.BaseProtocol,
) -> tuple[ProtocolCalls, list[BaseException], list[dict[str, Any]]]:
    """The calls, the errors that end the transport, and what the loop is told."""
    errors: list[BaseException] = []
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    return ProtocolCalls(StandIn(), protocol, errors.append), errors, told


@pytest.mark.parametrize("kind", [Recording, RecordingBuffered])
def test_either_kind_of_protocol_is_fed_until_the_end(kind: type[Recording | RecordingBuffered]) -> None:
    @virtual
    async def main() -> None:
        protocol = kind()
        calls, errors, _ = calls_of(protocol)
        async with pair() as ends:
            mine, theirs = await ends.stream()
            assert calls.feed(theirs) == 0
            await mine.send(b"hello")
            await mine.send_eof()
            await asyncio.sleep(1)
            assert calls.feed(theirs) == 5
            assert protocol.data == b"hello"
            assert calls.feed(theirs) == -1
            assert not calls.eof_received()
            await mine.aclose()
            await theirs.aclose()
            mine, theirs = await ends.stream()
            mine.reset()
            await asyncio.sleep(1)
            with pytest.raises(ChannelReset):
                calls.feed(theirs)
            await theirs.aclose()
        assert errors == []

    main()


@virtual
async def test_a_read_takes_no_more_than_its_share() -> None:
    protocol = Recording()
    calls, _, _ = calls_of(protocol)
    async with pair(channel_window=2**20) as ends:
        mine, theirs = await ends.stream()
        await mine.send(bytes(READ_SIZE + 1))
        await asyncio.sleep(5)
        assert [calls.feed(theirs) for _ in range(3)] == [READ_SIZE, 1, 0]
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_what_a_protocol_raises_is_told_and_ends_its_transport() -> None:
    class Fussy(Recording):
        def pause_writing(self) -> None:
            raise KeyError("no")

    protocol = Fussy()
    calls, errors, told = calls_of(protocol)
    assert calls.call(protocol.pause_writing) is None
    assert isinstance(errors[0], KeyError)
    assert told[0]["message"] == "Fatal error: protocol.pause_writing() call failed."
    assert told[0]["protocol"] is protocol
    assert calls.call(protocol.resume_writing) is None
    assert len(errors) == 1


@virtual
async def test_a_buffer_that_cannot_be_filled_is_the_protocols_fault() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await mine.send(b"data")
        await asyncio.sleep(1)
        for buffer in (b"fixed", bytearray(), None):
            protocol = RecordingBuffered()
            protocol.buffer = cast(bytearray, buffer)
            calls, errors, _ = calls_of(protocol)
            assert calls.feed(theirs) == 0
            assert isinstance(errors[0], (TypeError, ValueError, BufferError))
        assert await theirs.receive() == b"data"
        await mine.aclose()
        await theirs.aclose()


@virtual
async def test_a_protocol_can_be_exchanged_for_one_of_the_other_kind() -> None:
    first, second = Recording(), RecordingBuffered()
    calls, _, _ = calls_of(first)
    async with pair() as ends:
        mine, theirs = await ends.stream()
        calls.exchange(second)
        assert calls.protocol is second
        await mine.send(b"data")
        await asyncio.sleep(1)
        assert calls.feed(theirs) == 4
        assert second.data == b"data"
        await mine.aclose()
        await theirs.aclose()
