"""The echo server of the tutorial, on anyio."""

import anyio

import fastmux
import fastmux.anyio


async def echo(stream: fastmux.anyio.ByteStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


async def handler(conn: fastmux.anyio.Connection) -> None:
    await conn.listener().serve(echo)  # anyio.abc.Listener


async def main() -> None:
    tls = fastmux.TLSConfig("keys/server.pem", "keys/server.key", "keys/ca.pem")
    async with fastmux.anyio.listen(handler, "127.0.0.1", 4433, tls=tls) as server:
        print("listening on UDP port", server.port, flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    anyio.run(main)
