"""The far end answers each channel by its label."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

import fastmux
from fastmux import core
from fastmux.tunnel.demo.jobs import receive_all
from tunnel.demo.far_end import far_end


def test_a_ping_stream_echoes(tmp_path: Path) -> None:
    async def run() -> None:
        async with far_end(tmp_path) as conn:
            stream = await conn.open_stream(label="ping")
            await stream.send(b"hello")
            assert await stream.receive() == b"hello"
            await stream.send_eof()
            await stream.aclose()

    asyncio.run(run())


def test_a_file_stream_is_answered_with_its_hash(tmp_path: Path) -> None:
    async def run() -> None:
        async with far_end(tmp_path) as conn:
            stream = await conn.open_stream(label="file")
            await stream.send(b"abc" * 100_000)
            await stream.send_eof()
            assert await receive_all(stream) == hashlib.sha256(b"abc" * 100_000).digest()

    asyncio.run(run())


def test_the_report_names_the_core_and_the_socket_path(tmp_path: Path) -> None:
    async def run() -> None:
        async with far_end(tmp_path) as conn:
            control = await conn.open_stream(label="control")
            await control.send(b"report")
            report = json.loads(await control.receive())
            assert report["core"] == core.IMPLEMENTATION
            assert report["socket_path"]
            assert report["rss"] > 2**20
            await control.send_eof()
            await control.aclose()

    asyncio.run(run())


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with far_end(tmp_path) as conn:
            stream = await conn.open_stream(label="teapot")
            with pytest.raises(fastmux.ChannelReset) as caught:
                await stream.receive()
            assert caught.value.code == fastmux.constants.REFUSED
            stream.reset(0)

    asyncio.run(run())
