"""The code at the top of docs/portmux.md runs: its client against its server."""

from __future__ import annotations

import textwrap
from typing import Any

from documentation.pages import ROOT, blocks
from e2e.support import run
from fastmux import PLAINTEXT, portmux


def as_function(code: str, name: str) -> Any:
    """A coroutine function of a part of the block, which is given handler, tls, port and `use`."""
    names: dict[str, Any] = {"portmux": portmux}
    exec(f"async def {name}(handler, tls, port, use):\n{textwrap.indent(code, '    ')}", names)
    return names[name]


def test_the_pages_server_serves_the_pages_client() -> None:
    (code,) = blocks(ROOT / "docs/portmux.md", "python")
    head, server_part, client_part = code.strip().split("\n\n")
    assert head == "from fastmux import portmux"
    server_part = server_part.replace('"0.0.0.0", 4433', '"127.0.0.1", port')
    server_part = server_part.replace("server.serve_forever()", "use(server)")
    client = as_function(client_part.replace('"host", 4433', '"127.0.0.1", port'), "client")
    labels: list[str] = []

    async def handler(connection: portmux.PortConnection) -> None:
        async for channel in connection:
            labels.append(channel.label)
            await channel.aclose()

    async def use(server: Any) -> None:
        await client(handler, PLAINTEXT, server.port, None)

    run(as_function(server_part, "server")(handler, PLAINTEXT, 0, use))
    assert sorted(labels) == ["files", "voice"]
