"""The serving end: what it does, and everything it refuses."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import pytest

from e2e.support import LoopFactory, run
from fastmux import ChannelReset
from fastmux import constants as c
from fastmux.aio.answers import AnswerCode, OpenRefused, read_answer
from fastmux.tunnel.forwarding.local import Listener
from fastmux.tunnel.notation.targets import Target
from tunnel.ends import Loopback, echo, on_loops, open_tcp, read_all, tcp_server, tunnel


async def refusal(opening: object) -> OpenRefused:
    assert asyncio.iscoroutine(opening)
    with pytest.raises(OpenRefused) as refused:
        await opening
    return refused.value


@on_loops
def test_the_address_that_the_rules_gave_is_dialled(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        access = Loopback()
        async with tunnel(access) as t, tcp_server(echo) as port:
            stream = await t.outlet.open_tcp("127.0.0.1", port)
            await stream.send(b"hello")
            await stream.send_eof()
            assert b"".join([chunk async for chunk in stream]) == b"hello"
            await stream.aclose()
            assert access.asked == [("tcp", "127.0.0.1", port)]
            assert await t.there.ended() == ["closed"]

    run(main(), loop_factory)


def test_bytes_sent_before_the_answer_are_not_lost() -> None:
    async def main() -> None:
        async with tunnel() as t, tcp_server(echo) as port:
            stream = await t.pair.client.open_stream(f"fastmux:tcp:127.0.0.1:{port}")
            await stream.send(b"early")
            await stream.send_eof()
            assert await read_answer(stream) == ""
            assert b"".join([chunk async for chunk in stream]) == b"early"
            await stream.aclose()

    run(main())


def test_each_refusal_has_its_code_and_its_line(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            denied = int(server.getsockname()[1])
        async with tunnel(Loopback(denied=[denied])) as t, tcp_server(echo) as port:
            code = AnswerCode
            outlet = t.outlet
            error = await refusal(outlet.open_tcp("127.0.0.1", denied))
            assert (error.code, error.text) == (code.NOT_ALLOWED, f"{denied} is not allowed")
            assert (await refusal(outlet.open_tcp("10.0.0.1", port))).code == code.NOT_ALLOWED
            assert (await refusal(outlet.open_unix("/secret"))).code == code.NOT_ALLOWED
            assert (await refusal(outlet.open_unix(str(tmp_path / "s")))).code == code.CONNECTION_REFUSED
            t.exit.access = Loopback()
            assert (await refusal(outlet.open_tcp("127.0.0.1", denied))).code == code.CONNECTION_REFUSED
            t.exit.access = None
            assert (await refusal(outlet.open_tcp("127.0.0.1", port))).code == code.NOT_ALLOWED
            outcomes = await t.there.ended(6)
            assert (
                outcomes[0] == f"refused: no rule for 127.0.0.1:{denied}"
            )  # the log knows more than the peer
            assert outcomes[4].startswith("refused: the target refused")
            assert t.there.records() == []

    run(main())


def test_a_refused_datagram_channel_is_a_reset_with_code_refused() -> None:
    async def main() -> None:
        async with tunnel() as t:
            channel = await t.outlet.open_udp("10.0.0.1", 53)
            with pytest.raises(ChannelReset) as reset:
                await channel.receive()
            assert reset.value.code == c.REFUSED
            channel.reset()

    run(main())


@pytest.mark.parametrize(
    "label", ["", "fastmux:tcp:127.1:80", "fastmux:udp:a:1", "fastmux:ping", "fastmux:accepted:4::0", "x\n"]
)
def test_an_unknown_stream_is_reset_with_code_refused(label: str) -> None:
    async def main() -> None:
        async with tunnel() as t:
            stream = await t.pair.client.open_stream(label)
            with pytest.raises(ChannelReset) as reset:
                await stream.receive()
            assert reset.value.code == c.REFUSED
            stream.reset()
            assert (await t.there.ended())[0].startswith("refused")

    run(main())


@pytest.mark.parametrize("label", ["fastmux:tcp:127.0.0.1:1", "fastmux:listen:tcp:127.0.0.1:0", "ping"])
def test_an_unknown_message_channel_is_reset_with_code_refused(label: str) -> None:
    async def main() -> None:
        async with tunnel() as t:
            channel = await t.pair.client.open_message_channel(label)
            with pytest.raises(ChannelReset) as reset:
                await channel.receive()
            assert reset.value.code == c.REFUSED
            channel.reset()

    run(main())


def test_an_identity_has_so_many_sockets_and_gets_one_back_with_each_that_ends() -> None:
    async def main() -> None:
        async with tunnel(max_sockets=5) as t, tcp_server(echo) as port:
            streams = [await t.outlet.open_tcp("127.0.0.1", port) for _ in range(5)]
            for _ in range(20):
                assert (await refusal(t.outlet.open_tcp("127.0.0.1", port))).code == AnswerCode.BUSY
            channel = await t.outlet.open_udp("127.0.0.1", port)
            with pytest.raises(ChannelReset):
                await channel.receive()
            channel.reset()
            ping = await t.pair.client.open_message_channel("fastmux:ping")
            await ping.send(b"pings need no socket")
            assert await ping.receive() == b"pings need no socket"
            await ping.aclose()
            before = len(await t.there.ended(21))
            streams.pop().reset()
            await t.there.ended(before + 1)
            streams.append(await t.outlet.open_tcp("127.0.0.1", port))
            for stream in streams:
                stream.reset()

    run(main())


def test_a_ping_comes_back_and_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with tunnel() as t:
            channel = await t.pair.client.open_message_channel("fastmux:ping")
            for _ in range(3):
                await channel.send(b"8 bytes.")
                assert await channel.receive() == b"8 bytes."
            await channel.aclose()
            assert await t.there.ended() == ["closed"]

    with caplog.at_level(logging.INFO, "fastmux.tunnel"):
        run(main())
    (line,) = caplog.messages
    assert "ping : 24 bytes received, 24 sent" in line


def test_a_target_that_resets_resets_the_stream_and_the_local_connection() -> None:
    async def main() -> None:
        async def rude(sock: socket.socket) -> None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        async with tunnel() as t, tcp_server(rude) as port:
            listener = Listener(Target("tcp", "127.0.0.1", 0), Target("tcp", "127.0.0.1", port), t.outlet)
            await listener.start()
            client = await open_tcp(listener.bound.port)
            with client, pytest.raises(ConnectionResetError):
                await read_all(client)
            assert (await t.here.ended())[0] == "reset by the far end"
            assert (await t.there.ended())[0].startswith("socket broken")
            await listener.close()

    run(main())


def test_when_the_connection_is_lost_the_exits_sockets_are_reset_and_nothing_is_left() -> None:
    async def main() -> None:
        ends: list[str] = []

        async def waits(sock: socket.socket) -> None:
            try:
                await read_all(sock)
                ends.append("clean")
            except ConnectionResetError:
                ends.append("reset")

        async with tcp_server(waits) as port:
            async with tunnel() as t:
                streams = [await t.outlet.open_tcp("127.0.0.1", port) for _ in range(20)]
                t.pair.client.abort()
                assert all(outcome.startswith("connection lost") for outcome in await t.there.ended(20))
                assert t.there.records() == []
                for stream in streams:
                    stream.reset()
            while len(ends) < 20:
                await asyncio.sleep(0)
            assert ends == ["reset"] * 20

    run(main())


def test_a_client_serves_pings_and_nothing_else() -> None:
    async def main() -> None:
        async with tunnel() as t:
            ping = await t.pair.server.open_message_channel("fastmux:ping")
            await ping.send(b"x")
            assert await ping.receive() == b"x"
            await ping.aclose()
            stream = await t.pair.server.open_stream("fastmux:tcp:127.0.0.1:22")
            assert (await refusal(read_answer(stream))).code == AnswerCode.NOT_ALLOWED
            await stream.aclose()

    run(main())
