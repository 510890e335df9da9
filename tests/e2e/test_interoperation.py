"""The compiled and the pure core speak to each other, over real sockets, in two processes.

This process has the core under test, the other process the other core, once as the server and once as the
client.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from pathlib import Path

import pytest

import fastmux
from e2e.conversation import FarEnd, exercise
from e2e.support import peer, run
from fastmux import core
from fastmux._switches import REQUIRE_EXTENSIONS, is_on

OTHER_CORE = "python" if core.IMPLEMENTATION == "cython" else "cython"


def _lacks_compiled_core() -> bool:
    if is_on(os.environ.get(REQUIRE_EXTENSIONS)):
        return False
    return core.IMPLEMENTATION == "python" and importlib.util.find_spec("fastmux._core") is None


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(_lacks_compiled_core(), reason="the compiled core is not built"),
]


def test_a_client_talks_to_a_server_with_the_other_core(
    credentials: Path, client_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        async with peer(OTHER_CORE, "serve", credentials) as server:
            hello = await server.told()
            assert hello["core"] == OTHER_CORE
            async with fastmux.connect("127.0.0.1", hello["port"], tls=client_tls) as conn:
                assert conn.get_extra_info("core") == core.IMPLEMENTATION
                last_words = await exercise(conn)
            finished = asyncio.create_task(server.finish())
            result = await server.told()
            assert result == {"last_words": [last_words], "endings": ["without an error"]}
            assert await finished == 0

    run(main())


def test_a_server_talks_to_a_client_with_the_other_core(
    credentials: Path, server_tls: fastmux.TLSConfig
) -> None:
    async def main() -> None:
        far_end = FarEnd()
        async with (
            fastmux.listen(far_end.handle, "127.0.0.1", 0, tls=server_tls) as server,
            peer(OTHER_CORE, "exercise", credentials, server.port) as client,
        ):
            hello = await client.told()
            assert hello["core"] == OTHER_CORE
            last_words = (await client.told(timeout=50))["last_words"]
            assert await client.finish() == 0
        assert far_end.last_words == [last_words]
        assert far_end.endings == ["without an error"]

    run(main())
