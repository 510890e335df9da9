"""The echo server of the tutorial, on trio."""

import trio

import fastmux
import fastmux.trio


async def echo(channel: fastmux.trio.Stream | fastmux.trio.MessageChannel) -> None:
    if isinstance(channel, fastmux.trio.Stream):  # trio.abc.HalfCloseableStream
        async for data in channel:
            await channel.send_all(data)
    else:  # trio.abc.Channel[bytes]
        async for message in channel:
            await channel.send(message)


async def handler(conn: fastmux.trio.Connection) -> None:
    await conn.serve(echo)


async def main() -> None:
    tls = fastmux.TLSConfig("keys/server.pem", "keys/server.key", "keys/ca.pem")
    async with fastmux.trio.listen(handler, "127.0.0.1", 4433, tls=tls) as server:
        print("listening on UDP port", server.port, flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    trio.run(main)
