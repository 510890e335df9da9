"""The code in README.md runs as it stands, but for host, port and the folder of the certificates."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import fastmux
from fastmux.security.certificates import make_credentials

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
PROGRAM, *CLIENTS = BLOCKS


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


def free_port() -> int:
    """A UDP port that nobody has just now, and that nobody is given who asks for any."""
    for port in random.sample(range(20000, 32768), 100):
        with socket.socket(type=socket.SOCK_DGRAM) as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def test_the_whole_program_of_the_readme_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    make_credentials(tmp_path / "keys", days=1)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("4433", str(free_port())), "utf-8")
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("b'hello'\n", "")


def test_the_whole_program_is_short() -> None:
    assert len([line for line in PROGRAM.splitlines() if line.strip()]) <= 15


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    text = README.read_text(encoding="utf-8")
    rows = text.partition("## How fast")[2].partition("\n## ")[0].split("\n| --- ")[1].splitlines()[1:]
    figures = [
        figure for row in rows if row.startswith("|") for figure in re.findall(r"\| ([\d,]+)(?= [|(])", row)
    ]
    measured = (README.parent / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert len(figures) == 15
    assert [figure for figure in figures if f"| {figure} |" not in measured] == []


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8")))
def test_a_link_of_the_readme_leads_somewhere(path: str) -> None:
    assert (README.parent / path).exists()


def test_the_readme_names_the_two_commands_and_what_is_not_promised() -> None:
    text = README.read_text(encoding="utf-8")
    for part in ("make demo", "make test", "Not independently audited", "Why not QUIC?"):
        assert part in text
