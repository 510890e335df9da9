"""One worker process of `serve --workers`: `python -m fastmux.tunnel.server.worker`, started by `workers`.

Owns: the order that it gets on standard input, and the line to its parent. May not know: other workers. When
the line ends its parent is gone, and it ends too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from typing import Any, Self

import fastmux
from fastmux.tunnel.constants import MAX_CONTROL_REQUEST_SIZE
from fastmux.tunnel.control.lines import ControlError, Request
from fastmux.tunnel.control.server import serve_lines
from fastmux.tunnel.exits import CommandError
from fastmux.tunnel.operation.journal import set_up
from fastmux.tunnel.server.serving import Serving
from fastmux.tunnel.settings.credentials import Credentials
from fastmux.tunnel.settings.settings import ServeOptions, serve_settings

logger = logging.getLogger("fastmux.tunnel.workers")


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told: the command line, its place as descriptors by address, and the line's."""

    options: ServeOptions
    index: int
    count: int
    places: list[list[int]]
    line: int
    verbosity: int
    log_format: str

    def to_json(self) -> bytes:
        """As it goes to the worker."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """As the worker gets it."""
        fields: dict[str, Any] = json.loads(data)
        options: dict[str, Any] = fields.pop("options")
        credentials = Credentials(**_with_tuples(options.pop("credentials")))
        return cls(ServeOptions(credentials, **_with_tuples(options)), **fields)


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists only."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


class _WorkerEnd:
    """The worker's end of the line."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._is_ready = asyncio.Event()

    def on_ready(self, text: str) -> None:
        """The worker serves."""
        logger.debug("%s", text)
        self._is_ready.set()

    async def answer(self, request: Request) -> Any:
        """Answer the parent."""
        match request["op"]:
            case "ready":
                await self._is_ready.wait()
                return "serving"
            case "status":
                return await self._serving.status()
            case "families":
                return [family.to_plain() for family in await self._serving.families()]
            case "reload":
                return await self._serving.reload()
            case "drain":
                self._serving.drain()
                return "draining"
            case "exit":
                self._serving.stop()
                return "exiting"
        raise ControlError(f"a worker does not know {request['op']!r}")


async def work(order: Order) -> None:
    """Serve until the parent says that it is over, or is gone. Raises `CommandError`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to the parent too, which sees to us
        signal.signal(number, signal.SIG_IGN)
    places = [
        fastmux.WorkerPlace(
            order.index, order.count, tuple(socket.socket(fileno=number) for number in numbers)
        )
        for numbers in order.places
    ]
    serving = Serving(order.options, serve_settings(order.options, os.getpid()), places)
    loop.add_signal_handler(signal.SIGTERM, serving.drain)
    end = _WorkerEnd(serving)
    line = socket.socket(fileno=order.line)
    reader, writer = await asyncio.open_connection(sock=line, limit=MAX_CONTROL_REQUEST_SIZE)
    listening = asyncio.create_task(serve_lines(reader, writer, end.answer, None), name="fastmux parent")
    listening.add_done_callback(lambda _: serving.stop())
    try:
        await serving.run(end.on_ready)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()
        for place in places:
            place.close()


def main() -> int:
    """Be the worker that standard input describes."""
    order = Order.from_json(sys.stdin.buffer.read())
    set_up(order.verbosity, order.log_format)
    try:
        asyncio.run(work(order))
    except CommandError as error:
        logger.error("worker %d: %s", order.index, error)
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
