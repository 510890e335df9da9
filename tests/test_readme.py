"""The code in README.md runs as it stands, but for host, port and the folder of the certificates."""

from __future__ import annotations

import asyncio
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import fastmux
from fastmux.security.certificates import make_credentials

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
CLIENTS = [block for block in BLOCKS if "fastmux.connect(" in block]
(SERVER,) = [block for block in BLOCKS if "fastmux.listen(" in block]


def as_coroutine(code: str, port: int) -> str:
    """The block as the body of `async def example()`, speaking to this port of loopback."""
    code = code.replace('"gw.example", 4433', f'"127.0.0.1", {port}')
    return "async def example():\n" + textwrap.indent(code, "    ")


async def answer(channel: Any) -> None:
    """What the far end of the README's clients does: every message back, every stream back to its end."""
    async for data in channel:
        await channel.send(data)
    if isinstance(channel, fastmux.Stream):
        await channel.send_eof()


async def handler(conn: fastmux.Connection) -> None:
    """Echo channels and datagrams."""

    async def datagrams() -> None:
        while True:
            conn.send_datagram(await conn.receive_datagram())

    task = asyncio.create_task(datagrams())
    try:
        await conn.serve(answer)
    finally:
        task.cancel()


@pytest.mark.parametrize("number", range(len(CLIENTS)))
def test_a_client_of_the_readme_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_credentials(tmp_path / "credentials", days=1)
    monkeypatch.chdir(tmp_path / "credentials")

    async def run() -> None:
        server_tls = fastmux.TLSConfig("server.pem", "server.key", "ca.pem")
        client_tls = fastmux.TLSConfig("client.pem", "client.key", "ca.pem")
        async with fastmux.listen(handler, "127.0.0.1", 0, tls=server_tls, close_timeout=1) as server:
            names: dict[str, Any] = {"fastmux": fastmux, "tls": client_tls}
            exec(as_coroutine(CLIENTS[number], server.port), names)
            await asyncio.wait_for(names["example"](), 20)

    asyncio.run(run())


def test_the_server_of_the_readme_runs() -> None:
    async def run() -> None:
        code = SERVER.replace('"0.0.0.0", 4433', '"127.0.0.1", 0').replace(
            "await server.serve_forever()", "started.set_result(server.port); await server.serve_forever()"
        )
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        names: dict[str, Any] = {"fastmux": fastmux, "server_tls": fastmux.PLAINTEXT, "started": started}
        exec("async def example():\n" + textwrap.indent(code, "    "), names)
        task = asyncio.create_task(names["example"]())
        port = await asyncio.wait_for(started, 10)
        async with fastmux.connect("127.0.0.1", port, tls=fastmux.PLAINTEXT) as conn:
            stream = await conn.open_stream()
            await stream.send(b"hello")
            assert await stream.receive() == b"hello"
            await stream.send_eof()
            await stream.aclose()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_the_readme_names_the_two_commands_and_what_is_not_promised() -> None:
    text = README.read_text(encoding="utf-8")
    for part in ("make demo", "make test", "Not independently audited", "Why not QUIC?"):
        assert part in text
