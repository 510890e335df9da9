"""Takes numpy arrays, each straight into the memory where it will stay, and answers with their sum."""

import asyncio
import json
import math

import numpy as np

import fastmux

LARGEST = 1 << 30  # the other end must not decide how much memory this one gives


async def receive_exactly(stream: fastmux.Stream, buffer: memoryview) -> None:
    while buffer:
        buffer = buffer[await stream.receive_into(buffer) :]


async def take_array(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
    if not isinstance(channel, fastmux.Stream):
        channel.reset(code=1)
        return
    header = json.loads(channel.label)
    dtype = np.dtype(header["dtype"])
    if dtype.hasobject or math.prod(header["shape"]) * dtype.itemsize > LARGEST:
        channel.reset(code=2)
        return
    array = np.empty(header["shape"], dtype)
    await receive_exactly(channel, array.reshape(-1).data.cast("B"))
    await channel.send(str(array.sum()).encode())


async def handler(conn: fastmux.Connection) -> None:
    await conn.serve(take_array)


async def main() -> None:
    tls = fastmux.TLSConfig("keys/server.pem", "keys/server.key", "keys/ca.pem")
    async with fastmux.listen(handler, "127.0.0.1", 4433, tls=tls) as server:
        print("listening on UDP port", server.port, flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
