"""Caps on bandwidth hold over time, are shared in order, and give back what was not used."""

from __future__ import annotations

import asyncio

import pytest

from aio.virtual_loop import settle, virtual
from fastmux.tunnel.constants import SPLICE_CHUNK_SIZE
from fastmux.tunnel.forwarding.rate import RateLimit, chunk_size_of, take_all, try_take_all


def limit_of(rate: float) -> RateLimit:
    return RateLimit(rate, clock=asyncio.get_running_loop().time)


@virtual
async def test_bytes_go_on_at_the_rate() -> None:
    loop = asyncio.get_running_loop()
    limit = limit_of(1000)
    for _ in range(50):
        await limit.take(100)
    assert loop.time() == pytest.approx(5 - 0.1)


@virtual
async def test_a_burst_of_a_tenth_of_a_second_goes_at_once_and_no_more_after_a_rest() -> None:
    loop = asyncio.get_running_loop()
    limit = limit_of(1000)
    await asyncio.sleep(100)
    await limit.take(100)
    assert loop.time() == 100
    await limit.take(100)
    assert loop.time() == pytest.approx(100.1)


@virtual
async def test_channels_share_it_in_the_order_in_which_they_ask() -> None:
    limit = limit_of(1000)
    order: list[int] = []

    async def taker(number: int) -> None:
        await limit.take(1000)
        order.append(number)

    await asyncio.gather(*(taker(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert asyncio.get_running_loop().time() == pytest.approx(4.9)


@virtual
async def test_a_cancelled_taker_gives_its_bytes_back() -> None:
    loop = asyncio.get_running_loop()
    limit = limit_of(1000)
    task = asyncio.create_task(limit.take(100_000))
    await settle()
    task.cancel()
    await asyncio.wait({task})
    await limit.take(100)
    assert loop.time() == 0


@virtual
async def test_datagrams_are_taken_at_the_rate_and_dropped_beyond_it() -> None:
    limit = limit_of(10_000)
    taken = 0
    for _ in range(1000):
        taken += limit.try_take(100)
        await asyncio.sleep(0.001)
    assert 95 <= taken <= 112


@virtual
async def test_a_datagram_larger_than_the_burst_still_goes_sometimes() -> None:
    limit = limit_of(1000)
    assert limit.try_take(1500)
    assert not limit.try_take(1)
    await asyncio.sleep(1.5)
    assert limit.try_take(1500)


@virtual
async def test_several_limits_hold_together() -> None:
    loop = asyncio.get_running_loop()
    limits = [limit_of(1000), limit_of(500)]
    for _ in range(10):
        await take_all(limits, 100)
    assert loop.time() == pytest.approx(2, abs=0.2)
    assert not try_take_all(limits, 100)
    assert try_take_all([], 10**9)


@virtual
async def test_reads_are_cut_small_under_a_low_rate_and_not_without_one() -> None:
    assert limit_of(100_000).chunk_size == 2500
    assert limit_of(1).chunk_size == 1024
    assert chunk_size_of([limit_of(10**9), limit_of(100_000)]) == 2500
    assert chunk_size_of([]) == limit_of(10**9).chunk_size == SPLICE_CHUNK_SIZE


@pytest.mark.parametrize("rate", [0, -1, 0.5, float("nan")])
def test_a_rate_that_lets_nothing_through_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RateLimit(rate)
