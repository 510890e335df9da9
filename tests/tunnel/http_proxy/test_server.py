"""The listener as a whole: on a real socket, and without h11."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from aio.conftest import LoopFactory
from fastmux.tunnel.http_proxy.server import HttpProxy
from fastmux.tunnel.notation.targets import Target
from tunnel.http_proxy.exchanges import GET, OK, Answers
from tunnel.proxies.world import LOOPBACK, Client, world


def test_requests_are_answered_on_every_loop(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with world() as w:
            proxy = HttpProxy(LOOPBACK, w.outlet, w.registry)
            await proxy.start()
            client = Client(*await asyncio.open_connection(proxy.bound.host, proxy.bound.port))
            answers = Answers(client)
            for _ in range(3):
                await client.send(GET)
                origin = await w.accept()
                await origin.send(OK)
                assert (await answers.next())[1] == b"hello"
                await origin.aclose()
            client.writer.close()
            await client.writer.wait_closed()
            proxy.close()
            await proxy.wait_closed()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())


def test_closing_cuts_short_what_is_under_way_and_never_makes_it_look_whole() -> None:
    async def main() -> None:
        async with world() as w:
            proxy = HttpProxy(LOOPBACK, w.outlet, w.registry)
            await proxy.start()
            client = Client(*await asyncio.open_connection(proxy.bound.host, proxy.bound.port))
            await client.send(GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
            origin = await w.accept()
            await origin.send(b"HTTP/1.0 200 OK\r\n\r\nhello")
            await client.until(b"hello")
            proxy.close()
            await proxy.wait_closed()
            with pytest.raises(ConnectionResetError):
                await client.rest()
            with pytest.raises(ConnectionError):
                while True:
                    await origin.receive()
            origin.reset()
            assert w.registry.records() == []

    asyncio.run(main())


def test_an_address_or_users_that_cannot_be_are_refused() -> None:
    async def main() -> None:
        async with world() as w:
            with pytest.raises(ValueError, match="TCP"):
                HttpProxy(Target("unix", path="/run/x"), w.outlet, w.registry)
            with pytest.raises(ValueError, match="colon"):
                HttpProxy(LOOPBACK, w.outlet, w.registry, users={"a:b": "c"})
            with pytest.raises(ValueError, match="no user"):
                HttpProxy(LOOPBACK, w.outlet, w.registry, users={})

    asyncio.run(main())


def test_without_h11_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['h11'] = None; import fastmux.tunnel.http_proxy.server"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "pip install 'fastmux[tunnel]'" in done.stderr
