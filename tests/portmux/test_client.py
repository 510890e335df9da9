"""`connect` by ports: awaited, entered, and its errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e.support import LoopFactory, run
from fastmux import PLAINTEXT, Backoff, TLSConfig, portmux
from fastmux.aio.serving import AnyChannel
from fastmux.exceptions import AuthenticationError
from portmux.ends import HOST, port_ends


async def serve(connection: portmux.PortConnection) -> None:
    async def echo(channel: AnyChannel) -> None:
        async for data in channel:
            await channel.send(data)

    await connection.serve(echo)


def test_connect_can_be_awaited_and_entered(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with portmux.listen(serve, HOST, 0, tls=PLAINTEXT) as server:
            connection = await portmux.connect(HOST, server.port, tls=PLAINTEXT)
            assert connection.get_extra_info("peername") == (HOST, server.port)
            assert 0 < await connection.ping() < 5
            async with await connection.open_stream() as stream:
                await stream.send(bytes(100_000))
                await stream.send_eof()
                assert sum([len(chunk) async for chunk in stream]) == 100_000
            await connection.aclose()
            await connection.aclose()
            assert connection.is_closed
            async with portmux.connect(HOST, server.port, tls=PLAINTEXT) as connection:
                assert not connection.is_closed
            assert connection.is_closed
            with pytest.raises(KeyError):
                async with portmux.connect(HOST, server.port, tls=PLAINTEXT) as connection:
                    raise KeyError
            assert connection.is_closed

    run(main(), loop_factory)


def test_a_connection_that_is_over_is_followed_by_the_next(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        backoff = Backoff(initial=0.001, maximum=0.001)
        async with portmux.listen(serve, HOST, 0, tls=PLAINTEXT) as server:
            seen = []
            async for connection in portmux.connect(HOST, server.port, tls=PLAINTEXT, backoff=backoff):
                seen.append(connection.id)
                if len(seen) == 3:
                    break
                async with await connection.open_stream() as stream:
                    await stream.send(b"x")
                    assert await stream.receive() == b"x"
                connection.abort()
            assert len(set(seen)) == 3

    run(main(), loop_factory)


def test_the_local_address_of_the_control_connection_is_that_of_every_port() -> None:
    async def main() -> None:
        async with (
            portmux.listen(serve, HOST, 0, tls=PLAINTEXT) as server,
            portmux.connect(HOST, server.port, tls=PLAINTEXT, local_address=("127.0.0.3", 0)) as connection,
        ):
            stream = await connection.open_stream()
            assert stream.get_extra_info("sockname") == ("127.0.0.3", stream.local_port)
            await stream.send(b"x")
            assert await stream.receive() == b"x"
            await stream.aclose()

    run(main())


def test_a_setting_that_cannot_work_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="max_ports"):
        portmux.connect(HOST, 1, tls=PLAINTEXT, max_ports=0)
    with pytest.raises(ValueError, match="congestion"):
        portmux.connect(HOST, 1, tls=PLAINTEXT, congestion="none")


def test_both_ends_are_authenticated_and_every_channel_is_sealed(
    client_tls: TLSConfig, server_tls: TLSConfig
) -> None:
    async def main() -> None:
        async with port_ends(tls=(client_tls, server_tls)) as both:
            assert both.client.peer.dns_names
            assert both.server.peer.certificate != both.client.peer.certificate
            mine, theirs = await both.streams()
            await mine.send(b"x" * 100_000)
            received = 0
            while received < 100_000:
                received += len(await theirs.receive())
            await theirs.aclose()
            await mine.aclose()

    run(main())


def test_a_client_that_does_not_trust_the_server_gets_no_port(
    server_tls: TLSConfig, client_tls: TLSConfig
) -> None:
    async def main() -> None:
        async with portmux.listen(serve, HOST, 0, tls=server_tls) as server:
            wrong = replace(client_tls, pins=("sha256//" + "A" * 43 + "=",))
            with pytest.raises(AuthenticationError):
                await portmux.connect(HOST, server.port, tls=wrong)
            assert server.ports_in_use == 0
            assert server.connections == ()

    run(main())
