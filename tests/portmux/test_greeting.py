"""What is no greeting of this way is refused, clearly, at both ends."""

from __future__ import annotations

import asyncio
import logging

import pytest

import fastmux
from e2e.support import run
from fastmux import PLAINTEXT, portmux
from fastmux import constants as c
from fastmux.exceptions import ConnectionClosed, HandshakeError
from fastmux.portmux import messages as m
from fastmux.portmux.handshake import ExportingTls
from portmux.ends import HOST

TLS = ExportingTls(PLAINTEXT)


async def nothing(connection: portmux.PortConnection) -> None:
    await connection.wait_closed()


def test_a_plain_client_is_told_what_to_use(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with portmux.listen(nothing, HOST, 0, tls=PLAINTEXT) as server:
            connection = await fastmux.connect(HOST, server.port, tls=PLAINTEXT)
            channel = await connection.open_message_channel("chat")
            with pytest.raises(ConnectionClosed, match=r"use fastmux\.portmux\.connect") as caught:
                await channel.receive()
                await connection.accept()
            assert caught.value.code == c.REFUSED

    run(main())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_client_of_ports_is_told_that_the_server_is_a_plain_one() -> None:
    async def refuse(channel: object) -> None:
        raise ConnectionError("what is this?")

    async def serve(connection: fastmux.Connection) -> None:
        await connection.serve(refuse)

    async def main() -> None:
        async with fastmux.listen(serve, HOST, 0, tls=PLAINTEXT) as server:
            with pytest.raises(HandshakeError, match="does not multiplex by port"):
                await portmux.connect(HOST, server.port, tls=PLAINTEXT)

    run(main())


def test_a_server_that_does_not_answer_is_a_timeout_that_says_so() -> None:
    async def serve(connection: fastmux.Connection) -> None:
        await connection.wait_closed()

    async def main() -> None:
        async with fastmux.listen(serve, HOST, 0, tls=PLAINTEXT) as server:
            with pytest.raises(TimeoutError, match=r"is it fastmux\.portmux\.listen"):
                await portmux.connect(HOST, server.port, tls=PLAINTEXT, open_timeout=0.2)

    run(main())


def test_a_client_that_takes_no_message_is_refused_and_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with portmux.listen(nothing, HOST, 0, tls=PLAINTEXT) as server:
            connection = await fastmux.connect(HOST, server.port, tls=TLS, max_message_size=1)
            channel = await connection.open_message_channel(c.PORTMUX_LABEL)
            with pytest.raises(ConnectionClosed, match="does not take a greeting"):
                await channel.receive()
                await connection.accept()

    run(main())
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (m.encode(m.Hello(2, 1, b"")), "in version 2"),
        (m.encode(m.Open(0)), "did not greet"),
        (b"", "control message empty"),
        (m.encode(m.Hello(1, 1, b"\x01\x09")), "truncated"),
    ],
)
def test_a_client_that_greets_otherwise_is_refused_with_the_reason(first: bytes, words: str) -> None:
    async def main() -> None:
        async with portmux.listen(nothing, HOST, 0, tls=PLAINTEXT) as server:
            connection = await fastmux.connect(HOST, server.port, tls=TLS)
            channel = await connection.open_message_channel(c.PORTMUX_LABEL)
            await channel.send(first)
            with pytest.raises(ConnectionClosed, match=words) as caught:
                async with asyncio.timeout(5):
                    while True:
                        await channel.receive()
            assert caught.value.remote

    run(main())
