"""Flows: one for each local peer, bounded, and over when they should be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aio.link import Link
from aio.pair import Pair, pair
from aio.virtual_loop import settle, virtual
from fastmux import MessageChannel
from fastmux import constants as c
from fastmux.aio.answers import AnswerCode, OpenRefused
from fastmux.tunnel.constants import MAX_UDP_FLOW_WAITING, MAX_UDP_FLOWS
from fastmux.tunnel.forwarding.rate import RateLimit
from fastmux.tunnel.forwarding.udp_flows import UdpFlows
from tunnel.ends import Registry


@dataclass
class Flows:
    """Flows by number over a connection in memory."""

    ends: Pair
    flows: UdpFlows[int]
    registry: Registry
    back: list[tuple[bytes, int]] = field(default_factory=list)

    async def accept(self) -> MessageChannel:
        channel = await self.ends.server.accept()
        assert isinstance(channel, MessageChannel)
        return channel


@asynccontextmanager
async def flows_of(
    *,
    max_flows: int = MAX_UDP_FLOWS,
    idle_timeout: float = 60,
    limits: list[RateLimit] | None = None,
    refuses: bool = False,
    delay: float = 0.005,
) -> AsyncIterator[Flows]:
    async with pair(link=Link(delay=delay)) as ends:

        async def open_channel(key: int) -> MessageChannel:
            if refuses:
                raise OpenRefused(AnswerCode.BUSY)
            await asyncio.sleep(0.1)
            return await ends.client.open_message_channel(str(key), ordered=False, reliable=False)

        registry = Registry()
        made = UdpFlows[int](
            open_channel,
            lambda data, key: result.back.append((data, key)),
            lambda key: registry.open("far", "udp", str(key), "out"),
            registry,
            limits or (),
            max_flows=max_flows,
            idle_timeout=idle_timeout,
        )
        result = Flows(ends, made, registry)
        try:
            yield result
        finally:
            await made.close()
            assert registry.records() == []
            assert len(made) == 0


@virtual
async def test_each_peer_has_a_channel_of_its_own_both_ways() -> None:
    async with flows_of() as f:
        f.flows.send(b"a", 1)
        f.flows.send(b"b", 2)
        f.flows.send(b"aa", 1)
        one, two = sorted([await f.accept(), await f.accept()], key=lambda channel: channel.label)
        assert (one.label, two.label) == ("1", "2")
        assert [await one.receive(), await one.receive()] == [b"a", b"aa"]
        await two.send(b"back")
        await asyncio.sleep(1)
        assert f.back == [(b"back", 2)]
        assert len(f.flows) == 2
        one.reset()
        two.reset()


@virtual
async def test_an_idle_flow_ends_and_a_later_datagram_begins_a_new_one() -> None:
    async with flows_of(idle_timeout=30) as f:
        f.flows.send(b"a", 1)
        first = await f.accept()
        await asyncio.sleep(25)
        f.flows.send(b"still here", 1)
        await asyncio.sleep(25)
        await first.send(b"back counts too")
        await asyncio.sleep(25)
        assert len(f.flows) == 1
        await asyncio.sleep(10)
        assert len(f.flows) == 0
        assert f.registry.outcomes == [("udp", "1", "idle")]
        f.flows.send(b"again", 1)
        second = await f.accept()
        assert await second.receive() == b"again"
        first.reset()
        second.reset()


@virtual
async def test_the_least_recently_used_flow_goes_for_a_newer_one() -> None:
    async with flows_of(max_flows=3) as f:
        for key in (1, 2, 3, 1):
            f.flows.send(b"x", key)
        await asyncio.sleep(1)
        f.flows.send(b"x", 4)
        await settle()
        assert f.registry.outcomes == [("udp", "2", "closed for a newer flow")]
        assert len(f.flows) == 3


@virtual
async def test_a_thousand_local_peers_cost_no_more_than_the_limit_and_ten_cost_nothing() -> None:
    async with flows_of() as f:
        for key in range(10):
            f.flows.send(b"x", key)
        await asyncio.sleep(1)
        assert f.registry.outcomes == []
        for key in range(1000):
            f.flows.send(b"x", key)
        assert len(f.flows) == MAX_UDP_FLOWS
        await asyncio.sleep(1)
        assert len(f.registry.records()) == MAX_UDP_FLOWS


@virtual
async def test_what_waits_for_a_channel_is_bounded() -> None:
    async with flows_of() as f:
        for number in range(1000):
            f.flows.send(b"%d" % number, 1)
        channel = await f.accept()
        await asyncio.sleep(1)
        received = [channel.receive_nowait() for _ in range(MAX_UDP_FLOW_WAITING)]
        assert received == [b"%d" % number for number in range(MAX_UDP_FLOW_WAITING)]
        assert f.registry.records()[0].sent_size == sum(map(len, received))
        channel.reset()


@virtual
async def test_a_flow_ends_with_the_far_ends_channel() -> None:
    async with flows_of() as f:
        f.flows.send(b"a", 1)
        f.flows.send(b"a", 2)
        one, two = await f.accept(), await f.accept()
        await one.aclose()
        two.reset(c.REFUSED)
        assert await f.registry.ended(2) == ["closed", "reset by the far end"]
        assert len(f.flows) == 0


@virtual
async def test_a_flow_ends_with_the_connection_and_sending_never_raises() -> None:
    async with flows_of(delay=0) as f:
        f.flows.send(b"a", 1)
        channel = await f.accept()
        f.ends.server.abort()
        (outcome,) = await f.registry.ended()
        assert outcome.startswith("connection lost")
        f.flows.send(b"b", 1)
        await asyncio.sleep(1)
        assert f.registry.outcomes[1][2].startswith("refused: connection closed")
        channel.reset()


@virtual
async def test_a_refused_flow_says_so() -> None:
    async with flows_of(refuses=True) as f:
        f.flows.send(b"a", 1)
        (outcome,) = await f.registry.ended()
        assert outcome.startswith("refused: too many sockets")


@virtual
async def test_datagrams_beyond_a_limit_are_dropped() -> None:
    limit = RateLimit(1000, clock=asyncio.get_running_loop().time)
    async with flows_of(limits=[limit]) as f:
        f.flows.send(b"x", 1)
        channel = await f.accept()
        for _ in range(100):
            f.flows.send(bytes(100), 1)
        assert f.registry.records()[0].sent_size <= 300
        channel.reset()


@virtual
async def test_a_datagram_of_any_size_is_taken_or_dropped() -> None:
    async with flows_of() as f:
        f.flows.send(b"x", 1)
        channel = await f.accept()
        f.flows.send(bytes(65507), 1)
        f.flows.send(b"", 1)
        sizes = [len(await channel.receive()) for _ in range(3)]
        assert sorted(sizes) == [0, 1, 65507]
        channel.reset()
