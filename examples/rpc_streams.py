"""Request and response with a stream for each request.

    python -m examples.rpc_streams

Opening a stream costs no round trip, so each call gets one of its own: the request is everything up to the
caller's end, the response everything up to the other end. Nothing needs an id or a length, a large response
is streamed, and a slow call holds up no other. What this shows:

* `conn.serve(handler)` runs a task for each incoming channel and closes the channel when the handler
  returns.
* `stream.reset(code)` says that there is no response, and why: the caller gets `ChannelReset` with the code.
  (A handler that raises is logged, and its stream reset with `fastmux.constants.INTERNAL`.)
* A time limit goes with the request, so that the other end does not go on for a caller who has gone.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import fastmux
from examples.throwaway import certificates

MAX_REQUEST_SIZE = 2**20
NO_SUCH_METHOD, OUT_OF_TIME = 0x1000, 0x1001  # codes of this service


async def receive_all(stream: fastmux.Stream, max_size: int) -> bytes:
    """Everything up to the end; ValueError for more than `max_size` bytes: a peer decides what comes."""
    parts, size = [], 0
    async for part in stream:
        size += len(part)
        if size > max_size:
            raise ValueError(f"more than {max_size} bytes")
        parts.append(part)
    return b"".join(parts)


async def call(conn: fastmux.Connection, method: str, *, timeout: float = 10, **arguments: Any) -> Any:
    """Call a method of the other end. Raises `ChannelReset` if it failed there, TimeoutError."""
    request = {"method": method, "timeout": timeout, "arguments": arguments}
    async with asyncio.timeout(timeout + 1), await conn.open_stream("rpc") as stream:
        await stream.send(json.dumps(request).encode())
        await stream.send_eof()
        return json.loads(await receive_all(stream, MAX_REQUEST_SIZE))


async def add(a: float, b: float) -> float:
    """A quick method."""
    return a + b


async def sleep(seconds: float) -> str:
    """A slow one."""
    await asyncio.sleep(seconds)
    return "rested"


METHODS = {"add": add, "sleep": sleep}


async def answer(stream: fastmux.Stream | fastmux.MessageChannel) -> None:
    """One request."""
    assert isinstance(stream, fastmux.Stream)
    request = json.loads(await receive_all(stream, MAX_REQUEST_SIZE))
    method: Any = METHODS.get(request["method"])
    if method is None:
        stream.reset(NO_SUCH_METHOD)
        return
    try:
        async with asyncio.timeout(request["timeout"]):
            result = await method(**request["arguments"])
    except TimeoutError:
        stream.reset(OUT_OF_TIME)
        return
    await stream.send(json.dumps(result).encode())


async def main() -> None:
    """Calls that overlap, one that fails, and one that is given up."""
    with certificates() as (server_tls, client_tls):
        async with (
            fastmux.listen(lambda conn: conn.serve(answer), "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
        ):
            slow = asyncio.create_task(call(conn, "sleep", seconds=0.5))
            sums = await asyncio.gather(*(call(conn, "add", a=n, b=n) for n in range(100)))
            print("100 sums while another call sleeps:", sums[-1], "; the slow one is", end=" ")
            print("done" if slow.done() else "not done")
            print("then it", await slow)
            for method, arguments in (("divide", {"a": 1, "b": 0}), ("sleep", {"seconds": 60})):
                try:
                    await call(conn, method, timeout=0.05, **arguments)
                except fastmux.ChannelReset as error:
                    print(f"{method} failed: {error}")
            print("and the connection goes on:", await call(conn, "add", a=1, b=2))


if __name__ == "__main__":
    asyncio.run(main())
