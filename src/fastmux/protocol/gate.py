"""How many connections may be half-open: those whose peer has not proved itself (wire-format §4, H2).

Owns: their count, in all and for each network. May not know: what a connection is.
"""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

from fastmux import constants as c
from fastmux.protocol.configuration import Configuration
from fastmux.protocol.events import Address
from fastmux.protocol.rates import prefix_of

Guest = TypeVar("Guest")


class Gate(Generic[Guest]):
    """Invariant: `guests` are half-open; `_prefixes` counts them by network, and has no entry of zero."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.guests: dict[Guest, str] = {}
        self._prefixes: Counter[str] = Counter()

    @property
    def is_empty(self) -> bool:
        """True if nobody is half-open."""
        return not self.guests

    def __len__(self) -> int:
        return len(self.guests)

    def __contains__(self, guest: object) -> bool:
        return guest in self.guests

    def admits(self, address: Address, connections: int) -> bool:
        """True if one more from this address may begin, with so many connections there already."""
        configuration = self._configuration
        return (
            connections < configuration.max_connections
            and len(self.guests) < configuration.max_half_open
            and self._prefixes[prefix_of(address)] < configuration.max_half_open_per_address
        )

    def is_crowded(self, address: Address) -> bool:
        """True if so many are half-open that an address must be proved before one more is."""
        configuration = self._configuration
        return (
            len(self.guests) * c.RETRY_SHARE >= configuration.max_half_open
            or self._prefixes[prefix_of(address)] * c.RETRY_SHARE >= configuration.max_half_open_per_address
        )

    def enter(self, guest: Guest, address: Address) -> None:
        """Count a half-open connection."""
        prefix = prefix_of(address)
        self.guests[guest] = prefix
        self._prefixes[prefix] += 1

    def leave(self, guest: Guest) -> None:
        """It has opened or is gone; nothing happens if it was not counted."""
        prefix = self.guests.pop(guest, None)
        if prefix is not None:
            self._prefixes[prefix] -= 1
            if not self._prefixes[prefix]:
                del self._prefixes[prefix]
