"""Figures of connections and servers for Prometheus, read when they are asked for.

Owns: the families, their names and labels. May not know: HTTP, the text format (prometheus-client does); how
a connection counts. Needs the extra `prometheus`.

    collector = fastmux.prometheus.Collector(server)
    prometheus_client.REGISTRY.register(collector)

Names and labels are those of the tunnel's `--metrics` where they mean the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from fastmux.aio.adapted import AdaptedConnection
from fastmux.aio.connection import Connection
from fastmux.aio.listening import Listening
from fastmux.constants import MAX_IDENTITY_LABELS
from fastmux.protocol.totals import CONNECTIONS, Totals
from fastmux.security.peer_names import IdentityLabels, name_of

try:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector as _Collector
except ImportError as error:
    raise ImportError(
        "fastmux.prometheus needs prometheus-client: pip install 'fastmux[prometheus]'"
    ) from error

AnyConnection: TypeAlias = Connection | AdaptedConnection[Any, Any]  # asyncio's, trio's, anyio's
AnyServer: TypeAlias = Listening[Any]

_COUNTERS: Final = {
    CONNECTIONS: "Connections since the start.",
    "packets_sent": "Packets sent, retransmissions and probes among them.",
    "packets_received": "Packets received.",
    "packets_lost": "Packets sent that were lost.",
    "bytes_sent": "Bytes of UDP payload sent.",
    "bytes_received": "Bytes of UDP payload received.",
    "retransmitted_bytes": "Bytes sent again.",
    "undecryptable_packets": "Packets that did not authenticate.",
    "duplicate_packets": "Packets that came twice.",
    "dropped_packets": "Packets dropped because what they held had no room.",
    "malformed_packets": "Packets without a whole header.",
    "glitches": "Packets with a frame that was of no use.",
    "datagrams_dropped": "Unreliable datagrams dropped, either way.",
    "messages_abandoned": "Messages given up.",
    "key_updates": "Changes of keys.",
    "migrations": "Moves of connections to another path.",
}
_GAUGES: Final = {
    "congestion_window": ("fastmux_congestion_window_bytes", "Congestion window, by identity."),
    "bytes_in_flight": ("fastmux_in_flight_bytes", "Bytes sent and not acknowledged yet, by identity."),
    "held_size": ("fastmux_held_bytes", "Bytes received and not read yet, by identity."),
    "channel_count": ("fastmux_open_channels", "Channels that are open, by identity."),
}


class Collector(_Collector):
    """A custom collector for a registry of prometheus-client.

    Sources are servers, with all their connections, and single connections, which leave by themselves when
    they are over. Nothing is counted between scrapes. A scrape may run in any thread; in another than the
    event loop's it may see a connection between two moments.

    Invariant: `_connections` are the single ones whose figures are not in `_ended` yet; it is cleared of
    those that are over when it has doubled, and with each scrape.
    """

    def __init__(
        self, *sources: AnyConnection | AnyServer, max_identities: int = MAX_IDENTITY_LABELS
    ) -> None:
        """`max_identities`: how many values the label `identity` may have, besides "(others)"."""
        self._servers: dict[AnyServer, None] = {}
        self._connections: dict[AnyConnection, None] = {}
        self._ended = Totals()
        self._lock = threading.Lock()
        self._sweep_at = 16
        self._labels = IdentityLabels(max_identities)
        for source in sources:
            self.add(source)

    def add(self, source: AnyConnection | AnyServer) -> None:
        """Collect from one more source; once more is the same as once."""
        if isinstance(source, Listening):
            self._servers[source] = None
            return
        with self._lock:
            self._connections[source] = None
            if len(self._connections) >= self._sweep_at:
                self._sweep()

    def describe(self) -> Iterable[Metric]:
        """The families without samples: registering reads nothing."""
        return self._families([], {}, {})

    def collect(self) -> Iterable[Metric]:
        """Read all figures. Called by the registry, with each scrape."""
        events: dict[str, int] = {}
        with self._lock:
            self._sweep()
            connections = list(self._connections)
            totals = self._ended.with_open(connection.stats for connection in connections)
        for server in tuple(self._servers):
            connections += server.connections
            _add(totals, server.totals())
            _add(events, server.counters())
        return self._families(connections, totals, events)

    def _sweep(self) -> None:
        """Add up the connections that are over, and forget them."""
        for connection in [each for each in self._connections if each.is_closed]:
            self._ended.end(connection.stats)
            del self._connections[connection]
        self._sweep_at = max(16, 2 * len(self._connections))

    def _families(
        self, connections: list[AnyConnection], totals: dict[str, int], events: dict[str, int]
    ) -> Iterator[Metric]:
        for name, text in _COUNTERS.items():
            counter = CounterMetricFamily(f"fastmux_{name}", text, labels=())
            if totals:
                counter.add_metric((), totals[name])
            yield counter
        knocks = CounterMetricFamily(
            "fastmux_endpoint_events", "What became of datagrams and knocks at servers.", labels=("event",)
        )
        for name, count in events.items():
            knocks.add_metric((name,), count)
        yield knocks
        yield from self._by_identity(connections)

    def _by_identity(self, connections: list[AnyConnection]) -> Iterator[Metric]:
        count: dict[str, float] = {}
        rtt: dict[str, float] = {}
        sums: dict[str, dict[str, float]] = {field: {} for field in _GAUGES}
        for connection in connections:
            name = self._labels.of(name_of(connection.peer))
            statistics = connection.stats
            count[name] = count.get(name, 0) + 1
            rtt[name] = max(rtt.get(name, 0.0), statistics.rtt)
            for field, values in sums.items():
                values[name] = values.get(name, 0) + getattr(statistics, field)
        yield _gauge("fastmux_connections_open", "Connections that are open, by identity.", count)
        yield _gauge("fastmux_rtt_seconds", "Smoothed round trip, the largest of an identity.", rtt)
        for field, (family, text) in _GAUGES.items():
            yield _gauge(family, text, sums[field])


def _gauge(name: str, text: str, values: dict[str, float]) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=("identity",))
    for identity, value in values.items():
        gauge.add_metric((identity,), value)
    return gauge


def _add(sums: dict[str, int], more: dict[str, int]) -> None:
    for name, value in more.items():
        sums[name] = sums.get(name, 0) + value
