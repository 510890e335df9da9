"""The interface between a connection and whoever keeps a record of it, as qlog does.

Owns: what is told, and in which shape. May not know: who listens, files. But for the few packets
of a handshake nothing is told once a packet: a train sent, a batch received and an event of the connection
are the smallest things here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from fastmux.protocol.events import Address, Event
from fastmux.records import AckSummary, LongHeader

if TYPE_CHECKING:  # parameters come from the configuration, which names the observer
    from fastmux.protocol.parameters import Parameters


class Subject(NamedTuple):
    """The connection that is to be observed. `first_id`, which the client made up, names it on both ends."""

    is_client: bool
    version: int
    address: Address
    local_id: bytes
    first_id: bytes


class Train(NamedTuple):
    """Packets that went or came together. `first` and `last` are the lower 32 bits of their numbers, as in
    the headers; `size` is in bytes.
    """

    first: int
    last: int
    packets: int
    size: int


class Metrics(NamedTuple):
    """What the policies stand at after a batch. Seconds and bytes; `counters` are those of the data path.

    `is_settled` is True if every packet below the largest acknowledged is acknowledged or lost;
    `largest_lost` is the largest number ever declared lost, -1 before any.
    """

    smoothed_rtt: float
    rttvar: float
    min_rtt: float
    latest_rtt: float
    congestion_window: int
    ssthresh: int | None  # None before the first congestion, and for a controller without one
    bytes_in_flight: int
    is_settled: bool
    largest_lost: int
    pto_count: int
    mtu: int
    counters: Mapping[str, int]


class Observer(Protocol):
    """Told about one connection, in the order of time; `now` is the connection's clock, in seconds.

    Nothing may be raised here, and nothing done that takes long.
    """

    def started(self, now: float) -> None:
        """The connection begins."""
        ...

    def handshake_received(self, header: LongHeader, size: int, now: float) -> None:
        """A handshake packet of the peer, or a Retry, was taken."""
        ...

    def handshake_sent(self, header: LongHeader, size: int, now: float) -> None:
        """A handshake packet was sent."""
        ...

    def keyed(self, suite: int, local: Parameters, remote: Parameters, now: float) -> None:
        """The application keys and the parameters of both ends are known."""
        ...

    def train_sent(self, train: Train, bytes_in_flight: int, now: float) -> None:
        """Application packets were sent, and now so much is in flight."""
        ...

    def train_received(self, train: Train, now: float) -> None:
        """Application packets came, one of them authentic at least."""
        ...

    def batch(self, metrics: Metrics, summary: AckSummary | None, now: float) -> None:
        """What came since the last call, or a timer, was looked at; `summary` is what ACKs came to,
        None too where a timer found losses."""
        ...

    def event(self, event: Event, now: float) -> None:
        """The connection told its user something rare: anything but channels, datagrams and pings."""
        ...


ObserverFactory: TypeAlias = Callable[[Subject], Observer | None]
