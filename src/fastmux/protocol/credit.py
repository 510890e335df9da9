"""The credit that the peer gets as the application reads (docs/core.md, Credit).

Owns: one window policy a channel that was read from, and the connection's. May not know: how a window grows
(`WindowPolicy`), what is read.
"""

from __future__ import annotations

from typing import Final

from fastmux import core
from fastmux.constants import (
    CONNECTION_CHANNEL,
    K_GRANULARITY,
    MAX_NEAR_WINDOW,
    MAX_SLOW_PEER_WINDOW,
    MAX_VARINT,
    SLOW_PEER_ROUND_TRIP,
)
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.flow_control import Distance, WindowPolicy
from fastmux.protocol.rtt import RttEstimator

_NEAR: Final = 0.010  # seconds
_SMOOTHED_SHARE: Final = 4


class Credit:
    """Invariant: a channel has a policy only between its first raise and `forget`."""

    __slots__ = (
        "_channels",
        "_configuration",
        "_connection",
        "_data_path",
    )

    def __init__(self, data_path: core.DataPath, configuration: Configuration) -> None:
        self._data_path = data_path
        self._configuration = configuration
        self._connection = WindowPolicy(
            configuration.connection_window,
            configuration.max_connection_window,
            configuration.budget,
        )
        self._channels: dict[int, WindowPolicy] = {}

    def update(self, now: float, rtt: RttEstimator) -> None:
        """Raise the limits that the core says are worth raising."""
        distance = distance_of(rtt)
        for channel_id, consumed, charged, limit in self._data_path.take_credit():
            policy = self._policy(channel_id)
            raised, window = policy.next_limit(consumed, charged, limit, now, distance)
            if raised > limit:
                self._data_path.set_limit(channel_id, raised, window)

    def forget(self, channel_id: int) -> None:
        """Both directions of the channel are over."""
        self._channels.pop(channel_id, None)

    def _policy(self, channel_id: int) -> WindowPolicy:
        if channel_id == CONNECTION_CHANNEL:
            return self._connection
        policy = self._channels.get(channel_id)
        if policy is None:
            policy = WindowPolicy(self._configuration.channel_window, self._configuration.max_channel_window)
            self._channels[channel_id] = policy
        return policy


def distance_of(rtt: RttEstimator) -> Distance:
    """How far the peer is.

    The smallest round trip counts, for what the smoothed one has on top is mostly the queue that too large a
    window makes; but a path may have become longer, so not less than a share of the smoothed one. Where the
    path itself holds nothing, all of a window may wait in the socket's buffer; more of it where the round
    trip has become long on a short path, for then an end takes long to have its turn.
    """
    is_near = rtt.smoothed_rtt < _NEAR
    round_trip = rtt.min_rtt if is_near else max(rtt.min_rtt, rtt.smoothed_rtt / _SMOOTHED_SHARE)
    if rtt.min_rtt >= K_GRANULARITY:
        return Distance(round_trip, is_near, MAX_VARINT)
    is_slow = rtt.smoothed_rtt >= SLOW_PEER_ROUND_TRIP
    return Distance(round_trip, is_near, MAX_SLOW_PEER_WINDOW if is_slow else MAX_NEAR_WINDOW)
