"""The programs in docs/scaling.md run as they stand, but for the port; its figures are reproduced."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

import fastmux
from bench.fleet import by_maglev, by_modulo, costs_by_address, fleet_table, random_hashes
from fastmux.security.certificates import make_credentials

TEXT = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")
PROGRAM, FLEET = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with certificates."""
    make_credentials(tmp_path / "credentials", days=1)
    monkeypatch.chdir(tmp_path / "credentials")
    return tmp_path / "credentials"


async def echo_from(port: int) -> bytes:
    """What a server at this port sends back."""
    tls = fastmux.TLSConfig("client.pem", "client.key", "ca.pem")
    async with fastmux.connect("127.0.0.1", port, tls=tls, open_timeout=40) as conn:
        channel = await conn.open_message_channel()
        await channel.send(b"who is there?")
        answer = await channel.receive()
        await channel.aclose()
        return answer


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="groups are of Linux")
def test_the_program_with_many_workers_serves_and_ends_with_an_interrupt(credentials: Path) -> None:
    program = credentials / "serve.py"
    program.write_text(PROGRAM.replace('"0.0.0.0", 4433', '"127.0.0.1", 0'), encoding="utf-8")

    async def main() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(program), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(60):
                word, port = (await process.stdout.readline()).split()
                assert word == b"port"
                answers = await asyncio.gather(*(echo_from(int(port)) for _ in range(8)))
                assert answers == [b"who is there?"] * 8
                process.send_signal(signal.SIGINT)
                return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert asyncio.run(main()) == 0


def test_the_server_of_a_fleet_issues_ids_with_its_server_id(credentials: Path) -> None:
    local_ids: list[bytes] = []

    async def echo(channel: Any) -> None:
        async for data in channel:
            await channel.send(data)

    async def handler(conn: Any) -> None:
        local_ids.append(conn._connection.ids.local)
        await conn.serve(echo)

    async def main() -> fastmux.RoutableIds:
        names: dict[str, Any] = {
            "fastmux": fastmux,
            "fleet_key": bytes(range(16)),
            "handler": handler,
            "echo_from": echo_from,
            "tls": fastmux.TLSConfig("server.pem", "server.key", "ca.pem"),
        }
        body = FLEET.replace('"0.0.0.0", 4433', '"127.0.0.1", 0').replace(
            "...", "await echo_from(server.port)"
        )
        indented = "".join(f"    {line}\n" for line in body.splitlines())
        exec(f"async def example():\n{indented}    return ids\n", names)
        ids = await names["example"]()
        assert isinstance(ids, fastmux.RoutableIds)
        return ids

    ids = asyncio.run(main())
    assert [ids.server_of(each) for each in local_ids] == [b"\x00\x17"]


def test_the_figures_are_those_of_the_simulation_at_its_seed() -> None:
    """The spread and costs of the balancers that know addresses, computed again."""
    dice = Random(1)
    hashes, moved = random_hashes(dice, 1_000_000), random_hashes(dice, 100_000)
    costs = {
        "hash of addresses modulo hosts": costs_by_address(by_modulo, hashes, moved, 100),
        "Maglev by hash of addresses": costs_by_address(by_maglev, hashes, moved, 100),
    }
    assert fleet_table(costs, 1_000_000, 100_000) in TEXT
