"""iperf3 with eight streams at once, both ways."""

from __future__ import annotations

import json

import pytest

from programs.gateway import Gateway
from programs.processes import Programs, free_port, program, run

STREAMS = 8


@pytest.mark.parametrize("direction", [(), ("--reverse",)], ids=["to the server", "from the server"])
def test_eight_streams_all_move(direction: tuple[str, ...], gateway: Gateway, programs: Programs) -> None:
    iperf, far, near = program("iperf3"), free_port(), free_port()
    server = programs.start("iperf3", [iperf, "-s", "--forceflush", "-B", "127.0.0.1", "-p", str(far)])
    server.wait_for_text("Server listening")
    gateway.serve()
    gateway.tunnel("-L", f"{near}:127.0.0.1:{far}")
    options = ("-c", "127.0.0.1", "-p", str(near), "-P", str(STREAMS), "-t", "3", "--json", *direction)
    report = json.loads(run(iperf, *options).stdout)
    received = [each["receiver"]["bytes"] for each in report["end"]["streams"]]
    assert len(received) == STREAMS
    assert min(received) > 2**20, f"a stream stood still: {received}"
    assert sum(received) > 50 * 2**20
