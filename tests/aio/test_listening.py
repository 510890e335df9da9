"""What every server counts: sums that never fall, and what became of knocks."""

from __future__ import annotations

import asyncio

from aio.pair import world
from aio.virtual_loop import virtual
from fastmux.aio.connection import Connection


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


@virtual
async def test_totals_keep_what_connections_counted_that_are_over() -> None:
    async with world(wait) as w:
        assert w.server.totals()["connections"] == 0
        first = await w.connect()
        await first.ping()
        during = w.server.totals()
        assert (during["connections"], len(w.server.connections)) == (1, 1)
        await first.aclose()
        await asyncio.sleep(5)
        after = w.server.totals()
        assert not w.server.connections
        assert after["connections"] == 1
        assert after["packets_received"] >= during["packets_received"] > 0


@virtual
async def test_counters_are_of_all_sockets_and_say_what_became_of_knocks() -> None:
    async with world(wait) as w:
        w.server.serve(w.link.attach("second"), clock=asyncio.get_running_loop().time)
        assert w.server.port == 4433
        assert w.server.sockets == (("server", 4433), ("second", 4433))
        for _ in range(3):
            await (await w.connect()).aclose()
        assert w.server.counters()["accepted"] == 3
