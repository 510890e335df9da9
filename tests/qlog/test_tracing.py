"""Whether there are records, and where."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fastmux import PLAINTEXT, connect, listen
from fastmux import constants as c
from fastmux.aio.connection import Connection
from fastmux.protocol.observer import Subject
from fastmux.qlog.directory import QlogDirectory, directory_for
from fastmux.qlog.tracing import VARIABLE, observer_factory, recorder
from fastmux.records import LongHeader
from qlog.reading import events_of

HEADER = LongHeader(c.LONG_HANDSHAKE, c.VERSION_1, b"remote-id", b"\x01\x02", b"", 0, 30)
SUBJECT = Subject(True, c.VERSION_1, ("::1", 4433), b"\x01\x02", b"\xff\x00")


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


def test_nothing_is_recorded_unless_that_is_asked_for() -> None:
    assert observer_factory(None, {}) is None
    assert observer_factory(None, {VARIABLE: ""}) is None


def test_the_argument_goes_before_the_variable(tmp_path: Path) -> None:
    named, variable = tmp_path / "named", tmp_path / "variable"
    for factory, path in (
        (observer_factory(None, {VARIABLE: str(variable)}), variable),
        (observer_factory(named, {VARIABLE: str(variable)}), named),
    ):
        assert factory is not None
        observer = factory(SUBJECT)
        assert observer is not None
        observer.started(5.0)
        observer.handshake_sent(HEADER, 1200, 5.0)
        directory_for(path).wait_written()
        (file,) = path.iterdir()
        assert file.name == "ff00_client_0102.sqlog"


def test_a_directory_that_takes_no_more_costs_nothing_more(tmp_path: Path) -> None:
    directory = QlogDirectory(str(tmp_path))
    observe = recorder(directory)
    assert observe(SUBJECT) is not None
    directory.is_open = False
    assert observe(SUBJECT) is None


@pytest.mark.parametrize("by_variable", [True, False])
def test_connect_and_listen_record_real_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if by_variable:
        monkeypatch.setenv(VARIABLE, str(tmp_path))

    async def main() -> None:
        qlog = None if by_variable else tmp_path
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT, qlog=qlog) as server:
            async with connect("127.0.0.1", server.port, tls=PLAINTEXT, qlog=qlog) as connection:
                assert await connection.ping() > 0
                name = connection.id
            assert {path.name[: len(name)] for path in tmp_path.iterdir()} <= {name}

    asyncio.run(main())
    directory_for(tmp_path).wait_written()
    roles = {path.name.split("_")[1]: events_of(path) for path in tmp_path.iterdir()}
    assert set(roles) == {"client", "server"}
    for events in roles.values():
        assert events[-1]["name"] == "connectivity:connection_closed"
