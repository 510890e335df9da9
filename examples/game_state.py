"""Game state: what is too old is not sent again.

    python -m examples.game_state

Positions go out 50 times a second. One that is late is worse than none, because a newer one follows; a
shot or a chat line must arrive, however late. So a game has two channels with different promises:

* `open_message_channel(ordered=False, lifetime=0.1)`: a message that was lost is sent again only within
  0.1 s, and none waits for one before it.
* `open_message_channel()`: reliable and ordered, for what must not be missed.
* `conn.send_datagram(data)` would be the third way: once, never again, no channel at all.

Here the receiver is slow for a moment. With a lifetime it then sees the newest state, not a queue of old
ones.
"""

from __future__ import annotations

import asyncio
import struct

import fastmux
from examples.throwaway import certificates

TICK = 0.02
TICKS = 50
LIFETIME = 0.1
STATE = struct.Struct("<Iff")  # tick, x, y
PADDING = bytes(32 * 1024)  # stands for the rest of a world: several packets a tick


async def play(conn: fastmux.Connection) -> None:
    """The server: the world moves on whether anybody looks or not."""
    state = await conn.open_message_channel("state", ordered=False, lifetime=LIFETIME)
    events = await conn.open_message_channel("events", priority=0)
    async with state, events:
        for tick in range(TICKS):
            try:
                state.send_nowait(STATE.pack(tick, tick * 0.5, tick * 0.25) + PADDING)
            except fastmux.WouldBlock:
                print(f"tick {tick}: skipped, the link is full")  # never wait for the past
            if tick % 10 == 0:
                await events.send(f"shot at tick {tick}".encode())
            await asyncio.sleep(TICK)


async def watch(conn: fastmux.Connection) -> tuple[list[int], list[str]]:
    """The client: draws the newest state, keeps every event."""
    ticks: list[int] = []
    shots: list[str] = []

    async def draw(channel: fastmux.MessageChannel) -> None:
        newest = -1
        async for message in channel:
            tick, _x, _y = STATE.unpack_from(message)
            if tick <= newest:
                continue  # unordered: an older one may come later
            newest = tick
            ticks.append(tick)
            if tick == 10:
                await asyncio.sleep(10 * TICK)  # a hiccup

    async def listen(channel: fastmux.MessageChannel) -> None:
        shots.extend([message.decode() async for message in channel])

    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            channel = await conn.accept()
            assert isinstance(channel, fastmux.MessageChannel)
            tasks.create_task(draw(channel) if channel.label == "state" else listen(channel))
    return ticks, shots


async def main() -> None:
    """One player, one second."""
    settings: dict[str, int] = {"channel_window": 2**16, "max_channel_window": 2**16}
    with certificates() as (server_tls, client_tls):
        async with (
            fastmux.listen(play, "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect(
                "127.0.0.1",
                server.port,
                tls=client_tls,
                channel_window=settings["channel_window"],  # little waits at a slow receiver
                max_channel_window=settings["max_channel_window"],
            ) as conn,
        ):
            ticks, shots = await watch(conn)
    print(f"{len(ticks)} of {TICKS} states drawn, the last was of tick {ticks[-1]}")
    print(f"all {len(shots)} events:", ", ".join(shots))
    if len(shots) != TICKS // 10:
        raise ValueError("an event was lost")


if __name__ == "__main__":
    asyncio.run(main())
