"""A request's way to its origin: what fails there is told in one way."""

from __future__ import annotations

import asyncio

import h11
import pytest

from aio.pair import Pair, pair
from aio.virtual_loop import virtual
from fastmux.aio.stream import Stream
from fastmux.tunnel.forwarding.counters import ChannelRecord, ChannelRegistry
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.http_proxy.errors import UpstreamFailed
from fastmux.tunnel.http_proxy.upstream import Upstream
from tunnel.proxies.world import receive_all, receive_exactly

GET = h11.Request(method="GET", target="/", headers=[("Host", "a")])


async def upstream_of(ends: Pair, *limits: RateLimit) -> tuple[Upstream, Stream, ChannelRecord]:
    mine, theirs = await ends.stream()
    record = ChannelRegistry().open("far", "http", "a:80", "out")
    return Upstream(mine, record, limits), theirs, record


async def answered(ends: Pair, answer: bytes) -> tuple[Upstream, Stream]:
    """A whole request, and an origin that has sent this and its end."""
    upstream, origin, _ = await upstream_of(ends)
    await upstream.send(GET)
    await upstream.send(h11.EndOfMessage())
    await origin.send(answer)
    await origin.send_eof()
    return upstream, origin


@virtual
async def test_a_request_goes_out_and_its_answer_comes_in_parts() -> None:
    async with pair() as ends:
        upstream, origin, record = await upstream_of(ends)
        await upstream.send(GET)
        await upstream.send(h11.EndOfMessage())
        assert await receive_exactly(origin, 27) == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        for at in range(len(answer)):
            await origin.send(answer[at : at + 1])
        assert isinstance(await upstream.receive(), h11.InformationalResponse)
        assert isinstance(await upstream.receive(), h11.Response)
        body = b""
        while isinstance(event := await upstream.receive(), h11.Data):
            body += bytes(event.data)
        assert body == b"hello"
        assert isinstance(event, h11.EndOfMessage)
        assert (record.sent_size, record.received_size) == (27, len(answer))
        origin.reset()
        upstream.stream.reset()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\0\0\0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 200_000,
    ],
    ids=range(11),
)
def test_an_answer_that_is_none_or_not_whole_is_a_failure(answer: bytes) -> None:
    @virtual
    async def run() -> None:
        async with pair() as ends:
            upstream, origin = await answered(ends, answer)
            with pytest.raises(UpstreamFailed):
                while not isinstance(await upstream.receive(), h11.EndOfMessage):
                    pass
            origin.reset()
            upstream.stream.reset()

    run()


@virtual
async def test_an_answer_without_length_ends_with_the_stream_and_not_with_its_reset() -> None:
    async with pair() as ends:
        for is_whole in (True, False):
            upstream, origin, _ = await upstream_of(ends)
            await upstream.send(GET)
            await upstream.send(h11.EndOfMessage())
            await origin.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
            assert isinstance(await upstream.receive(), h11.Response)
            assert isinstance(await upstream.receive(), h11.Data)
            if is_whole:
                await origin.aclose()
                assert isinstance(await upstream.receive(), h11.EndOfMessage)
            else:
                origin.reset()
                with pytest.raises(UpstreamFailed):
                    await upstream.receive()
            upstream.stream.reset()


@virtual
async def test_an_origin_that_stopped_reading_is_a_failure() -> None:
    async with pair() as ends:
        upstream, origin, _ = await upstream_of(ends)
        origin.reset()
        await asyncio.sleep(1)
        with pytest.raises(UpstreamFailed):
            await upstream.send(GET)
        upstream.stream.reset()


@virtual
async def test_a_limit_holds_the_bytes_back() -> None:
    async with pair() as ends:
        clock = asyncio.get_running_loop().time
        upstream, origin, _ = await upstream_of(ends, RateLimit(1000, clock=clock))
        started = clock()
        fields = [("Host", "a"), ("Content-Length", "5000")]
        await upstream.send(h11.Request(method="PUT", target="/", headers=fields))
        await upstream.send(h11.Data(data=bytes(5000)))
        await upstream.send(h11.EndOfMessage())
        assert clock() - started > 4
        await upstream.stream.aclose()
        assert (await receive_all(origin)).endswith(bytes(5000))
        await origin.aclose()


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early\r\n\r\n"])
def test_an_end_without_an_answer_is_told_as_that(before: bytes) -> None:
    """h11 spoke of an event type that its role cannot handle."""

    @virtual
    async def run() -> None:
        async with pair() as ends:
            upstream, origin = await answered(ends, before)
            with pytest.raises(UpstreamFailed, match="it ended the connection without an answer"):
                while isinstance(await upstream.receive(), h11.InformationalResponse):
                    pass
            origin.reset()
            upstream.stream.reset()

    run()
