"""One leg of the demo, in the test's own process: the lines that the parent reads."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import fastmux
from fastmux.tunnel.demo.client import ClientOptions, run_leg
from fastmux.tunnel.demo.server import DemoServer, start_http
from fastmux.tunnel.demo.verdict import judge
from fastmux.tunnel.demo.workload import MIB, Workload, make_file


def test_a_leg_ends_in_a_result_that_the_verdict_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workload = Workload(file_size=MIB, http_size=MIB, messages=10, pings=20)
    file_digest = make_file(tmp_path / "file", workload.file_size, 1)
    http_digest = make_file(tmp_path / "blob", workload.http_size, 2)

    async def run() -> None:
        server = DemoServer(start_http(tmp_path))
        listener = fastmux.listen(server.handle, "127.0.0.1", 0, tls=fastmux.PLAINTEXT, close_timeout=1)
        async with listener as listening:
            ports = (listening.port, 0)
            options = ClientOptions(str(tmp_path), *ports, True, False, file_digest, http_digest, workload)
            await run_leg(options)

    asyncio.run(run())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["event"] == "connected"
    assert any(line["event"] == "progress" for line in lines)
    result = lines[-1]
    assert result["event"] == "result"
    assert [job["job"] for job in result["jobs"]] == ["file", "messages", "http", "sleeper"]
    assert judge(result) == []
