"""Objects by pickle, their large buffers beside it.

    python -m examples.pickle_out_of_band

Pickle's protocol 5 (PEP 574) leaves the buffers of arrays out of the pickle: they are handed over as they
are, and the other end makes the objects around the buffers that it received. So a table of many arrays
costs no copy in the pickler, and the arrays stand where `receive_into` put them. What this shows:

* One frame for the pickle and one for each buffer, sizes first.
* A `bytearray` for each received buffer keeps the arrays writable.
* Unpickling runs what the sender wrote. Do it only for a peer that you trust as yourself: here
  `conn.peer`, which the certificate proved, is looked at before anything is loaded.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from typing import Any

import numpy

import fastmux
from examples.throwaway import certificates

MAX_BUFFERS = 1000
MAX_SIZE = 2**30
COUNT = struct.Struct("<I")


async def send_object(stream: fastmux.Stream, value: Any) -> None:
    """Pickle an object and send it with its buffers."""
    buffers: list[pickle.PickleBuffer] = []
    frames: list[Any] = [pickle.dumps(value, protocol=5, buffer_callback=buffers.append)]
    frames += [buffer.raw() for buffer in buffers]
    sizes = [memoryview(frame).nbytes for frame in frames]
    await stream.send(COUNT.pack(len(frames)) + struct.pack(f"<{len(frames)}Q", *sizes))
    for frame in frames:
        await stream.send(frame)


async def receive_object(stream: fastmux.Stream) -> Any:
    """The next object. Raises `EndOfStream` if there is none."""
    (count,) = COUNT.unpack(await receive_exactly(stream, COUNT.size))
    if not 1 <= count <= 1 + MAX_BUFFERS:
        raise ValueError(f"{count} frames")
    sizes = struct.unpack(f"<{count}Q", await receive_exactly(stream, 8 * count))
    if sum(sizes) > MAX_SIZE:
        raise ValueError(f"an object of {sum(sizes)} bytes")
    head, *buffers = [await receive_exactly(stream, size) for size in sizes]
    return pickle.loads(head, buffers=buffers)


async def receive_exactly(stream: fastmux.Stream, size: int) -> bytearray:
    """So many bytes, in memory of their own."""
    buffer = bytearray(size)
    view, at = memoryview(buffer), 0
    while at < size:
        at += await stream.receive_into(view[at:])
    return buffer


async def handle(conn: fastmux.Connection) -> None:
    """A server that doubles every array of a table, in place, and returns the table."""
    if conn.peer.common_name != "client":
        conn.close(reason="only one may have its pickles loaded here")
        return
    stream = await conn.accept()
    assert isinstance(stream, fastmux.Stream)
    async with stream:
        try:
            while True:
                table = await receive_object(stream)
                for name in table:
                    table[name] *= 2
                await send_object(stream, table)
        except fastmux.EndOfStream:
            return


async def main() -> None:
    """A table there and back."""
    table = {name: numpy.arange(500_000, dtype="f8") + n for n, name in enumerate(("x", "y", "z"))}
    with certificates() as (server_tls, client_tls):
        async with (
            fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
            await conn.open_stream("objects") as stream,
        ):
            await send_object(stream, table)
            doubled = await receive_object(stream)
            await stream.send_eof()
    for name, column in table.items():
        if not (doubled[name] == 2 * column).all():
            raise ValueError(f"column {name} is wrong")
    in_band = len(pickle.dumps(table, protocol=5))
    beside = len(pickle.dumps(table, protocol=5, buffer_callback=lambda _: None))
    print(f"{in_band} bytes in one pickle; {beside} bytes with the buffers beside it")


if __name__ == "__main__":
    asyncio.run(main())
