"""A world that moves 30 times a second; players get its newest state, and old ones are never sent again."""

import asyncio
import math
import struct

import fastmux

STATE = struct.Struct("!Qff")  # tick, x, y
TICK = 1 / 30
GONE = (fastmux.ClosedResourceError, fastmux.BrokenResourceError, ConnectionError)
players: set[fastmux.MessageChannel] = set()


async def handler(conn: fastmux.Connection) -> None:
    # What is not there after a tenth of a second is given up: a newer state is on its way anyway.
    channel = await conn.open_message_channel(label="state", ordered=False, lifetime=0.1)
    players.add(channel)
    try:
        await conn.wait_closed()
    finally:
        players.discard(channel)


async def run_world() -> None:
    tick = 0
    while True:
        state = STATE.pack(tick, math.cos(tick / 20), math.sin(tick / 20))
        for channel in list(players):
            try:
                channel.send_nowait(state)
            except fastmux.WouldBlock:
                pass  # this player's way is full: it gets the next state
            except GONE:
                players.discard(channel)
        tick += 1
        await asyncio.sleep(TICK)


async def main() -> None:
    tls = fastmux.TLSConfig("keys/server.pem", "keys/server.key", "keys/ca.pem")
    async with fastmux.listen(handler, "127.0.0.1", 4433, tls=tls) as server:
        print("listening on UDP port", server.port, flush=True)
        async with asyncio.TaskGroup() as group:
            group.create_task(run_world())
            group.create_task(server.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
