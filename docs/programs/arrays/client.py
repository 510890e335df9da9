"""Sends numpy arrays as they are in memory; shape and type go ahead in the channel's label."""

import asyncio
import json
from typing import Any

import numpy as np

import fastmux


async def send_array(conn: fastmux.Connection, array: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    header = json.dumps({"shape": array.shape, "dtype": array.dtype.str})
    data = np.ascontiguousarray(array).reshape(-1).data.cast("B")
    async with await conn.open_stream(label=header) as stream:
        for start in range(0, len(data), 1 << 20):  # a megabyte at a time: that much is copied at once
            await stream.send(data[start : start + (1 << 20)])
        await stream.send_eof()
        return b"".join([chunk async for chunk in stream])


async def main() -> None:
    tls = fastmux.TLSConfig("keys/client.pem", "keys/client.key", "keys/ca.pem")
    async with fastmux.connect("127.0.0.1", 4433, tls=tls) as conn:
        numbers = np.arange(1_000_000, dtype=np.int64)
        points = np.ones((1000, 3), dtype=np.float32)
        sums = await asyncio.gather(send_array(conn, numbers), send_array(conn, points))
        print("sums:", *(text.decode() for text in sums))


if __name__ == "__main__":
    asyncio.run(main())
