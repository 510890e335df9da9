"""A member of the chat room: lines from the keyboard go out, what others say is printed.

python client.py NAME uses keys/NAME.pem and keys/NAME.key.
"""

import asyncio
import sys

import fastmux


async def listen(channel: fastmux.MessageChannel) -> None:
    async for message in channel:
        print(message.decode(errors="replace"), flush=True)


async def main(name: str) -> None:
    tls = fastmux.TLSConfig(f"keys/{name}.pem", f"keys/{name}.key", "keys/ca.pem")
    async with fastmux.connect("127.0.0.1", 4433, tls=tls) as conn:
        channel = await conn.open_message_channel(label="chat")
        listener = asyncio.create_task(listen(channel))
        while line := await asyncio.to_thread(sys.stdin.readline):
            await channel.send(line.strip().encode())
        listener.cancel()  # leaving the block delivers what was sent, then closes


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "client"))
