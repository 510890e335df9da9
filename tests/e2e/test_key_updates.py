"""Real sockets, real TLS and a link that loses, swaps and repeats: keys change, the bytes do not."""

from __future__ import annotations

import asyncio
import sys

import pytest

import fastmux
from e2e.conversation import FarEnd, echo, payload
from e2e.support import LogWatch, Process, environment, run
from fastmux import core

pytestmark = pytest.mark.slow

UPDATES = 12
ECHO_SIZE = 200_000


async def start_relay(server_port: int, loss: float) -> tuple[Process, int]:
    """A hostile link to the server, in a process of its own, and its port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fastmux.tunnel.demo.relay", str(server_port), str(loss), "7"),
        env=environment(core.IMPLEMENTATION),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    relay = Process(process)
    return relay, int((await relay.told())["port"])


def test_what_is_sent_comes_back_the_same_through_many_updates(
    server_tls: fastmux.TLSConfig, client_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        far_end = FarEnd()
        with LogWatch() as log:
            listening = fastmux.listen(
                far_end.handle,
                "127.0.0.1",
                0,
                tls=server_tls,
                key_update_interval=25,
                idle_timeout=2.0,  # the close may be lost too
            )
            async with listening as server:
                relay, port = await start_relay(server.port, loss=0.02)
                try:
                    connecting = fastmux.connect("127.0.0.1", port, tls=client_tls, key_update_interval=40)
                    async with connecting as conn:
                        seed = 0
                        while conn.stats.key_updates < UPDATES:
                            seed += 1
                            data = payload(ECHO_SIZE, seed)
                            assert await echo(await conn.open_stream(label="echo"), data) == data
                finally:
                    await relay.kill()
        assert far_end.handled == 1
        assert log.lines == []

    run(main())
