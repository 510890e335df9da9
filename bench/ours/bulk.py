"""One way as fast as it goes: over one stream or many, over one connection or many, beside idle streams.

Owns the bulk workloads over fastmux. Knows nothing of the peers that they are measured beside.
"""

import argparse
import asyncio
import itertools
from dataclasses import dataclass, field

import fastmux
from bench import payload, worker
from bench.ours import ends
from bench.ours.pings import Pings

IDLE_LABEL = "idle"
READY_LABEL = "ready"
MIN_PIECE_SIZE = 65536


def piece_size(options: argparse.Namespace) -> int:
    """Bytes a `send`: with many streams smaller ones, or the last pieces of all would be the whole run."""
    return max(payload.PIECE_SIZE // _total_streams(options), MIN_PIECE_SIZE)


def _total_streams(options: argparse.Namespace) -> int:
    return int(options.connections) * worker.count_of(options)


@dataclass(slots=True)
class _Intake:
    """What the server took: the meter starts with the first byte; `ended` counts whole streams."""

    options: argparse.Namespace
    done: ends.Done
    buffer: bytearray = field(default_factory=lambda: bytearray(payload.PIECE_SIZE))
    figures: dict[str, object] = field(default_factory=dict)
    meter: worker.Meter | None = None
    ended: int = 0

    async def take(self, conn: ends.Link, stream: fastmux.Stream) -> None:
        """One stream to its end; every byte is compared with the pattern."""
        verifier = payload.Verifier()
        view = memoryview(self.buffer)
        try:
            while True:
                # All streams share the buffer: nothing runs between `receive_into` and the comparison.
                size = await stream.receive_into(self.buffer)
                if self.meter is None:
                    self.meter = worker.Meter(self.options.seconds, self.options.warmup)
                verifier.check(view[:size])
                self.meter.add(size)
        except fastmux.EndOfStream:
            await stream.send_eof()
        self.ended += 1
        if self.ended == _total_streams(self.options) and self.meter is not None:
            detail = {**ends.detail_of(conn), **self.figures}
            self.done.set_result(self.meter.result("server", detail))


async def serve(options: argparse.Namespace) -> None:
    """The receiving side."""
    done: ends.Done = asyncio.get_running_loop().create_future()
    intake = _Intake(options, done)

    async def handle(conn: ends.Link) -> None:
        idle = await _accept_idle(conn, intake) if options.idle else []
        async with asyncio.TaskGroup() as tasks:
            for _ in range(worker.count_of(options)):
                stream = await conn.accept()
                assert isinstance(stream, fastmux.Stream)
                tasks.create_task(intake.take(conn, stream))
        await conn.wait_closed()
        idle.clear()

    await ends.serve_until_done(options, handle, done)


async def _accept_idle(conn: ends.Link, intake: _Intake) -> list[object]:
    """Accept and keep the idle streams; note what one costs here; tell the client that all are here."""
    before = worker.rss_size()
    kept: list[object] = [await conn.accept() for _ in range(intake.options.idle)]
    intake.figures["idle_channel_size"] = (worker.rss_size() - before) / len(kept)
    ready = await conn.accept()
    await ready.aclose()
    return kept


async def send(options: argparse.Namespace) -> None:
    """The sending side."""
    connections = [await ends.connect(options) for _ in range(options.connections)]
    first = connections[0]
    figures: dict[str, object] = {}
    idle = await _open_idle(first, options.idle, figures) if options.idle else []
    pings = Pings(first) if options.pings else None
    if pings is not None:
        await pings.measure_base()
    count = worker.count_of(options)
    pieces = payload.pieces(piece_size(options))
    streams = [await conn.open_stream(label="bulk") for conn in connections for _ in range(count)]
    meter = worker.Meter(options.seconds, options.warmup, options.size)
    if pings is not None:
        pings.start(options.warmup)
    async with asyncio.TaskGroup() as tasks:
        for stream in streams:
            tasks.create_task(_send_stream(stream, meter, pieces))
    if pings is not None:
        figures |= await pings.stop()
    ends.announce(meter.result("client", {**ends.detail_of(first), **figures}))
    for conn in connections:
        await conn.aclose()
    idle.clear()


async def _open_idle(conn: ends.Link, count: int, figures: dict[str, object]) -> list[object]:
    """Open and keep idle streams; note what one costs here once the server has them all."""
    before = worker.rss_size()
    kept: list[object] = [await conn.open_stream(label=IDLE_LABEL) for _ in range(count)]
    async with await conn.open_stream(label=READY_LABEL) as ready:
        await ready.send_eof()
        async for _ in ready:
            raise ValueError("the server has nothing to say here")
    figures["idle_channel_size"] = (worker.rss_size() - before) / count
    return kept


async def _send_stream(stream: fastmux.Stream, meter: worker.Meter, pieces: list[bytes]) -> None:
    for piece in itertools.cycle(pieces):
        await stream.send(piece)
        if not meter.add(len(piece)):
            break
    await stream.send_eof()
    async for _ in stream:  # the server's end of stream: it has verified the last byte
        raise ValueError("the server has nothing to say here")
