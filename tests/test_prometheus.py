"""What a registry of prometheus-client collects from connections and servers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest

import fastmux.prometheus
from aio.pair import Pair, pair, world
from aio.virtual_loop import virtual
from fastmux.aio.connection import Connection
from fastmux.prometheus import MAX_IDENTITIES, Collector
from fastmux.protocol.handshake import PeerIdentity
from fastmux.tunnel.operation.metrics import PacketCounters

prometheus_client = pytest.importorskip("prometheus_client")


def registry_of(collector: Collector) -> Callable[..., float | None]:
    """How to ask a registry with this collector for a sample: by name and labels."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)

    def value(name: str, **labels: str) -> float | None:
        found: float | None = registry.get_sample_value(name, labels)
        return found

    return value


async def exchange(ends: Pair, size: int = 10_000) -> None:
    async with await ends.client.open_stream() as mine:
        await mine.send(bytes(size))
        await mine.send_eof()
        async with await ends.server.accept() as theirs:
            async for _ in theirs:
                continue


async def wait(connection: Connection) -> None:
    await connection.wait_closed()


@virtual
async def test_a_connection_is_read_with_each_scrape() -> None:
    async with pair() as ends:
        value = registry_of(Collector(ends.client))
        assert value("fastmux_connections", identity="anonymous") == 1
        assert value("fastmux_connections_total") == 1
        before = value("fastmux_bytes_sent_total")
        assert before is not None
        await exchange(ends)
        after = value("fastmux_bytes_sent_total")
        assert after is not None
        assert after > before + 10_000
        statistics = ends.client.stats
        assert value("fastmux_rtt_seconds", identity="anonymous") == statistics.rtt
        window = value("fastmux_congestion_window_bytes", identity="anonymous")
        assert window == statistics.congestion_window


@virtual
async def test_no_sum_falls_when_a_connection_ends() -> None:
    async with pair() as ends:
        value = registry_of(Collector(ends.client, ends.client))
        await exchange(ends)
        before = value("fastmux_packets_sent_total")
        ends.client.abort()
        after = value("fastmux_packets_sent_total")
        assert before is not None
        assert after is not None
        assert after >= before > 0
        assert value("fastmux_connections_total") == 1
        assert value("fastmux_connections", identity="anonymous") is None
        assert value("fastmux_packets_sent_total") == after


@virtual
async def test_a_server_counts_connections_that_nobody_scraped() -> None:
    async with world(wait) as w:
        value = registry_of(Collector(w.server))
        for _ in range(3):
            await (await w.connect()).aclose()
        await asyncio.sleep(5)
        assert not w.server.connections
        assert value("fastmux_connections_total") == 3
        packets = value("fastmux_packets_received_total")
        assert packets is not None
        assert packets >= 3
        assert value("fastmux_endpoint_events_total", event="accepted") == 3
        client = await w.connect()
        assert value("fastmux_connections", identity="anonymous") == 1
        assert value("fastmux_connections_total") == 4
        await client.aclose()


@virtual
async def test_connections_that_are_over_are_forgotten_without_a_scrape() -> None:
    async with world(wait) as w:
        collector = Collector()
        for _ in range(40):
            client = await w.connect()
            collector.add(client)
            client.abort()
        assert len(collector._connections) <= 16
        assert registry_of(collector)("fastmux_connections_total") == 40


@virtual
async def test_identities_beyond_the_limit_share_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pair() as ends:
        value = registry_of(Collector(ends.client))
        for number in range(MAX_IDENTITIES):
            ends.client._connection.peer = PeerIdentity(common_name=f"peer-{number}")
            assert value("fastmux_connections", identity=f"peer-{number}") == 1
        ends.client._connection.peer = PeerIdentity(common_name="one too many")
        assert value("fastmux_connections", identity="(others)") == 1
        ends.client._connection.peer = PeerIdentity(common_name="peer-0")
        assert value("fastmux_connections", identity="peer-0") == 1


def test_names_are_the_tunnels_where_they_mean_the_same() -> None:
    names = {f"{metric.name}_total" for metric in Collector().collect() if metric.type == "counter"}
    tunnel = {family.name for family in PacketCounters().families([])}
    assert tunnel <= names
    gauges = {metric.name for metric in Collector().collect() if metric.type == "gauge"}
    assert {"fastmux_connections", "fastmux_rtt_seconds", "fastmux_congestion_window_bytes"} <= gauges


@virtual
async def test_what_is_registered_is_valid_text() -> None:
    async with pair() as ends:
        registry = prometheus_client.CollectorRegistry()
        registry.register(Collector(ends.world.server, ends.client))
        text = prometheus_client.generate_latest(registry).decode()
        assert "# TYPE fastmux_packets_sent_total counter" in text
        assert 'fastmux_connections{identity="anonymous"} 2.0' in text
        with pytest.raises(ValueError, match="Duplicated"):
            registry.register(Collector())


def test_without_the_library_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['prometheus_client'] = None; import fastmux.prometheus"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "pip install 'fastmux[prometheus]'" in done.stderr
    assert fastmux.prometheus.Collector is Collector


def test_a_collector_can_be_taken_out_of_its_registry_and_put_back() -> None:
    """Guards against a name that was registered twice: letting go of it raised KeyError."""
    registry, collector = prometheus_client.CollectorRegistry(), Collector()
    for _ in range(2):
        registry.register(collector)
        registry.unregister(collector)
    assert list(registry.collect()) == []
