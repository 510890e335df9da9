"""A chat room: whatever one says, all others hear.

    python -m examples.chat

Each member has one message channel, and the server hands every line to all others. What this shows:

* The name of a member comes from its certificate or its label; here from the label, as all have one
  certificate.
* A member that does not read must not hold up the room: `send_nowait` raises `WouldBlock` once a megabyte
  waits for it, and then it has to leave. (`send` would wait, and everybody with it.)
* `async for message in channel` ends when the member leaves, however it does.
"""

from __future__ import annotations

import asyncio

import fastmux
from examples.throwaway import certificates


class Room:
    """Invariant: `_members` has the channel of each member who has come and not left, by name."""

    def __init__(self) -> None:
        self._members: dict[str, fastmux.MessageChannel] = {}
        self.has_members = asyncio.Event()

    async def handle(self, conn: fastmux.Connection) -> None:
        """One connection: one member."""
        channel = await conn.accept()
        if not isinstance(channel, fastmux.MessageChannel):
            channel.reset()
            return
        async with channel:
            name = channel.label
            if name in self._members:
                await channel.send(f"* the name {name} is taken".encode())
                return
            self._members[name] = channel
            self.has_members.set()
            self.say(f"* {name} came")
            try:
                async for line in channel:
                    self.say(f"{name}: {line.decode(errors='replace')}", besides=name)
            except (ConnectionError, fastmux.ClosedResourceError):
                print(f"({name} is gone)")  # its connection broke, or it was too slow
            finally:
                del self._members[name]
                self.say(f"* {name} left")

    def say(self, line: str, besides: str = "") -> None:
        """Tell all members but one."""
        for name, channel in list(self._members.items()):
            if name == besides:
                continue
            try:
                channel.send_nowait(line.encode())
            except fastmux.WouldBlock:
                channel.reset()  # its `async for` above ends with ClosedResourceError
            except (ConnectionError, fastmux.BrokenResourceError, fastmux.ClosedResourceError):
                continue  # it is leaving: its own task sees to it


async def member(name: str, port: int, tls: fastmux.TLSConfig, lines: list[str], expected: int) -> list[str]:
    """Join, say the lines, and stay until `expected` lines were heard; returns them."""
    async with fastmux.connect("127.0.0.1", port, tls=tls) as conn:
        channel = await conn.open_message_channel(name)
        async with channel:
            for line in lines:
                await channel.send(line.encode())
            return [(await channel.receive()).decode() for _ in range(expected)]


async def main() -> None:
    """Two members; the last to come hears nothing of what was before."""
    room = Room()
    with certificates() as (server_tls, client_tls):
        async with fastmux.listen(room.handle, "127.0.0.1", 0, tls=server_tls) as server:
            first = asyncio.create_task(member("Lena", server.port, client_tls, [], 4))
            await room.has_members.wait()
            second = asyncio.create_task(
                member("Omar", server.port, client_tls, ["hello", "anybody here?"], 1)
            )
            for name, heard in (("Lena", await first), ("Omar", await second)):
                print(f"{name} heard", *heard, sep="\n  ")


if __name__ == "__main__":
    asyncio.run(main())
