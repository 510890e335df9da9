"""Listeners on behalf of the far end."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from aio.virtual_loop import settle
from e2e.support import LoopFactory, run
from fastmux import EndOfStream, MessageChannel, Stream
from fastmux.aio.answers import AnswerCode, OpenRefused, encode_answer, read_answer
from fastmux.tunnel.forwarding.wire import Accepted as AcceptedRequest
from fastmux.tunnel.forwarding.wire import parse_label
from fastmux.tunnel.notation.targets import parse_target
from tunnel.ends import Loopback, Tunnel, on_loops, open_tcp, read_all, tunnel, until


async def listen(t: Tunnel, what: str = "tcp:127.0.0.1:0") -> tuple[Stream, int]:
    """A listen stream of the client, and the port it got; 0 for a path."""
    stream = await t.pair.client.open_stream(f"fastmux:listen:{what}")
    try:
        text = await read_answer(stream)
    except OpenRefused:
        stream.reset()
        raise
    return stream, 0 if text.startswith("/") else parse_target(text).port


async def refuses_connections(port: int) -> bool:
    try:
        (await open_tcp(port)).close()
    except ConnectionRefusedError:
        return True
    return False


@on_loops
def test_a_listener_lives_as_long_as_its_stream_is_open_both_ways(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with tunnel() as t:
            for end in ("eof", "reset", "close"):
                stream, port = await listen(t)
                assert not await refuses_connections(port)
                if end == "eof":
                    await stream.send_eof()
                elif end == "reset":
                    stream.reset()
                else:
                    await stream.aclose()
                while not await refuses_connections(port):
                    await settle()
                stream.reset()
            await until(lambda: t.there.records() == [])

    run(main(), loop_factory)


def test_its_end_is_told_and_ends_with_the_connection() -> None:
    async def main() -> None:
        async with tunnel() as t:
            stream, port = await listen(t)
            t.pair.client.abort()
            stream.reset()
            while not await refuses_connections(port):
                await settle()
            await until(lambda: t.there.records() == [])
            assert any(kind == "listen" and "lost" in outcome for kind, _, outcome in t.there.outcomes)

    run(main())


def test_each_listener_asks_the_rules(tmp_path: Path) -> None:
    async def main() -> None:
        async with tunnel(Loopback(denied=[2222])) as t:
            for what in (
                *("tcp:0.0.0.0:0", "tcp:*:0", "tcp:[::]:0", "tcp:127.0.0.1:2222", "udp:127.0.0.1:2222"),
                f"unix:{tmp_path}/secret",
            ):
                with pytest.raises(OpenRefused) as refused:
                    await listen(t, what)
                assert refused.value.code == AnswerCode.NOT_ALLOWED, what
            assert not (tmp_path / "secret").exists()

    run(main())


def test_a_taken_port_is_a_refusal_that_says_so() -> None:
    async def main() -> None:
        async with tunnel() as t:
            stream, port = await listen(t)
            with pytest.raises(OpenRefused, match="in use"):
                await listen(t, f"tcp:127.0.0.1:{port}")
            stream.reset()

    run(main())


def test_a_client_that_speaks_on_a_listen_stream_loses_the_listener() -> None:
    async def main() -> None:
        async with tunnel() as t:
            stream, port = await listen(t)
            await stream.send(b"what?")
            with pytest.raises(EndOfStream):
                await stream.receive()
            assert await refuses_connections(port)
            stream.reset()

    run(main())


def test_what_nobody_wants_at_the_far_end_is_reset() -> None:
    async def main() -> None:
        async with tunnel() as t:
            stream, port = await listen(t)  # the client's `Reverse` knows nothing of it
            with await open_tcp(port) as user, pytest.raises(ConnectionResetError):
                await read_all(user)
            assert "not opened: the far end does not allow it" in t.there.outcomes[0][2]
            stream.reset()

    run(main())


def test_accepted_connections_count_as_sockets_of_the_identity() -> None:
    async def main() -> None:
        async with tunnel(max_sockets=1) as t:
            stream, port = await listen(t)
            with await open_tcp(port) as user, pytest.raises(ConnectionResetError):
                await read_all(user)
            assert "too many sockets" in t.there.outcomes[0][2]
            stream.reset()

    run(main())


def test_a_peer_of_a_unix_listener_has_no_address(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "s")
        seen: list[AcceptedRequest] = []

        async def accepted(request: AcceptedRequest, channel: Stream | MessageChannel) -> None:
            seen.append(request)
            assert isinstance(channel, Stream)
            await channel.send(encode_answer(AnswerCode.CONNECTED) + b"hi")
            await channel.send_eof()
            with pytest.raises(EndOfStream):
                await channel.receive()

        async with tunnel(accepted=accepted) as t:
            stream, _ = await listen(t, f"unix:{path}")
            with socket.socket(socket.AF_UNIX) as user:
                user.setblocking(False)
                await asyncio.get_running_loop().sock_connect(user, path)
                user.shutdown(socket.SHUT_WR)
                assert await read_all(user) == b"hi"
            assert seen == [AcceptedRequest(stream.id, "", 0)]
            stream.reset()

    run(main())
    assert parse_label("fastmux:accepted:1::0") == AcceptedRequest(1, "", 0)
