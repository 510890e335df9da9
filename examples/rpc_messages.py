"""Request and response over one message channel.

    python -m examples.rpc_messages

A message arrives whole, so it needs no length; but all calls share the channel, so each has a number that
its answer repeats. That costs less than a stream for each call (`examples.rpc_streams`) where calls are
small and many. What this shows:

* One task receives and hands each answer to the caller that waits for it.
* Calls are answered in the order in which they are done, not asked: a slow one holds up no other, as long
  as it is given a task of its own.
* When the channel or the connection ends, every caller that waits hears of it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from types import TracebackType
from typing import Any, Self

import fastmux
from examples.throwaway import certificates


class Client:
    """Calls over one channel. Use it in `async with`.

    Invariant: `_waiting` has a future for each call that has no answer yet, by its number.
    """

    def __init__(self, channel: fastmux.MessageChannel) -> None:
        self._channel = channel
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._receiver = asyncio.create_task(self._receive())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.send_eof()
        await self._receiver
        await self._channel.aclose()

    async def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the other end. Raises RuntimeError with its words if it failed there."""
        if self._receiver.done():
            raise ConnectionError("the channel is over")
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._channel.send(json.dumps([number, method, arguments]).encode())
            return await future
        finally:
            del self._waiting[number]

    async def _receive(self) -> None:
        try:
            async for message in self._channel:
                number, result, error = json.loads(message)
                future = self._waiting.get(number)  # none: the caller was cancelled
                if future is None or future.done():
                    continue
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(RuntimeError(error))
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("the channel ended before the answer"))


async def double(number: float) -> float:
    """A quick method."""
    return 2 * number


async def rest(seconds: float) -> str:
    """A slow one."""
    await asyncio.sleep(seconds)
    return "rested"


METHODS: dict[str, Any] = {"double": double, "rest": rest}
MAX_CALLS = 100


async def answer(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
    """Answer calls until the caller's end, MAX_CALLS at once: meanwhile nothing more is received."""
    assert isinstance(channel, fastmux.MessageChannel)
    room = asyncio.Semaphore(MAX_CALLS)

    async def one(number: int, method: str, arguments: list[Any]) -> None:
        try:
            reply = [number, await METHODS[method](*arguments), None]
        except Exception as error:
            reply = [number, None, f"{type(error).__name__}: {error}"]
        finally:
            room.release()
        await channel.send(json.dumps(reply).encode())

    async with asyncio.TaskGroup() as tasks:
        async for message in channel:
            await room.acquire()
            tasks.create_task(one(*json.loads(message)))


async def main() -> None:
    """Calls that overlap, and one that fails."""
    with certificates() as (server_tls, client_tls):
        async with (
            fastmux.listen(lambda conn: conn.serve(answer), "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
            Client(await conn.open_message_channel("rpc")) as client,
        ):
            slow = asyncio.create_task(client.call("rest", 0.5))
            doubles = await asyncio.gather(*(client.call("double", n) for n in range(100)))
            print("100 calls:", sum(doubles), "; the slow one is", "done" if slow.done() else "not done")
            print("then it", await slow)
            try:
                await client.call("halve", 1)
            except RuntimeError as error:
                print("no such method:", error)


if __name__ == "__main__":
    asyncio.run(main())
