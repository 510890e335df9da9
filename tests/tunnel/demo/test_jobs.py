"""Each job of the demo is carried and checked; what arrives wrong is seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastmux.tunnel.demo import jobs
from fastmux.tunnel.demo.workload import MIB, make_file
from tunnel.demo.far_end import far_end


def ignore(job: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""
    assert done <= total


def test_a_file_is_verified_by_its_hash_and_by_no_other(tmp_path: Path) -> None:
    digest = make_file(tmp_path / "file", MIB, seed=1)

    async def run() -> None:
        async with far_end(tmp_path) as conn:
            right = await jobs.send_file(conn, tmp_path / "file", digest, ignore)
            wrong = await jobs.send_file(conn, tmp_path / "file", "0" * 64, ignore)
            assert (right.verified, right.size) == (True, MIB)
            assert not wrong.verified

    asyncio.run(run())


def test_messages_are_verified_with_their_borders(tmp_path: Path) -> None:
    async def run() -> None:
        async with far_end(tmp_path) as conn:
            result = await jobs.send_messages(conn, 20, 1, ignore)
            assert result.verified
            assert result.size > MIB

    asyncio.run(run())


def test_http_is_fetched_through_the_far_end(tmp_path: Path) -> None:
    digest = make_file(tmp_path / "blob", 300_000, seed=2)

    async def run() -> None:
        async with far_end(tmp_path) as conn:
            found = await jobs.fetch(conn, "blob", digest, ignore)
            missing = await jobs.fetch(conn, "nothing", digest, ignore)
            assert (found.verified, found.size, found.note) == (True, 300_000, "HTTP 200")
            assert (missing.verified, missing.note) == (False, "HTTP 404")

    asyncio.run(run())


def test_pings_go_on_until_they_are_stopped(tmp_path: Path) -> None:
    async def run() -> None:
        async with far_end(tmp_path) as conn:
            counted = await jobs.ping(conn, "counted", 5, None)
            assert len(counted.round_trips) == 5
            stop = asyncio.Event()
            stop.set()
            assert (await jobs.ping(conn, "stopped", 5, stop)).round_trips == []

    asyncio.run(run())


def test_the_sleeper_stands_still_until_its_reader_wakes(tmp_path: Path) -> None:
    async def run() -> None:
        async with far_end(tmp_path) as conn:
            sleeper = jobs.Sleeper(await conn.open_stream(label="sleeper"))
            await jobs.ping(conn, "meanwhile", 50, None)
            assert sleeper.is_stalled
            control = await conn.open_stream(label="control")
            await control.send(b"wake")
            await control.receive()
            assert (await sleeper.finish()).verified
            await control.send_eof()
            await control.aclose()

    asyncio.run(run())
