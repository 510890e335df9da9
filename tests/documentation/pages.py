"""The pages of the documentation and the blocks in them.

Owns: where pages are, and how a block is found. A page's code that needs a connection gets one to a server
that sends everything back (`echoing`).
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import fastmux
from fastmux.security.certificates import make_credentials

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PROGRAMS = DOCS / "programs"


def pages() -> list[Path]:
    """Every page of the site, and those that lie beside what they are about."""
    beside = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "fuzz/README.md", "bench/README.md")
    return [*(ROOT / name for name in beside), *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    """A page's path from the project's root."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, as they stand; those with a caption are not among them."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def printed(page: Path, what: str) -> str:
    """What a page says that a program prints: the block with the caption "`what` prints"."""
    text = page.read_text(encoding="utf-8")
    start = rf"^```\{{code-block\}} text\n:caption: {re.escape(what)}[^\n]* prints\n\n"
    found = re.search(rf"{start}(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"{name_of(page)} does not say what {what} prints"
    return found.group(1)


async def _answer(channel: fastmux.Stream | fastmux.MessageChannel) -> None:
    async for data in channel:
        await channel.send(data)


async def _echo(conn: fastmux.Connection) -> None:
    async def datagrams() -> None:
        while True:
            conn.send_datagram(await conn.receive_datagram())

    task = asyncio.create_task(datagrams())
    try:
        await conn.serve(_answer)
    finally:
        task.cancel()


@asynccontextmanager
async def echoing(folder: Path) -> AsyncIterator[tuple[fastmux.Server, fastmux.TLSConfig]]:
    """A server that sends everything back, and a client's configuration."""
    make_credentials(folder, days=1)
    server_tls = fastmux.TLSConfig(folder / "server.pem", folder / "server.key", folder / "ca.pem")
    client_tls = fastmux.TLSConfig(folder / "client.pem", folder / "client.key", folder / "ca.pem")
    async with fastmux.listen(_echo, "127.0.0.1", 0, tls=server_tls, close_timeout=1) as server:
        yield server, client_tls


def cells_of(page: Path, heading: str) -> list[list[str]]:
    """The rows of the table whose first heading is this, each as its cells. Fails if there is none."""
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            next(lines)
            rows = []
            for row in lines:
                if not row.startswith("|"):
                    break
                rows.append([cell.strip() for cell in row.strip("|").split(" | ")])
            return rows
    raise AssertionError(f"{name_of(page)} has no table {heading!r}")


def extension(name: str) -> ModuleType:
    """One of the site's own extensions of Sphinx, loaded from its file."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
