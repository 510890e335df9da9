"""`fastmux.trio.connect` over real sockets."""

from __future__ import annotations

import socket
from contextlib import aclosing
from pathlib import Path

import pytest
import trio

from fastmux import PLAINTEXT, Backoff, TLSConfig
from fastmux.exceptions import AuthenticationError, HandshakeError
from fastmux.security.certificates import make_credentials
from fastmux.trio import Connection, Stream, connect, listen
from fastmux.trio.client import addresses_of


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


def tls_of(directory: Path, name: str) -> TLSConfig:
    """The identity of one end."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    return TLSConfig(str(certificate), str(key), str(directory / "ca.pem"))


def silent_port() -> tuple[socket.socket, int]:
    """A UDP port where nobody answers."""
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


def test_connect_can_be_awaited_and_entered() -> None:
    async def main() -> None:
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            connection = await connect("127.0.0.1", server.port, tls=PLAINTEXT)
            assert connection.get_extra_info("peername") == ("127.0.0.1", server.port)
            await connection.aclose()
            async with connect("localhost", server.port, tls=PLAINTEXT) as connection:
                assert 0 < await connection.ping() < 5
            assert connection.is_closed

    trio.run(main)


def test_megabytes_pass_between_two_ends_that_know_each_other_by_certificate(tmp_path: Path) -> None:
    make_credentials(tmp_path / "c", days=1)

    data = bytes(range(256)) * 8192

    async def echo(connection: Connection) -> None:
        stream = await connection.accept()
        assert isinstance(stream, Stream)
        async with stream:
            async for chunk in stream:
                await stream.send_all(chunk)
        await connection.wait_closed()

    async def main() -> None:
        async with (
            listen(echo, "127.0.0.1", 0, tls=tls_of(tmp_path / "c", "server")) as server,
            connect("127.0.0.1", server.port, tls=tls_of(tmp_path / "c", "client")) as connection,
        ):
            assert connection.peer.common_name
            stream = await connection.open_stream()

            async def send() -> None:
                await stream.send_all(data)
                await stream.send_eof()

            received = bytearray()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                async for chunk in stream:
                    received += chunk
            assert received == data
            await stream.aclose()

    trio.run(main)


def test_a_stranger_is_turned_away_with_the_reason(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        make_credentials(tmp_path / name, days=1)

    async def main() -> None:
        async with listen(wait, "127.0.0.1", 0, tls=tls_of(tmp_path / "mine", "server")) as server:
            with pytest.raises(AuthenticationError):
                await connect("127.0.0.1", server.port, tls=tls_of(tmp_path / "other", "client"))

    trio.run(main)


def test_nobody_there_is_a_timeout_that_names_the_address() -> None:
    async def main() -> None:
        sock, port = silent_port()
        with sock:
            with pytest.raises(TimeoutError, match=f"127.0.0.1 port {port} within 0.1 s"):
                await connect("127.0.0.1", port, tls=PLAINTEXT, open_timeout=0.1)
            with pytest.raises(HandshakeError, match="0.1 s"):
                await connect("127.0.0.1", port, tls=PLAINTEXT, handshake_timeout=0.1, open_timeout=None)

    trio.run(main)


def test_an_error_in_the_block_aborts_the_connection_and_is_not_wrapped() -> None:
    async def main() -> None:
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            with pytest.raises(KeyError):
                async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
                    raise KeyError
            assert connection.is_closed

    trio.run(main)


def test_a_host_without_an_address_is_an_os_error() -> None:
    async def main() -> None:
        assert await addresses_of("127.0.0.1", 1) == [(socket.AF_INET, ("127.0.0.1", 1))]
        with pytest.raises(OSError, match=r"."):
            await connect("no-such-host.invalid", 1, tls=PLAINTEXT)

    trio.run(main)


def test_a_loop_over_connect_connects_again() -> None:
    async def say_goodbye(connection: Connection) -> None:
        await connection.receive_datagram()

    async def main() -> None:
        async with listen(say_goodbye, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            backoff = Backoff(initial=0.001, maximum=0.001)
            turns = 0
            connector = connect("127.0.0.1", server.port, tls=PLAINTEXT, backoff=backoff)
            async with aclosing(aiter(connector)) as connections:
                async for connection in connections:
                    turns += 1
                    connection.send_datagram(b"go")
                    await connection.wait_closed()
                    if turns == 3:
                        break
            assert turns == 3

    trio.run(main)
