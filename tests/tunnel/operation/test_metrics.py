"""What is counted, and that no label grows without bound."""

from __future__ import annotations

import asyncio

from aio.pair import pair
from aio.virtual_loop import settle, virtual
from fastmux.constants import MAX_IDENTITY_LABELS
from fastmux.security.peer_names import IdentityLabels
from fastmux.tunnel.constants import MAX_METRICS_OUTCOMES
from fastmux.tunnel.operation.exposition import Family, render
from fastmux.tunnel.operation.metrics import (
    MeteredRegistry,
    PacketCounters,
    channel_families,
    connection_families,
)


def total(family: Family, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(value for key, value in family.samples.items() if wanted <= set(key))


def test_bytes_are_counted_while_a_channel_is_open() -> None:
    registry = MeteredRegistry()
    record = registry.open("laptop", "tcp", "host:22", "in")
    record.received_size = 1000
    size, opened, now_open, ended = channel_families(registry)
    assert total(size, identity="laptop", direction="received") == 1000
    assert total(opened, identity="laptop") == 1
    assert total(now_open, kind="tcp") == 1
    assert not ended.samples
    record.received_size = 3000
    assert total(channel_families(registry)[0], direction="received") == 3000


def test_an_end_is_counted_once_by_kind_and_outcome_without_its_details() -> None:
    registry = MeteredRegistry()
    for outcome in ("closed", "refused: the target refused it (1)", "refused: the target refused it (2)"):
        record = registry.open("laptop", "tcp", "host:22", "in")
        registry.close(record, outcome)
        registry.close(record, outcome)
    ended = channel_families(registry)[3]
    assert total(ended, kind="tcp", outcome="closed") == 1
    assert total(ended, kind="tcp", outcome="refused") == 2
    assert total(channel_families(registry)[2], kind="tcp") == 0


def test_identities_beyond_the_limit_are_one_and_sums_are_right() -> None:
    registry = MeteredRegistry()
    for number in range(MAX_IDENTITY_LABELS + 50):
        registry.open(f"peer-{number}", "tcp", "host:22", "in").sent_size = 1
    size = channel_families(registry)[0]
    assert len(size.samples) == 2 * (MAX_IDENTITY_LABELS + 1)
    assert total(size, direction="sent") == MAX_IDENTITY_LABELS + 50
    assert total(size, direction="sent", identity="(others)") == 50


def test_outcomes_beyond_the_limit_are_one_of_their_kind() -> None:
    registry = MeteredRegistry()
    for number in range(10 * MAX_METRICS_OUTCOMES):
        registry.close(registry.open("a", "tcp", "t", "in"), f"outcome-{number}")
    assert len(registry.outcomes) == MAX_METRICS_OUTCOMES + 1
    assert registry.outcomes.total() == 10 * MAX_METRICS_OUTCOMES


@virtual
async def test_idle_is_when_the_last_channel_ended() -> None:
    registry = MeteredRegistry()
    await registry.wait_idle()
    records = [registry.open("a", "tcp", "t", "in") for _ in range(2)]
    waiting = asyncio.create_task(registry.wait_idle())
    await settle()
    registry.close(records[0])
    await settle()
    assert not waiting.done()
    registry.close(records[1])
    await waiting


@virtual
async def test_datagrams_keep_nothing_busy() -> None:
    registry = MeteredRegistry()
    registry.open("a", "udp", "t", "in")
    await registry.wait_idle()
    stream = registry.open("a", "tcp", "t", "in")
    waiting = asyncio.create_task(registry.wait_idle())
    await settle()
    assert not waiting.done()
    registry.close(stream)
    await waiting


@virtual
async def test_connections_have_round_trips_and_packets_that_are_kept_when_they_end() -> None:
    async with pair() as ends:
        await ends.client.ping()
        named = [("laptop", ends.client), ("laptop", ends.server)]
        text = render(connection_families(IdentityLabels(), named))
        assert 'fastmux_connections_open{identity="laptop"} 2\n' in text
        assert 'fastmux_rtt_seconds{identity="laptop"} 0.01' in text
        packets = PacketCounters()
        sent = ends.client.stats.packets_sent
        assert f"fastmux_packets_sent_total {sent}\n" in render(packets.families([ends.client.stats]))
        packets.end(ends.client.stats)
        text = render(packets.families([]))
        assert f"fastmux_packets_sent_total {sent}\n" in text
        assert "fastmux_packets_lost_total 0\n" in text
        assert "fastmux_retransmitted_bytes_total 0\n" in text
        assert "fastmux_connections_total 1\n" in text
