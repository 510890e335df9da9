"""Send a file over a stream, show how far it is, and prove that it arrived.

    python -m examples.file_transfer [FILE]

A stream carries bytes in order, as a TCP connection does, so a file needs no framing: its name goes in
the label, its bytes follow, and the end of the stream is its end. What this shows:

* `send` waits while the other side does not read, so a file of any size needs little memory at either
  end.
* `send_eof` ends one direction only: the receiver can still answer, here with the SHA-256 of what it
  wrote.
* A transfer that is cut short raises (`ChannelReset`, `ConnectionClosed`): it never looks like a shorter
  file, and what had come of it is removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import tempfile
from pathlib import Path

import fastmux
from examples.throwaway import certificates

PIECE_SIZE = 256 * 1024


async def receive_file(stream: fastmux.Stream, folder: Path) -> None:
    """Write what comes into `folder`, then answer with its hash. What is cut short leaves no file."""
    path = folder / Path(stream.label).name  # a label is the peer's word: never let it name another folder
    digest = hashlib.sha256()
    descriptor, part = tempfile.mkstemp(dir=folder, prefix=".part-")
    try:
        with open(descriptor, "wb") as file:
            async for chunk in stream:  # until the sender's `send_eof`
                digest.update(chunk)
                file.write(chunk)
        os.replace(part, path)  # it is whole: now it gets its name
    except BaseException:  # cut short, or cancelled
        os.unlink(part)
        raise
    await stream.send(digest.hexdigest().encode())
    await stream.send_eof()


async def send_file(conn: fastmux.Connection, path: Path) -> str:
    """Send a file and return its hash, which the receiver has confirmed."""
    size, sent = path.stat().st_size, 0
    digest = hashlib.sha256()
    async with await conn.open_stream(path.name) as stream:
        with path.open("rb") as file:
            while piece := file.read(PIECE_SIZE):
                digest.update(piece)
                await stream.send(piece)  # exact bytes: kept by reference, not copied
                sent += len(piece)
                print(f"\r{path.name}: {100 * sent // max(size, 1)} %", end="", flush=True)
        await stream.send_eof()
        answer = b"".join([chunk async for chunk in stream]).decode()
    if answer != digest.hexdigest():
        raise ValueError(f"the receiver has {answer}, not {digest.hexdigest()}")
    print(f"\r{path.name}: {size} bytes, sha256 {answer}")
    return answer


async def main(path: Path, folder: Path) -> None:
    """Both ends in one program; in real life they are two."""

    async def handle(conn: fastmux.Connection) -> None:
        async for channel in conn:
            if isinstance(channel, fastmux.Stream):
                async with channel:
                    await receive_file(channel, folder)

    with certificates() as (server_tls, client_tls):
        async with (
            fastmux.listen(handle, "127.0.0.1", 0, tls=server_tls) as server,
            fastmux.connect("127.0.0.1", server.port, tls=client_tls) as conn,
        ):
            await send_file(conn, path)
    if (folder / path.name).read_bytes() != path.read_bytes():
        raise ValueError("the files differ")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        if len(sys.argv) > 1:
            source = Path(sys.argv[1])
        else:
            source = Path(work, "sample.bin")
            source.write_bytes(bytes(range(256)) * 8192)
        received = Path(work, "received")
        received.mkdir()
        asyncio.run(main(source, received))
