"""One end of a connection in a process of its own: `python -m e2e.peer serve|exercise DIRECTORY [PORT]`.

Owns: the process. It tells in lines of JSON on standard output: first which core it runs (and, serving, its
port), at the end what came of it. A server ends when its standard input ends. May not know: the test.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import fastmux
from e2e.conversation import FarEnd, exercise
from fastmux import core


def tls_of(directory: Path, name: str) -> fastmux.TLSConfig:
    """The configuration of "server" or "client" of a directory made by `make_credentials`."""
    return fastmux.TLSConfig(directory / f"{name}.pem", directory / f"{name}.key", directory / "ca.pem")


def _tell(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


async def _serve(directory: Path) -> None:
    far_end = FarEnd()
    async with fastmux.listen(far_end.handle, "127.0.0.1", 0, tls=tls_of(directory, "server")) as server:
        _tell(core=core.IMPLEMENTATION, port=server.port)
        await asyncio.to_thread(sys.stdin.read)
    _tell(last_words=far_end.last_words, endings=far_end.endings)


async def _exercise(directory: Path, port: int) -> None:
    _tell(core=core.IMPLEMENTATION)
    async with fastmux.connect("127.0.0.1", port, tls=tls_of(directory, "client")) as conn:
        last_words = await exercise(conn)
    _tell(last_words=last_words)


def main() -> None:
    """Be the end that the arguments ask for."""
    directory = Path(sys.argv[2])
    if sys.argv[1] == "serve":
        asyncio.run(_serve(directory))
    else:
        asyncio.run(_exercise(directory, int(sys.argv[3])))


if __name__ == "__main__":
    main()
