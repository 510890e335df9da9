"""A socket and a stream, joined: what happens to one happens to the other."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from aio.link import Link
from aio.pair import Pair, pair
from aio.virtual_loop import virtual
from e2e.support import LoopFactory, run
from fastmux import BrokenResourceError, ChannelReset, ConnectionClosed, EndOfStream, Stream
from fastmux.tunnel.constants import SPLICE_CHUNK_SIZE
from fastmux.tunnel.forwarding import splice as splice_module
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.socket_end import reset_socket
from fastmux.tunnel.forwarding.splice import outcome_of, splice
from tunnel.ends import on_all_loops, on_loops, read_all, tcp_pair, until


@dataclass
class Joined:
    """A user's socket, spliced to a stream, and the stream's far end."""

    user: socket.socket
    far: Stream
    record: ChannelRecord
    outcome: asyncio.Task[str]
    ends: Pair


@asynccontextmanager
async def joined(
    *, early: bytes = b"", limits: list[RateLimit] | None = None, delay: float = 0.0, unix: bool = False
) -> AsyncIterator[Joined]:
    async with pair(link=Link(delay=delay)) as ends:
        near, far = await ends.stream()
        user, sock = socket.socketpair() if unix else tcp_pair()
        user.setblocking(False)
        record = ChannelRegistry().open("somebody", "tcp", "somewhere", "out")
        task = asyncio.create_task(splice(near, sock, record, limits or (), early=early))
        try:
            yield Joined(user, far, record, task, ends)
        finally:
            user.close()
            far.reset()
            task.cancel()
            await asyncio.wait({task})
            assert sock.fileno() == -1


async def receive_all(stream: Stream) -> bytes:
    return b"".join([chunk async for chunk in stream])


@on_all_loops
def test_bytes_and_ends_pass_both_ways(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with joined() as j:
            loop = asyncio.get_running_loop()
            up, down = bytes(range(256)) * 8192, bytes(range(255, -1, -1)) * 8192
            received = asyncio.gather(receive_all(j.far), read_all(j.user))
            await loop.sock_sendall(j.user, up)
            j.user.shutdown(socket.SHUT_WR)
            await j.far.send(down)
            await j.far.send_eof()
            assert list(await received) == [up, down]
            assert await j.outcome == "closed"
            assert (j.record.sent_size, j.record.received_size) == (len(up), len(down))

    run(main(), loop_factory)


@virtual
async def test_a_far_end_that_closes_its_connection_after_both_ends_broke_nothing() -> None:
    """`fastmux connect` does so; its channel was logged as lost."""
    async with joined(delay=0.05) as j:
        await j.far.send_eof()
        await j.far.wait_delivered()
        j.user.shutdown(socket.SHUT_WR)
        assert await receive_all(j.far) == b""
        await j.ends.server.aclose()  # at once: the end of this direction is not acknowledged before
        assert await j.outcome == "closed"


@on_loops
def test_either_direction_goes_on_after_the_end_of_the_other(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with joined() as j:
            j.user.shutdown(socket.SHUT_WR)
            with pytest.raises(EndOfStream):
                await j.far.receive()
            await j.far.send(b"still here")
            assert await loop.sock_recv(j.user, 100) == b"still here"
            await j.far.send_eof()
            assert await read_all(j.user) == b""
            assert await j.outcome == "closed"
        async with joined() as j:
            await j.far.send_eof()
            assert await read_all(j.user) == b""
            await loop.sock_sendall(j.user, b"still here")
            assert await j.far.receive() == b"still here"
            j.user.close()
            with pytest.raises(EndOfStream):
                await j.far.receive()
            assert await j.outcome == "closed"

    run(main(), loop_factory)


@on_loops
def test_a_reset_of_the_socket_resets_the_stream(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with joined() as j:
            await asyncio.get_running_loop().sock_sendall(j.user, b"begun")
            assert await j.far.receive() == b"begun"
            reset_socket(j.user)
            with pytest.raises(ChannelReset):
                await j.far.receive()
            assert "reset" in await j.outcome

    run(main(), loop_factory)


@on_loops
def test_a_reset_of_the_stream_resets_the_socket_never_a_clean_end(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with joined() as j:
            await j.far.send(b"the first half")
            assert await asyncio.get_running_loop().sock_recv(j.user, 100) == b"the first half"
            j.far.reset()
            with pytest.raises(ConnectionResetError):
                await read_all(j.user)
            assert await j.outcome == "reset by the far end"

    run(main(), loop_factory)


@on_loops
def test_a_lost_connection_resets_the_socket(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with joined() as j:
            j.ends.server.abort(reason="gone")
            with pytest.raises(ConnectionResetError):
                await read_all(j.user)
            assert (await j.outcome).startswith("connection lost")

    run(main(), loop_factory)


@on_loops
def test_a_connection_closed_in_the_middle_is_no_clean_end_either(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with joined() as j:
            await j.far.send(b"some")
            j.ends.client.close()
            with pytest.raises(ConnectionResetError):
                await read_all(j.user)

    run(main(), loop_factory)


@virtual
async def test_a_far_end_that_gives_up_after_its_end_is_noticed_though_the_socket_is_silent() -> None:
    async with joined(unix=True) as j:
        await j.far.send_eof()
        await j.far.wait_delivered()
        started = asyncio.get_running_loop().time()
        j.far.reset()
        assert await j.outcome == "reset by the far end"
        assert asyncio.get_running_loop().time() - started < 0.5  # it is told, nobody looks once a second


@virtual
async def test_a_connection_lost_after_the_far_ends_end_is_noticed_though_the_socket_is_silent() -> None:
    async with joined(unix=True) as j:
        await j.far.send_eof()
        await j.far.wait_delivered()
        j.ends.server.abort()
        assert (await j.outcome).startswith("connection lost")


def test_a_socket_reset_after_its_end_is_noticed_though_the_stream_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(splice_module, "HALF_CLOSED_CHECK_INTERVAL", 0.01)

    async def main() -> None:
        async with joined() as j:
            j.user.shutdown(socket.SHUT_WR)
            with pytest.raises(EndOfStream):
                await j.far.receive()
            reset_socket(j.user)
            assert "broken" in await j.outcome
            with pytest.raises(BrokenResourceError):
                while True:
                    await j.far.send(b"nobody is there")
                    await asyncio.sleep(0)

    run(main())


def test_a_user_who_goes_while_bytes_are_sent_to_him_resets_the_stream() -> None:
    async def main() -> None:
        async with joined() as j:
            j.user.close()
            with pytest.raises(BrokenResourceError):
                while True:
                    await j.far.send(b"x" * 100_000)

    run(main())


@on_all_loops
def test_a_socket_that_does_not_take_holds_up_the_far_sender(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with joined() as j:
            sent = 0
            with pytest.raises(TimeoutError):
                while True:
                    async with asyncio.timeout(0.3):
                        await j.far.send(bytes(2**18))
                    sent += 2**18
            assert sent < 30 * 2**20  # two sockets' buffers, windows, and a chunk
            reader = asyncio.create_task(read_all(j.user))
            await j.far.send_eof()
            assert len(await reader) >= sent

    run(main(), loop_factory)


@on_all_loops
def test_a_far_end_that_does_not_read_holds_up_the_user(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with joined() as j:
            sent = 0
            with pytest.raises(TimeoutError):
                while True:
                    async with asyncio.timeout(0.3):
                        await loop.sock_sendall(j.user, bytes(2**16))
                    sent += 2**16
            assert j.record.sent_size <= 2**20 + 2**16 + SPLICE_CHUNK_SIZE  # write limit, window, a chunk
            j.user.shutdown(socket.SHUT_WR)
            assert len(await receive_all(j.far)) >= sent

    run(main(), loop_factory)


@virtual
async def test_early_bytes_go_before_those_of_the_socket() -> None:
    async with joined(early=b"first ", unix=True) as j:
        j.user.send(b"second")
        j.user.shutdown(socket.SHUT_WR)
        assert await receive_all(j.far) == b"first second"
        assert j.record.sent_size == 12


@virtual
async def test_a_limit_slows_both_directions_together() -> None:
    loop = asyncio.get_running_loop()
    async with joined(limits=[RateLimit(10_000, clock=loop.time)], unix=True) as j:
        started_at = loop.time()
        j.user.send(bytes(10_000))
        j.user.shutdown(socket.SHUT_WR)
        await j.far.send(bytes(10_000))
        await j.far.send_eof()
        await receive_all(j.far)
        assert await j.outcome == "closed"
        assert 1.8 < loop.time() - started_at < 2.3


@virtual
async def test_counters_move_while_a_transfer_runs() -> None:
    async with joined(unix=True) as j:
        await j.far.send(b"x" * 1000)
        await until(lambda: j.record.received_size == 1000)
        assert not j.outcome.done()


@on_loops
def test_a_cancelled_splice_resets_both_sides_and_leaves_no_task(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with joined() as j:
            await j.far.send(b"x")
            await asyncio.get_running_loop().sock_recv(j.user, 1)
            before = len(asyncio.all_tasks())
            j.outcome.cancel()
            await asyncio.wait({j.outcome})
            assert j.outcome.cancelled()
            assert len(asyncio.all_tasks()) == before - 3  # itself and its two directions
            with pytest.raises(ConnectionResetError):
                await read_all(j.user)
            with pytest.raises(ChannelReset):
                await j.far.receive()

    run(main(), loop_factory)


def test_every_cause_has_a_sentence() -> None:
    assert outcome_of(ChannelReset(2)) == "reset by the far end"
    assert outcome_of(ConnectionClosed(0, "bye", True)).startswith("connection lost: connection closed")
    assert outcome_of(ConnectionResetError(104, "x")) == "socket broken: Connection reset by peer"
    assert outcome_of(OSError("odd")) == "failed: odd"
