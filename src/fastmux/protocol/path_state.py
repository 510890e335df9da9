"""What is learnt of a path by using it (RFC 9000 §9.4): nothing of it holds for another one.

Owns: which of a connection's policies these are. May not know: any of their rules.
"""

from __future__ import annotations

from typing import NamedTuple

from fastmux.constants import MAX_PTO
from fastmux.protocol.congestion.base import CongestionController
from fastmux.protocol.mtu_discovery import MtuDiscovery
from fastmux.protocol.pacer import Pacer
from fastmux.protocol.recovery import Recovery
from fastmux.protocol.rtt import RttEstimator


class PathState(NamedTuple):
    """One path's round trip, losses, congestion window, path MTU and pace."""

    rtt: RttEstimator
    recovery: Recovery
    congestion: CongestionController
    mtu: MtuDiscovery
    pacer: Pacer

    @property
    def pto(self) -> float:
        """The probe timeout without back-off, seconds, at most MAX_PTO."""
        return min(self.rtt.pto(self.recovery.max_ack_delay), MAX_PTO)
