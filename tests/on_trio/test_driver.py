"""The driver on trio goes by trio's clock, and opens sockets that trio watches."""

from __future__ import annotations

import socket

import trio

from fastmux import PLAINTEXT
from fastmux.protocol.configuration import Configuration
from fastmux.trio import Connection, connect, listen
from fastmux.trio.driver import TrioDriver
from fastmux.trio.loop import running_loop
from fastmux.trio.transport import open_transport


def test_a_driver_belongs_to_the_run_that_it_is_made_in() -> None:
    async def main() -> None:
        driver = TrioDriver(open_transport(socket.AF_INET, ("127.0.0.1", 0)), Configuration())
        assert driver.loop is running_loop()
        assert driver.clock is trio.current_time
        another = await driver.open_transport(socket.AF_INET, ("127.0.0.1", 0))
        assert another.sockname != driver.transport.sockname
        another.close()
        driver.close()

    trio.run(main)


def test_a_client_moves_to_another_socket() -> None:
    async def wait(connection: Connection) -> None:
        await connection.wait_closed()

    async def main() -> None:
        async with (
            listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server,
            connect("127.0.0.1", server.port, tls=PLAINTEXT) as client,
        ):
            before = client.get_extra_info("sockname")
            await client.migrate()
            assert client.get_extra_info("sockname") != before
            assert 0 < await client.ping() < 5

    trio.run(main)
