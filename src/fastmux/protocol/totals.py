"""Counts of many connections, added up so that no sum ever falls.

Owns: which figures of a connection are counts, and the sums over those that are over. May not know: who asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastmux.protocol.statistics import ConnectionStatistics

COUNTS: Final = (
    "packets_sent",
    "bytes_sent",
    "packets_acked",
    "packets_lost",
    "retransmitted_bytes",
    "acks_sent",
    "messages_abandoned",
    "packets_received",
    "bytes_received",
    "acks_received",
    "undecryptable_packets",
    "duplicate_packets",
    "dropped_packets",
    "malformed_packets",
    "glitches",
    "datagrams_dropped",
    "channels_opened",
    "streams_opened",
    "key_updates",
    "migrations",
    "paths_validated",
)
CONNECTIONS: Final = "connections"


class Totals:
    """Invariant: `_sums` has each of COUNTS and CONNECTIONS, over the connections given to `end`."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys((CONNECTIONS, *COUNTS), 0)

    def end(self, statistics: ConnectionStatistics) -> None:
        """A connection is over, and these are its last figures."""
        _add(self._sums, statistics)

    def with_open(self, open_ones: Iterable[ConnectionStatistics] = ()) -> dict[str, int]:
        """The sums, with those of connections that are open."""
        sums = dict(self._sums)
        for statistics in open_ones:
            _add(sums, statistics)
        return sums


def _add(sums: dict[str, int], statistics: ConnectionStatistics) -> None:
    sums[CONNECTIONS] += 1
    for name in COUNTS:
        sums[name] += getattr(statistics, name)
