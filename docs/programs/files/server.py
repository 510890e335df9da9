"""Takes files: each stream is one, its label the name; the answer is the SHA-256 of what came."""

import asyncio
import hashlib
from pathlib import Path

import fastmux

FOLDER = Path("received")


async def take_file(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
    name = Path(channel.label).name  # never a path that the other end chose
    if not isinstance(channel, fastmux.Stream) or name in ("", ".", ".."):
        channel.reset(code=1)
        return
    digest = hashlib.sha256()
    partial = FOLDER / f".{name}.{id(channel)}"
    try:
        with partial.open("wb") as file:
            async for chunk in channel:  # ends with the peer's end; a reset raises ChannelReset instead
                digest.update(chunk)
                file.write(chunk)
        partial.replace(FOLDER / name)  # only what came whole gets the name
    finally:
        partial.unlink(missing_ok=True)
    await channel.send(digest.digest())


async def handler(conn: fastmux.Connection) -> None:
    await conn.serve(take_file)


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    tls = fastmux.TLSConfig("keys/server.pem", "keys/server.key", "keys/ca.pem")
    async with fastmux.listen(handler, "127.0.0.1", 4433, tls=tls) as server:
        print("listening on UDP port", server.port, flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
