"""`fastmux.anyio.connect` and `listen`, on every event loop."""

from __future__ import annotations

import logging
from pathlib import Path

import anyio
import pytest

from fastmux import PLAINTEXT
from fastmux import constants as c
from fastmux.anyio import Connection, connect, listen
from fastmux.anyio.opening import is_trio_running
from fastmux.exceptions import ConnectionClosed
from fastmux.qlog.directory import directory_for
from on_anyio.backends import Backend


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


def test_the_loop_that_runs_is_found(backend: Backend) -> None:
    async def main() -> None:
        assert is_trio_running() == (backend.name == "trio")

    assert not is_trio_running()
    backend.run(main)


def test_a_block_connects_and_closes(backend: Backend) -> None:
    async def main() -> None:
        async with listen(wait, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
                assert 0 < await connection.ping() < 5
            assert connection.inner.is_closed
            with pytest.raises(KeyError):
                async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
                    raise KeyError
            assert connection.inner.is_closed
            with anyio.move_on_after(0.01):
                await server.serve_forever()

    backend.run(main)


@pytest.mark.parametrize("by_variable", [True, False])
def test_connections_are_recorded_on_every_loop(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    """Guards against $QLOGDIR that was looked at by asyncio's `connect` and `listen` only."""
    monkeypatch.delenv("QLOGDIR", raising=False)
    if by_variable:
        monkeypatch.setenv("QLOGDIR", str(tmp_path))
    qlog = None if by_variable else tmp_path

    async def main() -> None:
        async with (
            listen(wait, "127.0.0.1", 0, tls=PLAINTEXT, qlog=qlog) as server,
            connect("127.0.0.1", server.port, tls=PLAINTEXT, qlog=qlog) as connection,
        ):
            assert await connection.ping() > 0

    backend.run(main)
    directory_for(tmp_path).wait_written()
    assert sorted(path.name.split("_")[1] for path in tmp_path.iterdir()) == ["client", "server"]


def test_a_handlers_fault_is_logged_and_its_connections_end_is_not(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        done = anyio.Event()
        faulty = True

        async def handle(connection: Connection) -> None:
            if faulty:
                await connection.receive_datagram()  # the client is sure to be there then
                raise ValueError("I do not like it")
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(connection.accept)
                    group.start_soon(connection.receive_datagram)
            finally:
                done.set()

        async with listen(handle, "127.0.0.1", 0, tls=PLAINTEXT) as server:
            async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
                connection.send_datagram(b"now")
                with pytest.raises(ConnectionClosed) as caught:
                    await connection.accept()
                assert caught.value.code == c.INTERNAL
            assert "I do not like it" in caplog.text
            caplog.clear()
            faulty = False
            async with connect("127.0.0.1", server.port, tls=PLAINTEXT) as connection:
                connection.abort(8, "away")
            await done.wait()
        assert caplog.text == ""

    with caplog.at_level(logging.INFO):
        backend.run(main)
