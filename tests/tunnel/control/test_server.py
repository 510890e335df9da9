"""The control socket: whom it serves, how it is bounded, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from e2e.support import LogWatch, linux_only, run
from fastmux.tunnel.constants import MAX_CONTROL_CLIENTS, MAX_CONTROL_REQUEST_SIZE
from fastmux.tunnel.control import server
from fastmux.tunnel.control.lines import ControlError, Request, encode_request, parse_answer
from fastmux.tunnel.control.server import ControlServer


async def echo(request: Request) -> Any:
    match request["op"]:
        case "refuse":
            raise ControlError("not this")
        case "break":
            raise KeyError("oops")
    return request


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(path: Path) -> Ends:
    return await asyncio.open_unix_connection(os.fspath(path))


async def ask(ends: Ends, line: bytes) -> Any:
    ends[1].write(line)
    return parse_answer(await ends[0].readline())


async def close(*clients: Ends) -> None:
    for _, writer in clients:
        writer.close()
        await writer.wait_closed()


def test_a_client_may_ask_again_and_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with ControlServer(tmp_path / "c.sock", echo) as control:
            client = await connect(control.path)
            for op in ("status", "reload"):
                assert await ask(client, encode_request(op)) == {"op": op}
            with pytest.raises(ControlError, match="not this"):
                await ask(client, encode_request("refuse"))
            with pytest.raises(ControlError, match="JSON"):
                await ask(client, b"hello\n")
            assert await ask(client, encode_request("status")) == {"op": "status"}
            await close(client)

    run(main())


def test_the_socket_is_for_its_user_only_and_goes_away_at_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "c.sock"
        async with ControlServer(path, echo):
            assert path.stat().st_mode & 0o777 == 0o600
        assert not path.exists()

    run(main())


def test_a_socket_that_is_left_over_is_replaced_and_one_in_use_is_not(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "c.sock"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(os.fspath(path))
        async with ControlServer(path, echo):
            with pytest.raises(FileExistsError, match="another process listens"):
                async with ControlServer(path, echo):
                    pass
            client = await connect(path)
            assert await ask(client, encode_request("status"))
            await close(client)
        path.write_text("a file")
        with pytest.raises(FileExistsError, match="is no socket"):
            async with ControlServer(path, echo):
                pass
        assert path.read_text() == "a file"

    run(main())


@linux_only
def test_another_user_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = socket.socketpair()
    assert server.peer_uid(ends[0]) == os.geteuid()
    for end in ends:
        end.close()
    monkeypatch.setattr(server, "peer_uid", lambda _: 4711)

    async def main() -> None:
        async with ControlServer(tmp_path / "c.sock", echo) as control:
            with LogWatch() as log:
                client = await connect(control.path)
                assert await client[0].read() == b""
                await log.line("user 4711 may not use the control socket")
            await close(client)

    run(main())


def test_a_request_that_is_too_long_ends_the_client(tmp_path: Path) -> None:
    async def main() -> None:
        async with ControlServer(tmp_path / "c.sock", echo) as control:
            client = await connect(control.path)
            with pytest.raises(ControlError, match="not longer than"):
                await ask(client, b"x" * (MAX_CONTROL_REQUEST_SIZE + 1))
            assert await client[0].read() == b""
            await close(client)

    run(main())


def test_more_clients_than_there_is_room_for_are_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with ControlServer(tmp_path / "c.sock", echo) as control:
            clients = [await connect(control.path) for _ in range(MAX_CONTROL_CLIENTS)]
            for client in clients:
                assert await ask(client, encode_request("status"))
            late = await connect(control.path)
            with pytest.raises(ControlError, match="too many"):
                parse_answer(await late[0].readline())
            await close(late, *clients)

    run(main())


def test_a_handler_that_fails_is_logged_and_the_client_learns_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with ControlServer(tmp_path / "c.sock", echo) as control:
            client = await connect(control.path)
            with LogWatch() as log:
                with pytest.raises(ControlError, match="the log says why"):
                    await ask(client, encode_request("break"))
                await log.line("oops")
            await close(client)

    run(main())
