"""What a bound is: how many entries a container may have, and why no more.

Owns: those records. May not know: any container.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration

OWN = sys.maxsize  # what only the application makes grow


@dataclass(frozen=True, slots=True)
class Setting:
    """What bounds depend on."""

    configuration: Configuration

    @property
    def channels(self) -> int:
        """Those of the peer within its limits, and as many of this end's as the default limits allow."""
        ours = c.DEFAULT_MAX_STREAMS + c.DEFAULT_MAX_MESSAGE_CHANNELS
        return self.configuration.max_streams + self.configuration.max_message_channels + ours

    @property
    def messages(self) -> int:
        """Unread messages: each is charged at least one unit of credit, and one may overdraw."""
        budget = max(self.configuration.budget, c.MAX_UNACKED_SIZE)
        return (budget + self.configuration.max_message_size) // c.FRAGMENT_UNIT + 1

    @property
    def spans(self) -> int:
        """Runs of one channel, or of one range set of another kind."""
        window = max(self.configuration.max_channel_window, self.configuration.channel_window)
        return max(
            c.MIN_RECEIVED_SPANS,
            c.MAX_RECEIVED_RANGES,
            window // c.RECEIVED_SPAN_DIVISOR,
            self.configuration.max_streams,
            self.configuration.max_message_channels,
        )


Most = Callable[[Any, Setting], int]


@dataclass(frozen=True, slots=True)
class Bound:
    """`most(owner, setting)` entries (bytes of a bytearray) are allowed."""

    why: str
    most: Most


def at_most(count: int, why: str = "fixed when it is made") -> Bound:
    """The same for every owner."""
    return Bound(why, lambda owner, setting: count)


def under(prefix: str, bounds: dict[str, Bound]) -> dict[str, Bound]:
    """A part of the table whose names begin with the same room."""
    return {f"{prefix}.{name}": bound for name, bound in bounds.items()}
