"""A player: takes all states that wait, draws the newest, forgets what is older than what it drew."""

import asyncio
import struct

import fastmux

STATE = struct.Struct("!Qff")


async def main() -> None:
    tls = fastmux.TLSConfig("keys/client.pem", "keys/client.key", "keys/ca.pem")
    async with fastmux.connect("127.0.0.1", 4433, tls=tls) as conn:
        channel = await conn.accept()
        assert isinstance(channel, fastmux.MessageChannel)
        newest, drawn = -1, 0
        while drawn < 10:
            states = [STATE.unpack(message) for message in await channel.receive_many()]
            tick, x, y = max(states)
            if tick > newest:  # on an unordered channel an older state may come later
                newest, drawn = tick, drawn + 1
                assert abs(x * x + y * y - 1) < 1e-5
        print("drew", drawn, "states")


if __name__ == "__main__":
    asyncio.run(main())
