"""Certificates, and both ends of a worker in one process and on one loop."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench import worker
from benchmarks.both import BothEnds, Results, Side
from fastmux.security.certificates import make_credentials

LIMIT = 60.0


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    make_credentials(folder, days=1)
    return folder


@pytest.fixture
def both_ends(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> BothEnds:
    """Runs a server and a client worker, and returns the result line of each."""

    def run(server: Side, client: Side, parser: argparse.ArgumentParser, arguments: list[str]) -> Results:
        said: list[dict[str, Any]] = []
        port: asyncio.Future[int]

        def announce(line: Mapping[str, object]) -> None:
            if "port" in line and not port.done():
                port.set_result(int(str(line["port"])))
            else:
                said.append(dict(line))

        async def go() -> None:
            nonlocal port
            port = asyncio.get_running_loop().create_future()
            shared = [
                "--certificates",
                str(certificates),
                "--seconds",
                "0.15",
                "--warmup",
                "0.02",
                *arguments,
            ]
            serving = asyncio.create_task(server(parser.parse_args(["server", *shared])))
            try:
                both: list[asyncio.Future[Any]] = [port, serving]
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if not port.done():
                    await serving  # raises what kept it from listening
                await client(parser.parse_args(["client", *shared, "--port", str(port.result())]))
                await serving
            finally:
                serving.cancel()

        monkeypatch.setattr(worker, "announce", announce)
        asyncio.run(asyncio.wait_for(go(), LIMIT))
        by_role = {line["role"]: line for line in said}
        return by_role["server"], by_role["client"]

    return run
