"""A cluster of processes whose every word goes over fastmux."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest

from fastmux import core
from on_dask.support import run, security
from on_dask.work import connections, die, digest, implementation, make

SIZE = 10**9 if core.IMPLEMENTATION == "cython" else 10**7
_distributed: Any = distributed


@asynccontextmanager
async def cluster(files: Path) -> AsyncIterator[tuple[Any, list[str]]]:
    """A scheduler here, two workers in processes of their own, and a client; the workers' addresses."""
    made = security(files)
    options = {
        "n_workers": 2,
        "threads_per_worker": 1,
        "memory_limit": 0,
        "dashboard_address": "127.0.0.1:0",  # else 8787, which the suite on the other core may have
        "host": "127.0.0.1",
        "protocol": "fastmux://",
        "security": made,
        "asynchronous": True,
    }
    async with (
        _distributed.LocalCluster(**options) as local,
        _distributed.Client(local, security=made, asynchronous=True) as client,
    ):
        yield client, list(local.scheduler.workers)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_workers_move_a_large_array_over_one_connection(files: Path) -> None:
    async def main() -> None:
        async with cluster(files) as (client, (first, second)):
            assert first.startswith("fastmux://127.0.0.1:")
            assert set((await client.run(implementation)).values()) == {core.IMPLEMENTATION}
            array = client.submit(make, SIZE, workers=[first])
            there = await client.submit(digest, array, workers=[first], pure=False)
            here = await client.submit(digest, array, workers=[second], pure=False)
            assert there == here
            assert there[0] == SIZE
            leads_to = (await client.run(connections, workers=[second]))[second]
            host, _, port = first.removeprefix("fastmux://").partition(":")
            assert leads_to.count((host, int(port))) == 1

    run(main(), timeout=360)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_worker_that_is_killed_is_replaced(files: Path) -> None:
    """Nobody closes its comms: its nanny sees the process end, and the scheduler starts another."""

    async def main() -> None:
        async with cluster(files) as (client, (first, _)):
            killing = client.submit(die, workers=[first], pure=False)
            with pytest.raises(Exception, match="died|killed|[Ww]orker"):
                await killing
            assert await client.submit(sum, [1, 2, 3]) == 6

    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):  # what dies is not tried again
        run(main(), timeout=100)


def test_the_scheme_needs_no_import_of_fastmux(files: Path) -> None:
    async def main() -> None:
        made = security(files)
        options: dict[str, Any] = {"host": "127.0.0.1", "security": made}
        options |= {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
        async with (
            _distributed.Scheduler(protocol="fastmux://", port=0, **options) as scheduler,
            _distributed.Worker(scheduler.address, nthreads=1, **options) as worker,
            _distributed.Client(scheduler.address, security=made, asynchronous=True) as client,
        ):
            assert worker.address.startswith("fastmux://")
            assert await client.submit(pow, 2, 10) == 1024
        await asyncio.sleep(0)

    run(main())
