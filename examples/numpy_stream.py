"""Stream numpy arrays: a small header, then the array's own memory.

    python -m examples.numpy_stream

Nothing is pickled, and the receiver's array is filled where it will stay. What this shows:

* `send(array.data)`: anything contiguous with the buffer protocol can be sent. An array that can be
  written is copied as it is taken (it may be changed as soon as `send` returns); one over `bytes`, which
  cannot change, is not.
* `receive_into(view)` writes into the memory of an array that already exists: no copy by the program.
* The header says shape and type, and the receiver checks it before it makes room: a peer decides what
  comes.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import numpy

import fastmux
from examples.throwaway import certificates

Array = numpy.ndarray[Any, numpy.dtype[Any]]
MAX_HEADER_SIZE = 65536
MAX_ARRAY_SIZE = 2**30
KINDS = "biufc"  # numbers only: other types have pointers in them


async def send_array(stream: fastmux.Stream, array: Array) -> None:
    """Send one array."""
    array = numpy.ascontiguousarray(array)
    header = json.dumps({"shape": array.shape, "type": array.dtype.str}).encode()
    await stream.send(len(header).to_bytes(4, "little") + header)
    if array.nbytes:
        await stream.send(array.data.cast("B"))


async def receive_array(stream: fastmux.Stream) -> Array:
    """Receive one array. Raises `EndOfStream` if there is none, ValueError for one that is not to be had."""
    size = int.from_bytes(await receive_exactly(stream, 4), "little")
    if size > MAX_HEADER_SIZE:
        raise ValueError(f"a header of {size} bytes")
    header = json.loads(await receive_exactly(stream, size))
    kind, shape = numpy.dtype(header["type"]), tuple(map(int, header["shape"]))
    if (
        kind.kind not in KINDS
        or min(shape, default=0) < 0
        or math.prod(shape) * kind.itemsize > MAX_ARRAY_SIZE
    ):
        raise ValueError(f"an array of {shape} {kind} is not taken")
    array = numpy.empty(shape, kind)
    if array.nbytes:
        await fill(stream, array.data.cast("B"))
    return array


async def receive_exactly(stream: fastmux.Stream, size: int) -> bytes:
    """So many bytes."""
    buffer = bytearray(size)
    await fill(stream, memoryview(buffer))
    return bytes(buffer)


async def fill(stream: fastmux.Stream, view: memoryview) -> None:
    """Receive until the view is full; `receive_into` returns as soon as there is anything."""
    at = 0
    while at < view.nbytes:
        at += await stream.receive_into(view[at:])


async def handle(conn: fastmux.Connection) -> None:
    """A server that returns the sum of each array's rows, as an array."""
    stream = await conn.accept()
    assert isinstance(stream, fastmux.Stream)
    async with stream:
        try:
            while True:
                array = await receive_array(stream)
                await send_array(stream, array.sum(axis=-1))
        except fastmux.EndOfStream:
            return


async def main() -> None:
    """Three arrays there, three back."""
    arrays: list[Array] = [
        numpy.arange(3_000_000, dtype="f8").reshape(3000, 1000),
        numpy.ones((4, 5), dtype="i2"),
        numpy.frombuffer(bytes(range(256)) * 4000, dtype="u1").reshape(-1, 256),  # over bytes: not copied
    ]
    with certificates() as (server_tls, client_tls):
        async with (
            fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
            await conn.open_stream("arrays") as stream,
        ):
            for array in arrays:
                await send_array(stream, array)
                sums = await receive_array(stream)
                if not (sums == array.sum(axis=-1)).all():
                    raise ValueError("wrong sums")
                print(f"{array.shape} {array.dtype}: {array.nbytes} bytes there, {sums.nbytes} back")
            await stream.send_eof()


if __name__ == "__main__":
    asyncio.run(main())
