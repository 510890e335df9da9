"""A line about a connection names it, the same on both ends."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aio.pair import pair
from aio.virtual_loop import virtual
from fastmux.aio.logs import CONNECTION_LOGGER, ConnectionLog
from fastmux.aio.serving import AnyChannel


def test_the_id_stands_before_the_message_and_among_the_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ConnectionLog("00ff").info("moved %d times", 3, extra={"cause": "test"})
    (record,) = caplog.records
    assert record.name == CONNECTION_LOGGER
    assert record.getMessage() == "[00ff] moved 3 times"
    assert record.__dict__["connection_id"] == "00ff"
    assert record.__dict__["cause"] == "test"


def test_lines_of_another_logger_keep_its_name(caplog: pytest.LogCaptureFixture) -> None:
    ConnectionLog("00ff", logging.getLogger("fastmux.server")).error("x")
    assert caplog.records[0].name == "fastmux.server"


@virtual
async def test_both_ends_say_when_a_connection_opens_and_why_it_closes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, CONNECTION_LOGGER)
    async with pair() as ends:
        assert ends.client.id == ends.server.id
        name = ends.client.id
        ends.client.abort(7, "bad\x1b[31m\nname")
        await ends.server.wait_closed()
    lines = [record.getMessage() for record in caplog.records if record.name == CONNECTION_LOGGER]
    assert sum(line.startswith(f"[{name}] open with ") for line in lines) == 2
    closed = [line for line in lines if line.startswith(f"[{name}] closed: ")]
    assert len(closed) == 2
    assert all(line.isprintable() for line in lines)


@virtual
async def test_a_failed_handler_is_logged_with_its_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(channel: AnyChannel) -> None:
        raise KeyError("a mistake")

    async with pair() as ends:
        serving = asyncio.create_task(ends.server.serve(fail))
        stream = await ends.client.open_stream()
        await stream.send(b"x")
        with pytest.raises(ConnectionError):
            await stream.receive()
        await stream.aclose()
        ends.client.abort()
        with pytest.raises(ConnectionError):
            await serving
        name = ends.client.id
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().startswith(f"[{name}] the handler of ")
    assert record.__dict__["connection_id"] == name
