"""Answers calls: {"id": 7, "method": "add", "params": [1, 2]} gets {"id": 7, "result": 3}."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import fastmux

METHODS: dict[str, Callable[..., Any]] = {"add": lambda a, b: a + b, "upper": str.upper}


async def answer_calls(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
    async for message in channel:
        call: dict[str, Any] = json.loads(message)
        answer: dict[str, Any] = {"id": call["id"]}
        try:
            answer["result"] = METHODS[call["method"]](*call["params"])
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        await channel.send(json.dumps(answer).encode())


async def handler(conn: fastmux.Connection) -> None:
    await conn.serve(answer_calls)


async def main() -> None:
    tls = fastmux.TLSConfig("keys/server.pem", "keys/server.key", "keys/ca.pem")
    async with fastmux.listen(handler, "127.0.0.1", 4433, tls=tls) as server:
        print("listening on UDP port", server.port, flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
