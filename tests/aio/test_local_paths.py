"""A driver's sockets: one is in use, others come and go beside it."""

from __future__ import annotations

import asyncio

from aio.counting_transport import CountingTransport, make_driver
from aio.link import Link
from aio.pair import Pair, pair
from aio.virtual_loop import settle, virtual
from fastmux.aio.driver import Driver


def with_second(ends: Pair) -> tuple[Driver, CountingTransport, int]:
    """The client's driver with one more socket, and its local path."""
    driver = ends.client._driver
    second = CountingTransport(Link(), ("second", 1))
    return driver, second, driver.paths.add(second)


@virtual
async def test_a_driver_may_have_several_transports_of_which_one_is_used() -> None:
    driver, first = make_driver()
    second, third = (CountingTransport(Link(), (name, 1)) for name in ("second", "third"))
    assert (driver.paths.add(second), driver.paths.add(third)) == (1, 2)
    assert [driver.paths.get(via) for via in range(4)] == [first, second, third, None]
    for transport in (first, second, third):
        transport.take(b"\x40" + bytes(40), 41, ("there", 1))
    await settle()
    assert driver.endpoint.counters()["stray"] == 3
    driver.paths.use(2)
    assert (driver.paths.via, driver.transport) == (2, third)
    driver.paths.use(7)
    assert driver.paths.get(0) is first
    driver.paths.drop(0)
    driver.paths.drop(0)
    driver.paths.drop(2)  # it is used
    assert first.is_closed
    assert not third.is_closed
    driver.close()
    assert second.is_closed
    assert third.is_closed


@virtual
async def test_what_goes_by_a_transport_that_is_gone_or_blocked_is_lost() -> None:
    async with pair() as ends:
        driver, second, via = with_second(ends)
        second.block()
        ends.client._connection.migrate(via, driver.clock())
        driver.schedule(ends.client._connection)
        await settle()
        assert second.sends == 0
        second.unblock()
        await asyncio.sleep(1)
        assert second.sends > 0
        driver.paths.drop(via)
        await asyncio.sleep(10)
        assert await ends.client.ping() > 0


@virtual
async def test_a_socket_that_is_not_in_use_may_be_lost() -> None:
    async with pair() as ends:
        driver, second, via = with_second(ends)
        driver._on_lost(second, OSError(9, "Bad file descriptor"))
        assert driver.paths.get(via) is None
        assert second.is_closed
        assert await ends.client.ping() > 0
