"""The control socket: takes requests of this user, one at a time from each client.

Owns: the socket, who may speak to it, and bounds. May not know: what a request means.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from fastmux.tunnel.constants import CONTROL_TIMEOUT, MAX_CONTROL_CLIENTS, MAX_CONTROL_REQUEST_SIZE
from fastmux.tunnel.control import lines, paths
from fastmux.tunnel.control.stream_clients import StreamClients
from fastmux.tunnel.exits import CommandError

logger = logging.getLogger("fastmux.tunnel.control")

Handler: TypeAlias = Callable[[lines.Request], Awaitable[Any]]


def peer_uid(sock: socket.socket) -> int | None:
    """The user at the other end of a Unix socket; None where the system does not say."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return int(uid)


async def serve_lines(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler, timeout: float | None
) -> None:
    """Answer the requests of one client until it ends, is too slow (`timeout` seconds) or sends rubbish.

    `reader` is made with the limit `MAX_CONTROL_REQUEST_SIZE`.
    """
    while True:
        try:
            async with asyncio.timeout(timeout):
                line = await reader.readline()
        except (TimeoutError, ValueError):  # ValueError: longer than the reader's limit
            writer.write(lines.encode_error("a request is one line, in time and not longer than 16 KiB"))
            return
        if not line.endswith(b"\n"):
            return
        writer.write(await _answer(line, handler))
        async with asyncio.timeout(CONTROL_TIMEOUT):
            await writer.drain()


async def _answer(line: bytes, handler: Handler) -> bytes:
    try:
        return lines.encode_result(await handler(lines.parse_request(line)))
    except (lines.ControlError, CommandError, OSError, ValueError) as error:
        return lines.encode_error(str(error) or type(error).__name__)
    except Exception:
        logger.exception("a control request failed")
        return lines.encode_error("the request failed; the log says why")


class ControlServer:
    """Answers on a Unix socket of mode 0600, at most `MAX_CONTROL_CLIENTS` at once. An asynchronous context
    manager.
    """

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._server: asyncio.Server | None = None
        self.clients = StreamClients(self._serve)

    @property
    def path(self) -> Path:
        """Where the socket is."""
        return self._path

    async def __aenter__(self) -> Self:
        """Open the socket. Raises OSError or ValueError if it cannot be there, or another process has it."""
        paths.prepare(self._path)
        _remove_stale(self._path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            former = os.umask(0o177)  # the socket is never there with another mode
            try:
                sock.bind(os.fspath(self._path))
            finally:
                os.umask(former)
            self._server = await asyncio.start_unix_server(
                self.clients.serve, sock=sock, limit=MAX_CONTROL_REQUEST_SIZE
            )
        except BaseException:
            sock.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close and remove the socket; clients are cut off."""
        assert self._server is not None
        self._server.close()
        await self.clients.close()
        await self._server.wait_closed()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid is not None and uid not in (os.geteuid(), 0):
            logger.warning("user %d may not use the control socket", uid)
            return
        if len(self.clients) > MAX_CONTROL_CLIENTS:
            writer.write(lines.encode_error("too many clients at once: try again"))
            return
        await serve_lines(reader, writer, self._handler, CONTROL_TIMEOUT)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on. Raises FileExistsError for anything else that is there."""
    if not os.path.lexists(path):
        return
    if not path.is_socket():
        raise FileExistsError(f"{path} exists and is no socket: it is not replaced")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise FileExistsError(f"another process listens on {path}: give --control another path")
