"""Calls a server; many calls may be under way at once, and their answers come in any order."""

import asyncio
import itertools
import json
from types import TracebackType
from typing import Any, Self

import fastmux


class Calls:
    """Calls over one message channel. `_waiting` has a future for each call that has no answer yet."""

    def __init__(self, channel: fastmux.MessageChannel) -> None:
        self._channel = channel
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reader.cancel()
        await self._channel.aclose()

    async def call(self, method: str, *params: Any) -> Any:
        call_id = next(self._ids)
        future = self._waiting[call_id] = asyncio.get_running_loop().create_future()
        try:
            message = {"id": call_id, "method": method, "params": params}
            await self._channel.send(json.dumps(message).encode())
            return await future
        finally:
            del self._waiting[call_id]

    async def _read(self) -> None:
        try:
            async for message in self._channel:
                answer = json.loads(message)
                future = self._waiting.get(answer["id"])
                if future is None or future.done():
                    continue  # whoever called has gone
                if "error" in answer:
                    future.set_exception(RuntimeError(answer["error"]))
                else:
                    future.set_result(answer["result"])
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("the channel is over"))


async def main() -> None:
    tls = fastmux.TLSConfig("keys/client.pem", "keys/client.key", "keys/ca.pem")
    async with fastmux.connect("127.0.0.1", 4433, tls=tls) as conn:
        channel = await conn.open_message_channel(label="rpc", ordered=False)
        async with Calls(channel) as calls:
            sums = await asyncio.gather(*(calls.call("add", n, n) for n in range(5)))
            print("sums:", sums)
            print("upper:", await calls.call("upper", "loud"))
            try:
                await calls.call("divide", 1, 0)
            except RuntimeError as error:
                print("refused:", error)


if __name__ == "__main__":
    asyncio.run(main())
