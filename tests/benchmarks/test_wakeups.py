"""The wake-ups of an event loop are counted, and told per GB or operation."""

from __future__ import annotations

import asyncio
import socket

from bench import worker
from bench.ours import wakeups


def test_a_loop_counts_what_wakes_it_and_results_tell() -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            for sock in (ours, theirs):
                sock.setblocking(False)
            loop = asyncio.get_running_loop()
            for _ in range(5):
                theirs.send(b"x")
                assert await loop.sock_recv(ours, 1) == b"x"
                receiving = asyncio.ensure_future(loop.sock_recv(ours, 1))
                await asyncio.sleep(0)
                theirs.send(b"y")
                await receiving

    before = list(wakeups._counters)
    with asyncio.Runner(loop_factory=wakeups.counting_loop) as runner:
        runner.run(main())
    counter = wakeups._counters[-1]
    assert 5 <= counter.wakeups <= counter.found
    operations = worker.Operations(1.0, 0.0)
    operations.add(5)
    detail = wakeups.added_to(operations.result("client", {}))["detail"]
    assert isinstance(detail, dict)
    assert detail["wakeups"] == counter.wakeups / 5
    wakeups._counters[:] = before
    assert wakeups.added_to({"total_size": 10, "detail": {}}) == {"total_size": 10, "detail": {}}


def test_open_descriptors_are_counted() -> None:
    before = worker.open_files()
    if before is None:
        return
    with socket.socket():
        assert worker.open_files() == before + 1
