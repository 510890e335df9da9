"""Sockets that listen, and the files of Unix ones."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from e2e.support import LoopFactory, run
from fastmux.tunnel.forwarding.binding import bind
from fastmux.tunnel.notation.targets import Target
from tunnel.ends import on_loops


@on_loops
def test_a_port_that_the_system_chose_is_told(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        bound = await bind(Target("tcp", "127.0.0.1", 0))
        assert bound.target.host == "127.0.0.1"
        assert bound.target.port > 0
        socket.create_connection(("127.0.0.1", bound.target.port)).close()
        bound.close()
        bound.close()

    run(main(), loop_factory)


def test_no_host_is_every_interface() -> None:
    async def main() -> None:
        bound = await bind(Target("tcp", "", 0))
        assert bound.target.host == ""
        socket.create_connection(("127.0.0.1", bound.target.port)).close()
        bound.close()

    run(main())


def test_localhost_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", None)
        bound = await bind(Target("udp", "localhost", 0))
        assert bound.target.host == "127.0.0.1"
        assert bound.sock.type == socket.SOCK_DGRAM
        bound.close()

    run(main())


def test_a_taken_port_is_an_error_that_names_it() -> None:
    async def main() -> None:
        bound = await bind(Target("tcp", "127.0.0.1", 0))
        with pytest.raises(OSError, match=rf"cannot listen at 127.0.0.1:{bound.target.port}.*in use"):
            await bind(bound.target)
        bound.close()

    run(main())


def test_a_unix_socket_is_its_owners_and_its_file_goes_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "s"
        bound = await bind(Target("unix", path=str(path)))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(OSError, match="in use"):
            await bind(Target("unix", path=str(path)))
        bound.close()
        assert not path.exists()
        bound.close()

    run(main())


def test_a_file_that_took_the_place_of_a_socket_stays(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "s"
        bound = await bind(Target("unix", path=str(path)))
        os.unlink(path)
        path.write_text("somebody else's")
        bound.close()
        assert path.read_text() == "somebody else's"
        with pytest.raises(OSError, match="cannot listen"):
            await bind(Target("unix", path=str(path)))

    run(main())


def test_the_file_of_a_socket_that_nobody_listens_at_is_replaced(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        bound = await bind(Target("unix", path=path))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
        bound.close()

    run(main())
