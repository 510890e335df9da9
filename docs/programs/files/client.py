"""Sends files side by side over one connection: python client.py FILE …"""

import asyncio
import hashlib
import sys
from pathlib import Path

import fastmux


async def send_file(conn: fastmux.Connection, path: Path) -> None:
    digest = hashlib.sha256()
    async with await conn.open_stream(label=path.name) as stream:
        with path.open("rb") as file:
            while chunk := file.read(1 << 18):
                digest.update(chunk)
                await stream.send(chunk)  # waits while the other end does not read: memory stays small
        await stream.send_eof()  # the other direction is still open: the answer comes there
        answer = b"".join([chunk async for chunk in stream])
    print(path.name, "arrived" if answer == digest.digest() else "was damaged")


async def main() -> None:
    tls = fastmux.TLSConfig("keys/client.pem", "keys/client.key", "keys/ca.pem")
    async with fastmux.connect("127.0.0.1", 4433, tls=tls) as conn, asyncio.TaskGroup() as group:
        for name in sys.argv[1:]:
            group.create_task(send_file(conn, Path(name)))


if __name__ == "__main__":
    asyncio.run(main())
