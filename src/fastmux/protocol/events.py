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
    via: int = 0  # the local path: which socket, where a client has several


def max_train_size(segment_size: int) -> int:
    """How many bytes of datagrams of `segment_size` one send call takes."""
    return min(MAX_TRAIN_SEGMENTS, MAX_TRAIN_SIZE // segment_size) * segment_size


@dataclass(frozen=True, slots=True)
class Opened:
    """The handshake is complete here and channels may be opened. Comes once, first unless Closed does."""

    peer: PeerIdentity


class ChannelsReady(NamedTuple):
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


@dataclass(frozen=True, slots=True)
class PathMoved:
    """The connection is used on another path now (RFC 9000 §9).

    `address` is the peer's there, `previous` the one before; `via` is the local path. A server follows its
    peer before the path is validated: then little is sent until it is, and the old path may come back.
    """

    address: Address
    previous: Address
    via: int
    is_validated: bool


@dataclass(frozen=True, slots=True)
class PathFailed:
    """Nobody answered on this path, and it is forgotten."""

    address: Address
    via: int
    reason: str


@dataclass(frozen=True, slots=True)
class PathLeft:
    """Nothing goes by the local path `via` any more: its socket may be closed."""

    via: int


Event = (
    Opened
    | ChannelsReady
    | ChannelsAvailable
    | DatagramsReceived
    | PingAcknowledged
    | PathMoved
    | PathFailed
    | PathLeft
    | Closed
)
