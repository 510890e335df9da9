"""From an accepted socket to its end, always with one record."""

from __future__ import annotations

import asyncio
import socket

import pytest

from aio.link import Link
from aio.pair import pair
from e2e.support import run
from fastmux import ClosedResourceError, Stream
from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.tunnel.forwarding.carry import carry
from tunnel.ends import Registry, read_all, tcp_pair


def test_a_socket_is_carried_to_its_end() -> None:
    async def main() -> None:
        async with pair(link=Link(delay=0)) as ends:
            near, far = await ends.stream()
            registry = Registry()
            user, sock = tcp_pair()

            async def opened() -> Stream:
                return near

            record = registry.open("far", "tcp", "t", "out")
            task = asyncio.ensure_future(carry(sock, opened, record, registry))
            await far.send(b"hi")
            await far.send_eof()
            assert await read_all(user) == b"hi"
            user.shutdown(socket.SHUT_WR)
            await task
            assert registry.outcomes == [("tcp", "t", "closed")]
            user.close()
            far.reset()

    run(main())


@pytest.mark.parametrize(
    "error",
    [OpenRefused(AnswerCode.BUSY), ConnectionError("gone"), TimeoutError("late"), ClosedResourceError("c")],
)
def test_a_socket_whose_stream_cannot_be_opened_is_reset_and_the_record_says_why(error: Exception) -> None:
    async def main() -> None:
        registry = Registry()
        user, sock = tcp_pair()

        async def fails() -> Stream:
            raise error

        with user:
            await carry(sock, fails, registry.open("far", "tcp", "t", "out"), registry)
            assert registry.outcomes == [("tcp", "t", f"not opened: {error}")]
            with pytest.raises(ConnectionResetError):
                await read_all(user)

    run(main())


def test_cancelled_while_it_opens_it_resets_the_socket() -> None:
    async def main() -> None:
        registry = Registry()
        user, sock = tcp_pair()

        async def never() -> Stream:
            future: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
            return await future

        with user:
            task = asyncio.ensure_future(
                carry(sock, never, registry.open("far", "tcp", "t", "out"), registry)
            )
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            assert registry.outcomes == [("tcp", "t", "cancelled")]
            with pytest.raises(ConnectionResetError):
                await read_all(user)

    run(main())
