"""What a registry of prometheus-client collects from connections and servers."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import fastmux.prometheus
from aio.pair import Pair, pair, world
from aio.virtual_loop import virtual
from fastmux.aio.client import open_connection
from fastmux.aio.connection import Connection
from fastmux.prometheus import Collector
from fastmux.protocol.handshake import PeerIdentity
from fastmux.security.plaintext import PlaintextHandshake
from fastmux.tunnel.operation.metrics import (
    MeteredRegistry,
    PacketCounters,
    channel_families,
    connection_families,
)

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
        assert value("fastmux_connections_open", identity="anonymous") == 1
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
        assert value("fastmux_connections_open", identity="anonymous") is None
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
        assert value("fastmux_connections_open", identity="anonymous") == 1
        assert value("fastmux_connections_total") == 4
        await client.aclose()


@virtual
async def test_connections_that_are_over_are_forgotten_without_a_scrape() -> None:
    async with world(wait) as w:
        collector = Collector()
        clients = []
        for _ in range(40):
            client = await w.connect()
            clients.append(weakref.ref(client))
            collector.add(client)
            client.abort()
        del client
        await asyncio.sleep(60)  # nothing of the library holds them any more
        gc.collect()
        assert sum(client() is not None for client in clients) <= 16
        assert registry_of(collector)("fastmux_connections_total") == 40


class Named(PlaintextHandshake):
    """A handshake by which the other end is somebody."""

    def __init__(self, is_client: bool, name: str) -> None:
        super().__init__(is_client, os.urandom(32))
        self.name = name

    @property
    def peer(self) -> PeerIdentity | None:
        return PeerIdentity(self.name) if self.is_complete else None


@virtual
async def test_identities_beyond_the_limit_share_a_label() -> None:
    async with world(wait) as w:
        collector = Collector(max_identities=2)
        value = registry_of(collector)
        clients = []
        for name in ("ann", "bob", "cleo", "dan", "ann"):
            server = w.server_transport.sockname
            clients.append(await open_connection(w.driver(), server, Named(True, name)))
            collector.add(clients[-1])
            assert value("fastmux_connections_open", identity="ann") == len(clients) // 5 + 1
        assert value("fastmux_connections_open", identity="bob") == 1
        assert value("fastmux_connections_open", identity="(others)") == 2
        assert value("fastmux_connections_open", identity="cleo") is None
        for client in clients:
            await client.aclose()


def test_names_are_the_tunnels_where_they_mean_the_same() -> None:
    names = {f"{metric.name}_total" for metric in Collector().collect() if metric.type == "counter"}
    tunnel = {family.name for family in PacketCounters().families([])}
    assert tunnel <= names
    gauges = {metric.name for metric in Collector().collect() if metric.type == "gauge"}
    assert {"fastmux_connections_open", "fastmux_rtt_seconds", "fastmux_congestion_window_bytes"} <= gauges


@virtual
async def test_what_is_registered_is_valid_text() -> None:
    async with pair() as ends:
        registry = prometheus_client.CollectorRegistry()
        registry.register(Collector(ends.world.server, ends.client))
        text = prometheus_client.generate_latest(registry).decode()
        assert "# TYPE fastmux_packets_sent_total counter" in text
        assert 'fastmux_connections_open{identity="anonymous"} 2.0' in text
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


@virtual
async def test_what_is_registered_is_valid_openmetrics() -> None:
    """Guards against a gauge and a counter of one base name, which that format refuses."""
    exposition: Any = pytest.importorskip("prometheus_client.openmetrics.exposition")
    parser: Any = pytest.importorskip("prometheus_client.openmetrics.parser")
    async with pair() as ends:
        await exchange(ends)
        registry = prometheus_client.CollectorRegistry()
        registry.register(Collector(ends.world.server, ends.client))
        text = exposition.generate_latest(registry).decode()
        families = {family.name: family for family in parser.text_string_to_metric_families(text)}
        assert families["fastmux_connections"].type == "counter"
        assert families["fastmux_connections_open"].type == "gauge"
        assert [sample.value for sample in families["fastmux_connections_open"].samples] == [2.0]
        assert len(families) == len(list(Collector().collect()))


def test_the_tunnels_names_do_not_clash_in_openmetrics_either() -> None:
    registry = MeteredRegistry()
    families = [
        *PacketCounters().families([]),
        *channel_families(registry),
        *connection_families(registry.labels, []),
    ]
    names = [family.name.removesuffix("_total") for family in families]
    assert len(set(names)) == len(names)
    assert all(family.name.endswith("_total") == (family.kind == "counter") for family in families)
