"""Every workload over asyncio TCP and TLS runs, verifies what it carries, and both ends agree."""

from __future__ import annotations

import pytest

from bench import raw_udp, worker
from bench.tcp_tls import __main__ as tcp_tls
from benchmarks.both import BothEnds

COUNTS = {"streams": "5", "echoes": "5"}


@pytest.mark.parametrize(("workload", "api"), tcp_tls.WORKERS)
def test_both_ends_count_the_same(workload: str, api: str, both_ends: BothEnds) -> None:
    server, client = tcp_tls.WORKERS[workload, api]
    arguments = ["--workload", workload, "--api", api]
    if workload in COUNTS:
        arguments += ["--count", COUNTS[workload]]
    received, sent = both_ends(server, client, tcp_tls.make_parser(), arguments)
    key = "total_size" if "total_size" in received else "total_operations"
    assert received[key] == sent[key] > 0


def test_raw_udp_goes_there_and_back(both_ends: BothEnds) -> None:
    arguments = ["--workload", "pingpong"]
    parser = worker.parser("")
    server, client = both_ends(raw_udp.serve, raw_udp.pingpong, parser, arguments)
    assert server["total_operations"] == client["total_operations"] > 0
