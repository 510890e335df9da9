"""One connection, two channels: a stream of bytes and whole messages."""

import asyncio

import fastmux


async def main() -> None:
    tls = fastmux.TLSConfig("keys/client.pem", "keys/client.key", "keys/ca.pem")
    async with fastmux.connect("127.0.0.1", 4433, tls=tls) as conn:
        async with await conn.open_stream(label="letters") as stream:
            await stream.send(b"hello, ")
            await stream.send(b"world")
            await stream.send_eof()
            letters = b"".join([chunk async for chunk in stream])
            print("stream: ", letters.decode())

        async with await conn.open_message_channel(label="numbers") as channel:
            for number in (1, 2, 3):
                await channel.send(str(number).encode())
            print("messages:", [int(await channel.receive()) for _ in range(3)])

        print(f"round trip: {await conn.ping() * 1e3:.2f} ms")


if __name__ == "__main__":
    asyncio.run(main())
