"""What a connection tells its user, taken one by one with `Connection.next_event()`.

Owns: the event types. May not know: who consumes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fastmux.constants import MAX_TRAIN_SEGMENTS, MAX_TRAIN_SIZE
from fastmux.protocol.handshake import PeerIdentity

Address = tuple[str, int] | tuple[str, int, int, int]


class Transmit(NamedTuple):
    """Filled trains: the first `size` bytes of the buffer, in datagrams of `segment_size`.

    There are several if the buffer has room for them: a sender cuts off what one call of the system takes.
    """

    size: int
    segment_size: int
    address: Address
    has_more: bool = True  # False: another `transmit` now would give nothing


def max_train_size(segment_size: int) -> int:
    """How many bytes of datagrams of `segment_size` one send call takes."""
    return min(MAX_TRAIN_SEGMENTS, MAX_TRAIN_SIZE // segment_size) * segment_size


@dataclass(frozen=True, slots=True)
class Opened:
    """The handshake is complete here and channels may be opened. Comes once, first unless Closed does."""

    peer: PeerIdentity


@dataclass(frozen=True, slots=True)
class ChannelsReady:
    """Channels with something new: `(channel_id, READY_* flags)`, each once. One event a batch."""

    ready: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ChannelsAvailable:
    """The peer raised a channel limit: openers may try again."""


@dataclass(frozen=True, slots=True)
class DatagramsReceived:
    """Unreliable datagrams, oldest first."""

    datagrams: list[bytes]


@dataclass(frozen=True, slots=True)
class PingAcknowledged:
    """The PING with this token was acknowledged `round_trip` seconds after it was sent."""

    token: int
    round_trip: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over: the last event. `error` is what waiters should raise.

    A graceful or remote close is a `ConnectionClosed`; a failed handshake a `HandshakeError` or
    `AuthenticationError`.
    """

    error: ConnectionError


Event = Opened | ChannelsReady | ChannelsAvailable | DatagramsReceived | PingAcknowledged | Closed
