"""What is counted for --metrics, read when it is asked for: figures move while a transfer runs.

Owns: the families and their labels, and how many values a label may take. May not know: HTTP, the text
format.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from fastmux.protocol.totals import CONNECTIONS, Totals
from fastmux.security.peer_names import OTHERS, IdentityLabels
from fastmux.tunnel.constants import MAX_METRICS_OUTCOMES
from fastmux.tunnel.forwarding.counters import CLOSED, ChannelRecord, ChannelRegistry
from fastmux.tunnel.operation.exposition import Family

if TYPE_CHECKING:
    from fastmux.aio.connection import Connection
    from fastmux.protocol.statistics import ConnectionStatistics


class MeteredRegistry(ChannelRegistry):
    """A registry that also counts how channels ended, by kind and outcome.

    Invariant: `outcomes` has at most `MAX_METRICS_OUTCOMES` entries and one for the others of each kind.
    `labels` says by which name an identity is counted; `_idle_waiters` wait for the last channel's end.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.labels = IdentityLabels()
        self._idle_waiters: set[asyncio.Future[None]] = set()
        self.outcomes: Counter[tuple[str, str]] = Counter()

    def close(self, record: ChannelRecord, outcome: str = CLOSED) -> None:
        """As the registry's, and count the outcome."""
        if record.id in self._open:
            key = (record.kind, outcome.partition(":")[0])  # behind it stands the peer's or the system's word
            if key not in self.outcomes and len(self.outcomes) >= MAX_METRICS_OUTCOMES:
                key = (record.kind, OTHERS)
            self.outcomes[key] += 1
        super().close(record, outcome)
        if self._idle_waiters and not self._is_busy():
            for waiter in self._idle_waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _is_busy(self) -> bool:
        return any(record.kind != "udp" for record in self._open.values())

    async def wait_idle(self) -> None:
        """Wait until no channel is open but those of datagrams, which have no end."""
        while self._is_busy():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle_waiters.add(waiter)
            try:
                await waiter
            finally:
                self._idle_waiters.discard(waiter)


class PacketCounters:
    """Packets and bytes of the connections that are over; with those that are open, sums that never fall."""

    NAMES: Final = {
        "packets_sent": "Packets sent, retransmissions and probes among them.",
        "packets_received": "Packets received.",
        "packets_lost": "Packets sent that were lost.",
        "bytes_sent": "Bytes of UDP payload sent.",
        "bytes_received": "Bytes of UDP payload received.",
        "retransmitted_bytes": "Bytes sent again.",
    }

    def __init__(self) -> None:
        self._totals = Totals()

    def end(self, statistics: ConnectionStatistics) -> None:
        """A connection is over; these were its last figures."""
        self._totals.end(statistics)

    def families(self, open_ones: Iterable[ConnectionStatistics]) -> list[Family]:
        """The sums up to now."""
        total = self._totals.with_open(open_ones)
        families = [Family("fastmux_connections_total", "counter", "Connections since the start.")]
        families[0].add(total[CONNECTIONS])
        for name, text in self.NAMES.items():
            family = Family(f"fastmux_{name.removesuffix('_bytes')}{_unit(name)}_total", "counter", text)
            family.add(total[name])
            families.append(family)
        return families


def _unit(name: str) -> str:
    return "_bytes" if name.endswith("_bytes") else ""


def channel_families(registry: MeteredRegistry) -> list[Family]:
    """Bytes by identity, channels by kind and outcome."""
    size = Family("fastmux_bytes_total", "counter", "Payload bytes of channels, by identity of the far end.")
    opened = Family("fastmux_channels_opened_total", "counter", "Channels opened, by identity.")
    for identity, totals in registry.totals().items():
        name = registry.labels.of(identity)
        size.add(totals.received_size, identity=name, direction="received")
        size.add(totals.sent_size, identity=name, direction="sent")
        opened.add(totals.opened, identity=name)
    now_open = Family("fastmux_channels_open", "gauge", "Channels that are open, by kind.")
    ended = Family("fastmux_channels_total", "counter", "Channels that ended, by kind and outcome.")
    for record in registry.records():
        now_open.add(1, kind=record.kind)
    for (kind, outcome), count in registry.outcomes.items():
        ended.add(count, kind=kind, outcome=outcome)
        now_open.add(0, kind=kind)
    return [size, opened, now_open, ended]


def connection_families(
    labels: IdentityLabels, connections: Iterable[tuple[str, Connection]]
) -> list[Family]:
    """Open connections and their round trips, by identity."""
    count = Family("fastmux_connections_open", "gauge", "Connections that are open, by identity.")
    rtt = Family("fastmux_rtt_seconds", "gauge", "Smoothed round trip, the largest of an identity.", "max")
    window = Family("fastmux_congestion_window_bytes", "gauge", "Congestion window, by identity.")
    for identity, connection in connections:
        name = labels.of(identity)
        statistics = connection.stats
        count.add(1, identity=name)
        rtt.add(statistics.rtt, identity=name)
        window.add(statistics.congestion_window, identity=name)
    return [count, rtt, window]
