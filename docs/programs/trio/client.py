"""A client on trio; the server may run on asyncio as well."""

import trio

import fastmux
import fastmux.trio


async def main() -> None:
    tls = fastmux.TLSConfig("keys/client.pem", "keys/client.key", "keys/ca.pem")
    async with fastmux.trio.connect("127.0.0.1", 4433, tls=tls) as conn:
        stream = await conn.open_stream(label="letters")
        await stream.send_all(b"hello, trio")
        await stream.send_eof()
        print(b"".join([chunk async for chunk in stream]).decode())


if __name__ == "__main__":
    trio.run(main)
