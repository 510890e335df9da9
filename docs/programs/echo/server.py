"""Sends everything back: the bytes of streams, the messages of message channels."""

import asyncio

import fastmux


async def echo(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
    async for data in channel:
        await channel.send(data)


async def handler(conn: fastmux.Connection) -> None:
    print("connected:", conn.peer.common_name, flush=True)
    await conn.serve(echo)


async def main() -> None:
    tls = fastmux.TLSConfig("keys/server.pem", "keys/server.key", "keys/ca.pem")
    async with fastmux.listen(handler, "127.0.0.1", 4433, tls=tls) as server:
        print("listening on UDP port", server.port, flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
