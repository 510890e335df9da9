"""A client on anyio, once on each event loop."""

import anyio

import fastmux
import fastmux.anyio


async def main(text: bytes) -> None:
    tls = fastmux.TLSConfig("keys/client.pem", "keys/client.key", "keys/ca.pem")
    async with fastmux.anyio.connect("127.0.0.1", 4433, tls=tls) as conn:
        stream = await conn.open_stream(label="letters")  # anyio.abc.ByteStream
        await stream.send(text)
        await stream.send_eof()
        print(b"".join([chunk async for chunk in stream]).decode())


if __name__ == "__main__":
    anyio.run(main, b"hello, anyio on asyncio", backend="asyncio")
    anyio.run(main, b"hello, anyio on trio", backend="trio")
