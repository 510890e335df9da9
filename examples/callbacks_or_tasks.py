"""Two ways to handle channels: callbacks on the one loop, or a queue and a task for each.

    python -m examples.callbacks_or_tasks

The same service, upper-casing lines, twice over one connection:

* **Callbacks**: `conn.create_server` makes an asyncio `Protocol` for each stream, and the event loop
  calls its methods as things happen. No task, no queue: the least that a channel can cost, and what a
  protocol class written for TCP needs. State between two calls is the protocol's own affair, and
  back-pressure is `pause_writing`.
* **A task for each**: `conn.serve(handler)` runs a coroutine for each channel, which reads as it is
  written, from top to bottom. Between receiver and worker stands a queue with a limit, so that a slow
  step holds up its own channel only, and the sender in the end.

Take the second until the first is measured to be needed.
"""

from __future__ import annotations

import asyncio

import fastmux
from examples.throwaway import certificates

LINES = [b"first\n", b"second\n", b"third\n"]
MAX_QUEUED = 16


class Upper(asyncio.Protocol):
    """Callbacks: one object a stream, called by the loop."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The stream was opened."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Some bytes came: perhaps half a line, perhaps many."""
        assert self._transport is not None
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._transport.writelines([line.upper() + b"\n" for line in lines])

    def eof_received(self) -> None:
        """The other side has no more to say: asyncio closes the transport once everything is written."""


async def upper(stream: fastmux.Stream | fastmux.MessageChannel) -> None:
    """A task and a queue: one coroutine receives, another works."""
    assert isinstance(stream, fastmux.Stream)
    reader, writer = stream.to_asyncio()
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_QUEUED)

    async def work() -> None:
        while (line := await queue.get()) is not None:
            writer.write(line.upper())
            await writer.drain()  # waits while the other side does not read

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work())
        while line := await reader.readline():
            await queue.put(line)  # waits while MAX_QUEUED lines wait to be worked on
        await queue.put(None)
    writer.close()
    await writer.wait_closed()


class Collector(asyncio.Protocol):
    """A client by callbacks: says its lines, and has the answer when the other side ends."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say everything at once."""
        assert isinstance(transport, asyncio.Transport)
        transport.writelines(LINES)
        transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """Keep what comes."""
        self._heard += data

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, good or bad."""
        if exc is None:
            self.answer.set_result(self._heard)
        else:
            self.answer.set_exception(exc)


async def handle(conn: fastmux.Connection) -> None:
    """Both ways at once: streams for port 1 go to the protocol, all others to `serve`."""
    server = await conn.create_server(Upper, "upper", 1)
    try:
        await conn.serve(upper)
    finally:
        server.close()


async def main() -> None:
    """Ask both."""
    expected = b"".join(LINES).upper()
    with certificates() as (server_tls, client_tls):
        async with (
            fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
        ):
            _, collector = await conn.create_connection(Collector, "upper", 1)
            by_callbacks = await collector.answer
            async with await conn.open_stream("upper") as stream:
                await stream.send(b"".join(LINES))
                await stream.send_eof()
                by_task = b"".join([chunk async for chunk in stream])
    for how, answer in (("callbacks", by_callbacks), ("a task", by_task)):
        print(f"by {how}: {answer.decode().split()}")
        if answer != expected:
            raise ValueError(f"{answer!r} is not what was asked for")


if __name__ == "__main__":
    asyncio.run(main())
