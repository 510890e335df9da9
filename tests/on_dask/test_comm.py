"""Dask's contract of a comm: messages, ends, cancellation, and what any failure does."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import distributed.protocol
import numpy
import pytest
from distributed.comm.core import CommClosedError

from fastmux.dask.comm import FastmuxComm
from on_dask.support import connect, joined, listening, run, settled

_protocol: Any = distributed.protocol


class Unserializable:
    def __reduce__(self) -> Any:
        raise ValueError("not this one")


def test_messages_come_in_order_and_whole(files: Path) -> None:
    messages = [{"op": "ping", "n": n, "data": b"x" * n} for n in (0, 1, 100, 200_000)]

    async def main() -> None:
        async with joined(files) as (mine, theirs):
            for message in messages:
                assert await mine.write(message) > 0
            assert [await theirs.read() for _ in messages] == messages
            await theirs.write("back")
            assert await mine.read() == "back"

    run(main())


def test_an_array_comes_in_memory_of_its_own_that_can_be_written(files: Path) -> None:
    array = numpy.arange(3_000_000, dtype="u8")

    async def main() -> None:
        async with joined(files) as (mine, theirs):
            sending = asyncio.create_task(mine.write({"x": _protocol.to_serialize(array)}))
            received = (await theirs.read())["x"]
            await sending
            assert (received == array).all()
            received += 1

    run(main())


def test_without_deserialization_a_message_goes_on_as_it_came(files: Path) -> None:
    array = numpy.arange(100_000)

    async def main() -> None:
        async with joined(files) as (mine, theirs), joined(files) as (next_mine, next_theirs):
            theirs.deserialize = False
            await mine.write({"x": _protocol.to_serialize(array)})
            await next_mine.write(await theirs.read())
            assert ((await next_theirs.read())["x"] == array).all()

    run(main())


def test_each_end_names_the_other(files: Path) -> None:
    async def main() -> None:
        async with joined(files) as (mine, theirs):
            assert mine.peer_address == theirs.local_address
            assert mine.local_address == theirs.peer_address
            assert mine.same_host
            assert mine.extra_info["peer"].common_name == "node"
            assert theirs.extra_info["peer"].common_name == "client"
            assert mine.peer_address in repr(mine)

    run(main())


def test_after_a_close_the_peer_reads_what_was_written_and_then_the_end(files: Path) -> None:
    async def main() -> None:
        async with joined(files) as (mine, theirs):
            await mine.write("last")
            await mine.close()
            await mine.close()
            assert mine.closed()
            assert await theirs.read() == "last"
            with pytest.raises(CommClosedError):
                await theirs.read()
            assert theirs.closed()
            for operation in (mine.read(), mine.write("x"), theirs.read(), theirs.write("x")):
                with pytest.raises(CommClosedError):
                    await operation

    run(main())


def test_an_idle_comm_notices_that_its_peer_closed(files: Path) -> None:
    """Dask's pool asks `closed` before it uses a comm again."""

    async def main() -> None:
        async with joined(files) as (mine, theirs):
            await theirs.close()
            while not mine.closed():
                await asyncio.sleep(0)
            with pytest.raises(CommClosedError):
                await mine.write("x")

    run(main())


@pytest.mark.parametrize("by", ["close", "abort"])
def test_a_reader_that_waits_hears_of_the_end(files: Path, by: str) -> None:
    async def main() -> None:
        async with joined(files) as (mine, theirs):
            waiting = [asyncio.create_task(end.read()) for end in (mine, theirs)]
            await asyncio.sleep(0)
            if by == "close":
                await mine.close()
            else:
                mine.abort()
            for reader in waiting:
                with pytest.raises(CommClosedError):
                    await reader

    run(main())


def test_a_cancelled_read_aborts_the_comm(files: Path) -> None:
    async def main() -> None:
        async with joined(files) as (mine, theirs):
            reading = asyncio.create_task(mine.read())
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert mine.closed()
            with pytest.raises(CommClosedError):
                await theirs.read()

    run(main())


def test_a_cancelled_write_aborts_the_comm_and_never_looks_whole(files: Path) -> None:
    async def main() -> None:
        async with joined(files) as (mine, theirs):
            array = numpy.ones(1_000_000)  # so small that Dask serializes it at once, not in a thread
            writing = asyncio.create_task(mine.write(_protocol.to_serialize(array)))
            await theirs._lease.connection.ping()
            assert not writing.done()  # nobody reads: it waits for room
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert mine.closed()
            with pytest.raises(CommClosedError):
                await theirs.read()

    run(main())


def test_a_message_that_cannot_be_serialized_leaves_the_comm_as_it_was(files: Path) -> None:
    async def main() -> None:
        async with joined(files) as (mine, theirs):
            with pytest.raises(Exception, match="not this one|serialize"):
                await mine.write({"x": _protocol.to_serialize(Unserializable())}, on_error="raise")
            await mine.write("next")
            assert await theirs.read() == "next"

    run(main())


def test_a_garbled_message_closes_the_comm(files: Path) -> None:
    async def main() -> None:
        async with joined(files) as (mine, theirs):
            stream = mine._stream
            assert stream is not None
            await stream.send(b"\xff\xff\xff\xff")
            with pytest.raises(CommClosedError, match="frames"):
                await theirs.read()
            assert theirs.closed()

    run(main())


def test_a_second_reader_breaks_the_comm_and_not_the_loop(files: Path) -> None:
    async def main() -> None:
        async with joined(files) as (mine, _):
            first = asyncio.create_task(mine.read())
            await asyncio.sleep(0)
            with pytest.raises(Exception, match="already"):
                await mine.read()
            with pytest.raises(CommClosedError):
                await first

    run(main())


def test_a_comm_that_is_dropped_gives_its_lease_back(files: Path) -> None:
    async def main() -> None:
        async with listening(files) as acceptance:
            mine: FastmuxComm | None = await connect(files, acceptance.listener.contact_address)
            assert mine is not None
            link = mine._lease.link
            theirs = await acceptance.taken.get()
            with pytest.warns(ResourceWarning):
                mine = None
                gc.collect()
            await asyncio.sleep(0)
            await link.wait_unused()
            with pytest.raises(CommClosedError):
                await theirs.read()
            await settled()

    run(main())
